#include "t2t/nn/area_attention.h"

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// T2T's, added to the variance.
constexpr double kEpsilon = 1e-6;
// Its exponential is 0 in every type that autocast knows.
constexpr double kHidden = -1e9;

using Join = std::function<at::Tensor(const at::Tensor&, const at::Tensor&)>;

at::Tensor Sum(const at::Tensor& a, const at::Tensor& b) { return a + b; }
at::Tensor Greater(const at::Tensor& a, const at::Tensor& b) {
  return at::maximum(a, b);
}
at::Tensor Either(const at::Tensor& a, const at::Tensor& b) {
  return at::logical_or(a, b);
}

// Calls visit(height, width, count) for each size of area that fits a memory
// of this length, in T2T's order.
void ForEachSize(const AreaOptions& options, int64_t length, bool last_only,
                 const std::function<void(int64_t, int64_t, int64_t)>& visit) {
  const int64_t columns = length / options.height;
  for (int64_t height = 1;
       height <= std::min(options.max_height, options.height); ++height) {
    for (int64_t width = 1; width <= std::min(options.max_width, columns);
         ++width) {
      visit(height, width,
            last_only ? 1
                      : (options.height - height + 1) * (columns - width + 1));
    }
  }
}

// Of every area the join of its memories: x [.., length, depth] -> [.., areas,
// depth].
at::Tensor JoinAreas(const at::Tensor& x, const AreaOptions& options,
                     bool last_only, const Join& join) {
  const int64_t length = x.size(-2);
  const int64_t rows = options.height;
  if (length % rows != 0) {
    throw DataError(
        "area attention over " + std::to_string(length) +
            " memories in a grid of " + std::to_string(rows) + " rows",
        "a length that the height divides, as in T2T",
        "set --hparams=max_area_height=1 (memory_height is the encoder's)");
  }
  const int64_t columns = length / rows;
  std::vector<int64_t> shape = x.sizes().vec();
  shape.insert(shape.end() - 2, rows);
  shape[shape.size() - 2] = columns;
  // Joins of areas of one column each, of areas with one column more, ...
  at::Tensor tall = x.reshape(shape);
  const at::Tensor grid = tall;
  std::vector<at::Tensor> areas;
  int64_t done_height = 1;
  at::Tensor wide;
  ForEachSize(
      options, length, /*last_only=*/false,
      [&](int64_t height, int64_t width, int64_t) {
        if (height > done_height) {
          tall = join(tall.narrow(-3, 0, rows - height + 1),
                      grid.narrow(-3, height - 1, rows - height + 1));
          done_height = height;
        }
        const int64_t count = columns - width + 1;
        wide = width == 1 ? tall
                          : join(wide.narrow(-2, 0, count),
                                 tall.narrow(-2, width - 1, count));
        areas.push_back(
            (last_only ? wide.narrow(-2, count - 1, 1) : wide).flatten(-3, -2));
      });
  return areas.size() == 1 ? areas[0] : at::cat(areas, -2);
}

struct Sizes {
  at::Tensor heights;  // int64 [areas]
  at::Tensor widths;
};

Sizes SizesOf(const AreaOptions& options, int64_t length, bool last_only,
              at::Device device) {
  std::vector<int64_t> heights;
  std::vector<int64_t> widths;
  ForEachSize(options, length, last_only,
              [&](int64_t height, int64_t width, int64_t count) {
                heights.insert(heights.end(), count, height);
                widths.insert(widths.end(), count, width);
              });
  return {at::tensor(heights, at::kLong).to(device),
          at::tensor(widths, at::kLong).to(device)};
}

at::Tensor CountsOf(const Sizes& sizes, const at::Tensor& like) {
  return (sizes.heights * sizes.widths).unsqueeze(1).to(like.options());
}

bool HasParameters(const std::string& mode) {
  return mode != "mean" && mode != "max" && mode != "sample";
}

}  // namespace

AreaFeatures::AreaFeatures(const Scope& scope, int64_t key_depth,
                           const AreaOptions& options)
    : options_(options) {
  static const std::set<std::string> kKeyModes = {
      "mean",       "max", "sample",        "concat",
      "max_concat", "sum", "sample_concat", "sample_sum"};
  if (kKeyModes.count(options.key_mode) == 0) {
    throw UsageError("area_key_mode=" + options.key_mode + " in area attention",
                     "mean, max, sample, concat, max_concat, sum, "
                     "sample_concat or sample_sum",
                     "set --hparams=area_key_mode=mean, say");
  }
  if (options.value_mode != "mean" && options.value_mode != "max" &&
      options.value_mode != "sum") {
    throw UsageError(
        "area_value_mode=" + options.value_mode + " in area attention",
        "mean, max or sum", "set --hparams=area_value_mode=sum, say");
  }
  if (options.height < 1) {
    throw UsageError("memory_height=" + std::to_string(options.height),
                     "at least 1", "set --hparams=memory_height=1");
  }
  if (!HasParameters(options.key_mode)) return;
  const int64_t half = key_depth / 2;
  const bool sums =
      options.key_mode == "sum" || options.key_mode == "sample_sum";
  if (sums && key_depth % 2 != 0) {
    throw UsageError("area_key_mode=" + options.key_mode + " with keys of " +
                         std::to_string(key_depth) + " channels a head",
                     "an even number of channels",
                     "change attention_key_channels, hidden_size or num_heads "
                     "in --hparams");
  }
  height_embedding_ =
      scope.Param("area_height_emb", {options.max_height, half});
  width_embedding_ = scope.Param("area_width_emb", {options.max_width, half});
  int64_t in = key_depth;
  if (!sums) in += 2 * half;
  if (options.key_mode == "concat") in += key_depth;
  hidden_ = Dense(scope.Sub("dense"), in, key_depth);
  output_ = Dense(scope.Sub("dense_1"), key_depth, key_depth);
}

at::Tensor AreaFeatures::MakeKeys(const at::Tensor& given, bool last_only,
                                  const nn::Context& context) const {
  const at::Tensor keys = given.to(at::kFloat);
  const std::string& mode = options_.key_mode;
  const Sizes sizes =
      SizesOf(options_, keys.size(-2), last_only, keys.device());
  at::Tensor features;
  at::Tensor deviation;
  if (mode == "max" || mode == "max_concat") {
    features = JoinAreas(keys, options_, last_only, Greater);
  } else {
    const at::Tensor counts = CountsOf(sizes, keys);
    features = JoinAreas(keys, options_, last_only, Sum) / counts;
    const bool samples =
        mode == "sample" || mode == "sample_concat" || mode == "sample_sum";
    if (mode == "concat" || mode == "sum" || (samples && context.training)) {
      // A difference of like numbers: fp32 leaves too few digits of it.
      const at::Tensor wide = keys.to(at::kDouble);
      const at::Tensor wide_counts = counts.to(at::kDouble);
      const at::Tensor mean =
          JoinAreas(wide, options_, last_only, Sum) / wide_counts;
      const at::Tensor squares =
          JoinAreas(wide * wide, options_, last_only, Sum) / wide_counts;
      deviation =
          ((squares - mean * mean).abs() + kEpsilon).sqrt().to(at::kFloat);
    }
    if (samples && context.training) {
      features = features + deviation * nn::NormalLike(deviation, context);
    }
  }
  if (!HasParameters(mode)) return features;
  at::Tensor size =
      at::cat({height_embedding_.index_select(0, sizes.heights - 1),
               width_embedding_.index_select(0, sizes.widths - 1)},
              1);
  if (mode == "sum") {
    features = size + features + deviation;
  } else if (mode == "sample_sum") {
    features = features + size;
  } else {
    std::vector<int64_t> shape = features.sizes().vec();
    shape.back() = size.size(1);
    size = size.expand(shape);
    features = mode == "concat" ? at::cat({features, deviation, size}, -1)
                                : at::cat({features, size}, -1);
  }
  return output_(at::relu(hidden_(features)));
}

at::Tensor AreaFeatures::MakeValues(const at::Tensor& given,
                                    bool last_only) const {
  const at::Tensor values = given.to(at::kFloat);
  if (options_.value_mode == "max") {
    return JoinAreas(values, options_, last_only, Greater);
  }
  const at::Tensor sums = JoinAreas(values, options_, last_only, Sum);
  if (options_.value_mode == "sum") return sums;
  return sums / CountsOf(SizesOf(options_, values.size(-2), last_only,
                                 values.device()),
                         values);
}

at::Tensor AreaFeatures::Keys(const at::Tensor& keys,
                              const nn::Context& context) const {
  return MakeKeys(keys, /*last_only=*/false, context);
}

at::Tensor AreaFeatures::Values(const at::Tensor& values) const {
  return MakeValues(values, /*last_only=*/false);
}

at::Tensor AreaFeatures::LastKeys(const at::Tensor& keys) const {
  return MakeKeys(keys, /*last_only=*/true, nn::Context());
}

at::Tensor AreaFeatures::LastValues(const at::Tensor& values) const {
  return MakeValues(values, /*last_only=*/true);
}

at::Tensor AreaFeatures::OrderOfEnds(int64_t length) const {
  std::vector<int64_t> order;
  for (int64_t end = 0; end < length; ++end) {
    int64_t first = 0;  // area of this width
    for (int64_t width = 1; width <= std::min(options_.max_width, end + 1);
         ++width) {
      order.push_back(first + end - width + 1);
      first += length - width + 1;
    }
  }
  return at::tensor(order, at::kLong);
}

at::Tensor AreaFeatures::Masked(const at::Tensor& masked) const {
  return JoinAreas(masked.unsqueeze(-1), options_, /*last_only=*/false, Either)
      .squeeze(-1);
}

at::Tensor AreaFeatures::Bias(const at::Tensor& bias) const {
  return Masked(bias.lt(-1)).to(at::kFloat) * kHidden;
}

}  // namespace t2t
