#ifndef T2T_DECODE_LOAD_MODEL_H_
#define T2T_DECODE_LOAD_MODEL_H_

#include <memory>
#include <string>

#include "t2t/checkpoint/run_identity.h"
#include "t2t/decode/weights.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"

namespace t2t {

// What the flags say; an empty name is looked up in flags.txt, which
// t2t-trainer leaves in its output_dir.
struct LoadModelOptions {
  std::string model;
  std::string hparams_set;
  std::string hparams;  // overrides
  std::string problem;
  std::string data_dir;
  WeightsOptions weights;
  // A folder t2t-exporter wrote: says all of the above but the overrides.
  std::string export_dir;
  // For ExportModel: changes of the decode hparams that the export keeps.
  std::string decode_hparams;
};

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

// Fills names that are empty out of the flags.txt of the model's folder, where
// it has one.
void TakeSavedNames(LoadModelOptions* options);

// The hparams are the set's, then output_dir/hparams.json's, then the
// overrides.
LoadedModel LoadModel(const LoadModelOptions& options);

// Gives a model that was loaded the weights of another checkpoint of the same
// training. After an error it can't be used until it was given others.
void ReloadWeights(const WeightsOptions& options, LoadedModel* loaded);

// The changes of the decode hparams that an export keeps; "" where it has none,
// or where there is no export ("").
std::string ExportedDecodeHParams(const std::string& export_dir);

// Writes a folder that holds all that decoding needs: model.safetensors,
// hparams.json, problem.json and the vocabulary files. Complete or not there.
void ExportModel(const LoadModelOptions& options,
                 const std::string& export_dir);

}  // namespace t2t

#endif  // T2T_DECODE_LOAD_MODEL_H_
