#ifndef T2T_NN_ATTENTION_BIAS_H_
#define T2T_NN_ATTENTION_BIAS_H_

#include <ATen/ATen.h>

#include <cstdint>

namespace t2t {

// Numbers added to attention logits: 0 where a query may look, -1e9 where it
// may not. fp32, [batch or 1, 1, queries or 1, keys].

// 1 where an embedding [..., depth] is all zero (padding), else 0: [...].
at::Tensor EmbeddingToPadding(const at::Tensor& embedding);

// padding [batch, keys] -> [batch, 1, 1, keys].
at::Tensor BiasIgnorePadding(const at::Tensor& padding);
// A query sees itself and what is before it.
at::Tensor BiasLowerTriangle(int64_t length);
// Only the same segment is seen; ids are [batch, length].
at::Tensor BiasSameSegment(const at::Tensor& queries, const at::Tensor& keys);
// Full within the inputs, masked within the targets; the first padding of a
// row ends its inputs. padding [batch, length].
at::Tensor BiasPrependInputsFull(const at::Tensor& padding);
// -log(1 + distance): favours what is near.
at::Tensor BiasProximal(int64_t length);

}  // namespace t2t

#endif  // T2T_NN_ATTENTION_BIAS_H_
