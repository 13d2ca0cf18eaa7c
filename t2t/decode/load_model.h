#ifndef T2T_DECODE_LOAD_MODEL_H_
#define T2T_DECODE_LOAD_MODEL_H_

#include <memory>
#include <string>

#include "t2t/checkpoint/run_identity.h"
#include "t2t/decode/load_options.h"
#include "t2t/decode/weights.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"

namespace t2t {

struct LoadedModel {
  std::unique_ptr<Problem> problem;
  std::unique_ptr<Model> model;
  Weights weights;  // without the tensors
  RunIdentity run;  // with the vocabularies in data_dir
  // As they were resolved.
  std::string model_name, hparams_set, problem_name, data_dir;

  // All that a decoding result depends on besides its inputs.
  std::string Identity() const;
};

// Throws a usage, missing, data or mismatch error that says what is lacking.
LoadedModel LoadModel(const LoadModelOptions& options);

// Gives a model that was loaded the weights of another checkpoint of the same
// training. After an error it can't be used until it was given others.
void ReloadWeights(const WeightsOptions& options, LoadedModel* loaded);

// Writes a folder that holds all that decoding needs: model.safetensors,
// hparams.json, problem.json and the vocabulary files. Complete or not there.
void ExportModel(const LoadModelOptions& options,
                 const std::string& export_dir);

}  // namespace t2t

#endif  // T2T_DECODE_LOAD_MODEL_H_
