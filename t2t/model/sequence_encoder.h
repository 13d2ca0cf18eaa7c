#ifndef T2T_MODEL_SEQUENCE_ENCODER_H_
#define T2T_MODEL_SEQUENCE_ENCODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "t2t/model/model.h"
#include "t2t/model/positions.h"
#include "t2t/model/sequence_options.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// What a family computes between its first input and its last output, for
// every form of x that a pass can have.
using Layers = std::function<at::Tensor(const at::Tensor& x, nn::Pass& pass)>;

// What the decoder sees of the inputs.
struct Encoded {
  at::Tensor output;       // [batch, length, hidden]
  at::Tensor memory_bias;  // [batch, 1, 1 or target length, length]
};

// T2T's transformer_prepare_encoder around a family's layers: target space and
// position added to embedded inputs, what may be looked at, and the passes.
class SequenceEncoder {
 public:
  // Makes the parameters that come before the layers', under the scope
  // "<model>/body".
  SequenceEncoder(const Scope& body, const SequenceOptions& options);

  // inputs_BLD: out of the modality's bottom. features: for packed batches and
  // timing_from_features.
  Encoded Whole(const at::Tensor& inputs_BLD, int64_t target_space_id,
                const Features& features, nn::Context& context,
                const Layers& layers) const;
  // The same without padding, where all of it can be ragged: [1, tokens,
  // hidden].
  at::Tensor Ragged(const at::Tensor& inputs_1TD, const nn::RaggedRows& rows,
                    int64_t target_space_id, nn::Context& context,
                    const Layers& layers) const;

 private:
  at::Tensor AddTargetSpace(const at::Tensor& x, int64_t id) const;

  SequenceOptions options_;
  TensorParallel* parallel_;  // null: the model is whole
  at::Tensor target_space_;
  Positions positions_;
};

// 1 where a packed batch has no padding, [batch, length]; undefined where the
// batch is not packed. name: "inputs" or "targets".
at::Tensor PackedNonpadding(const Features& features, const std::string& name);

}  // namespace t2t

#endif  // T2T_MODEL_SEQUENCE_ENCODER_H_
