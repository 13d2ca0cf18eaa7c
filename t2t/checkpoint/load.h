#ifndef T2T_CHECKPOINT_LOAD_H_
#define T2T_CHECKPOINT_LOAD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/nn/params.h"

namespace t2t {

// The tensors whose names begin with `prefix`, by the rest of their names.
std::map<std::string, at::Tensor> Under(
    const std::string& prefix,
    const std::map<std::string, at::Tensor>& tensors);

// Throws a MismatchError naming a parameter that the checkpoint lacks, has in
// another shape, or has beside the model's. shape_of: of the parameter as a
// checkpoint has it, where that is not the shape in `params` (tensor parallel);
// null: it always is.
using ShapeOf = std::function<std::vector<int64_t>(const std::string& name)>;
void CheckParametersFit(const Checkpoint& checkpoint, const ParamStore& params,
                        const ShapeOf& shape_of = nullptr);

// Copies a checkpoint's parameters (not the optimizer's state) into the model,
// once CheckParametersFit(). averaged: the moving averages, where the
// checkpoint has any.
void LoadParameters(const Checkpoint& checkpoint, bool averaged,
                    ParamStore* params);

// --warm_start_from: the checkpoint, or a folder's newest. Throws a
// MissingError where there is none; warns where its vocabulary is not `here`'s.
Checkpoint ReadWarmStart(const std::string& from, const RunIdentity& here);
// Copies what the checkpoint has of the parameters. Throws a MismatchError for
// another shape. What is absent keeps its initial value.
void WarmStart(const Checkpoint& checkpoint, ParamStore* params);
// Throws a MismatchError where the checkpoint has no parameter of the model.
void CheckWarmStart(const std::string& from, const Checkpoint& checkpoint,
                    const ParamStore& params);
// Logs how many parameters came from it, and warns of those that did not.
void LogWarmStart(const std::string& from, const Checkpoint& checkpoint,
                  const ParamStore& params);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_LOAD_H_
