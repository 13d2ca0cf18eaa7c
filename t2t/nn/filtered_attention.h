#ifndef T2T_NN_FILTERED_ATTENTION_H_
#define T2T_NN_FILTERED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "t2t/nn/attention.h"
#include "t2t/nn/block.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t::nn {

// How many positions queries, and keys and values, are made of: T2T's
// q_filter_width and kv_filter_width.
struct AttentionFilters {
  int64_t query = 1;
  int64_t memory = 1;
};

// T2T's multihead_attention whose queries, keys and values are convolutions
// that look backwards. Of its types it has dot_product and those of
// LocalPatternOf().
class FilteredSelfAttention : public Sublayer {
 public:
  // scope: the layer's; parameters come under "<scope>/<options.name>". Throws
  // a usage error on widths below 1 and on other types.
  FilteredSelfAttention(const Scope& scope, const AttentionOptions& options,
                        const AttentionFilters& filters);

  at::Tensor operator()(const at::Tensor& x_BLD, Pass& pass) const override;
  bool CanStep() const override { return false; }

 private:
  using Projection = std::function<at::Tensor(const at::Tensor& x_BLD)>;
  static Projection MakeProjection(const Scope& scope, const char* name,
                                   int64_t in, int64_t channels, int64_t width);

  AttentionOptions options_;
  std::optional<LocalPattern> local_;  // nullopt: all positions
  Projection query_, key_, value_;
  Dense output_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_FILTERED_ATTENTION_H_
