#ifndef T2T_NN_AREA_ATTENTION_H_
#define T2T_NN_AREA_ATTENTION_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t {

// Attention to areas: every run of up to max_width neighbouring memories, or,
// where the memory is a grid of `height` rows, every rectangle up to
// max_height by max_width.
struct AreaOptions {
  int64_t max_width = 1;
  int64_t max_height = 1;
  int64_t height = 1;  // of the memory
  // What an area's key is made of: mean, max, sample, concat, max_concat, sum,
  // sample_concat or sample_sum; its value: mean, max or sum.
  std::string key_mode;
  std::string value_mode;

  bool enabled() const { return max_width > 1 || max_height > 1; }
};

// T2T's area_attention module. What comes in has a [length, depth] at its end,
// what goes out [areas, depth]: by height, width, then place. Deviations are
// computed in fp64: T2T's, differences of running totals in fp32, are off in
// the fourth digit where they are small.
class AreaFeatures {
 public:
  AreaFeatures() = default;
  // The parameters of the modes that have some are made in `scope`.
  AreaFeatures(const Scope& scope, int64_t key_depth,
               const AreaOptions& options);

  // Throws a data error where a row of the grid would be cut.
  at::Tensor Keys(const at::Tensor& keys, const nn::Context& context) const;
  at::Tensor Values(const at::Tensor& values) const;
  // The same of those areas alone that end with the last memory; the memory
  // has one row.
  at::Tensor LastKeys(const at::Tensor& keys) const;
  at::Tensor LastValues(const at::Tensor& values) const;
  // int64 [areas]: which of all areas of `length` memories are the last ones of
  // one memory, of two, of three, ...
  at::Tensor OrderOfEnds(int64_t length) const;

  // masked: bool [.., length]; which areas hold something masked [.., areas].
  at::Tensor Masked(const at::Tensor& masked) const;
  // A bias [.., length] that hides memories, as one that hides areas.
  at::Tensor Bias(const at::Tensor& bias) const;

  const AreaOptions& options() const { return options_; }

 private:
  at::Tensor MakeKeys(const at::Tensor& keys, bool last_only,
                      const nn::Context& context) const;
  at::Tensor MakeValues(const at::Tensor& values, bool last_only) const;

  AreaOptions options_;
  at::Tensor height_embedding_;  // [max_height, depth / 2]
  at::Tensor width_embedding_;
  Dense hidden_;
  Dense output_;
};

}  // namespace t2t

#endif  // T2T_NN_AREA_ATTENTION_H_
