#ifndef T2T_MODALITY_GOLDEN_TENSORS_H_
#define T2T_MODALITY_GOLDEN_TENSORS_H_

#include <ATen/ATen.h>

#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"
#include "t2t/nn/params.h"

namespace t2t {

// For tests: what tools/golden/modality_*.py writes.

// {"shape": [...], "values": [...]}, in fp32.
at::Tensor GoldenTensor(const Json& json);
// Nested lists of whole numbers of equal lengths, int64.
at::Tensor GoldenIds(const Json& json);

// Gives every parameter T2T's value, the shards "weights_0", "weights_1", ...
// as one "weights". Throws where a name is on one side alone.
void LoadGoldenVariables(const Json& variables, ParamStore* params);

// Sets hparams by a JSON object of values.
void SetFromJson(const Json& changes, HParams* hparams);

// The largest difference, after reshaping to the same; -1 where the numbers of
// elements differ.
double MaxDifference(const at::Tensor& a, const at::Tensor& b);

}  // namespace t2t

#endif  // T2T_MODALITY_GOLDEN_TENSORS_H_
