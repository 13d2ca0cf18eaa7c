#ifndef T2T_CHECKPOINT_IMPORTER_VARIABLES_H_
#define T2T_CHECKPOINT_IMPORTER_VARIABLES_H_

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <vector>

#include "t2t/checkpoint/importer/bundle.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"

namespace t2t {

// A number variable as a tensor of its own type.
at::Tensor ReadVariable(BundleReader* reader, const std::string& name);

struct MappedVariables {
  // By our parameter's name; optimizer slots under "optimizer/<slot>/<name>",
  // all of them or none.
  std::map<std::string, at::Tensor> tensors;
  // "<parameter> [shape]", with the variables' names where they differ.
  std::vector<std::string> mapped;
  // Variables that are neither the model's nor bookkeeping.
  std::vector<std::string> unused;
  // Counters, averages of losses, optimizer slots that are left out.
  std::vector<std::string> bookkeeping;
  bool has_optimizer = false;
};

// Finds every parameter of a model in a checkpoint: by its own name, or, for
// "<scope>/weights", as T2T's shards <scope>/weights_0, weights_1, ... one
// after the other. Shapes may differ in dimensions of 1. optimizer: the hparam,
// for the slots to take over. Throws a MismatchError that lists what is
// missing or of another shape.
MappedVariables MapVariables(BundleReader* reader, const ParamStore& params,
                             const std::string& optimizer);

// What the variables' names tell of a problem: its features' modalities and
// the sizes of their vocabularies, without encoders. Throws a MismatchError
// where they tell nothing.
ProblemInfo InfoFromVariables(const BundleReader& reader,
                              const std::string& problem);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_IMPORTER_VARIABLES_H_
