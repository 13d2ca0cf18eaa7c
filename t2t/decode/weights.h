#ifndef T2T_DECODE_WEIGHTS_H_
#define T2T_DECODE_WEIGHTS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/checkpoint/run_identity.h"
#include "t2t/decode/load_options.h"
#include "t2t/nn/params.h"

namespace t2t {

struct Weights {
  std::map<std::string, at::Tensor> tensors;  // parameters only
  int64_t step = 0;                           // the newest one's
  std::vector<std::string> files;             // newest first
  bool are_ema = false;
  RunIdentity run;  // that they are of
  // Changes where the files' contents change.
  std::string identity;
};

// Reads the parameters, and nothing else of the files; what is read is checked.
// Throws a MissingError where there is no checkpoint; damaged ones are passed
// over with a warning unless named outright.
Weights ReadWeights(const WeightsOptions& options);

// Reads a file that holds parameters alone (t2t-exporter's).
Weights ReadExportedWeights(const std::string& path);

// Moves the tensors into the model's parameters, whole or not at all: throws
// a MismatchError that names the first one missing, of another shape, or that
// the model lacks.
void PutWeights(Weights* weights, ParamStore* params);

}  // namespace t2t

#endif  // T2T_DECODE_WEIGHTS_H_
