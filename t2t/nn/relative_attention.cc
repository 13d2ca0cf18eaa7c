#include "t2t/nn/relative_attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "t2t/ops/device.h"

namespace t2t {
namespace {

// Rows for distances -(length - 1) .. 0 (or .. length - 1 where both sides
// count) out of a table of the nearest ones, zero rows where it ends.
at::Tensor UsedRows(const at::Tensor& table, int64_t max_relative_position,
                    int64_t length, bool both_sides) {
  const int64_t missing = std::max<int64_t>(length - max_relative_position, 0);
  const int64_t first = std::max<int64_t>(max_relative_position - length, 0);
  at::Tensor rows = table;
  if (missing > 0) {
    rows = at::constant_pad_nd(rows, {0, 0, missing, both_sides ? missing : 0});
  }
  return rows.narrow(-2, first, both_sides ? 2 * length - 1 : length);
}

// [.., query, distance] -> [.., query, key]. What a masked query may not see
// gets the same left-overs as in T2T.
at::Tensor DistanceToKey(const at::Tensor& x, bool both_sides) {
  std::vector<int64_t> shape = x.sizes().vec();
  const int64_t length = shape[2];
  const int64_t batch = shape[0];
  const int64_t heads = shape[1];
  if (both_sides) {
    const at::Tensor flat = at::constant_pad_nd(x, {0, 1}).reshape(
        {batch, heads, 2 * length * length});
    return at::constant_pad_nd(flat, {0, length - 1})
        .view({batch, heads, length + 1, 2 * length - 1})
        .narrow(2, 0, length)
        .narrow(3, length - 1, length);
  }
  return at::constant_pad_nd(x, {1, 0})
      .view({batch, heads, length + 1, length})
      .narrow(2, 1, length);
}

// The other way.
at::Tensor KeyToDistance(const at::Tensor& x, bool both_sides) {
  const int64_t batch = x.size(0);
  const int64_t heads = x.size(1);
  const int64_t length = x.size(2);
  if (both_sides) {
    const at::Tensor flat =
        at::constant_pad_nd(x, {0, length - 1})
            .reshape({batch, heads, length * (2 * length - 1)});
    return at::constant_pad_nd(flat, {length, 0})
        .view({batch, heads, length, 2 * length})
        .narrow(3, 1, 2 * length - 1);
  }
  return at::constant_pad_nd(x, {0, 0, 1, 0})
      .view({batch, heads, length, length + 1})
      .narrow(3, 1, length);
}

// The row of kClipped's tables that a (query, key) pair uses.
at::Tensor ClippedIndex(int64_t reach, int64_t queries, int64_t keys) {
  const at::Tensor key = at::arange(keys, OnDevice(at::kLong));
  const at::Tensor query = key.slice(0, keys - queries);
  return (key.unsqueeze(0) - query.unsqueeze(1)).clamp(-reach, reach) + reach;
}

}  // namespace

bool IsRelativeV2(const std::string& type) {
  return type == "dot_product_relative_v2" ||
         type == "dot_product_unmasked_relative_v2";
}

bool IsRelative(const std::string& type) {
  return type == "dot_product_relative" || IsRelativeV2(type);
}

RelativeKind RelativeKindOf(const std::string& type) {
  TORCH_CHECK(IsRelative(type), type, " has no relative positions");
  if (type == "dot_product_relative") return RelativeKind::kClipped;
  return type == "dot_product_relative_v2" ? RelativeKind::kMasked
                                           : RelativeKind::kUnmasked;
}

at::Tensor RelativeLogits(RelativeKind kind, int64_t reach,
                          const at::Tensor& table, const at::Tensor& q,
                          int64_t keys) {
  const int64_t queries = q.size(2);
  if (kind == RelativeKind::kClipped) {
    const at::Tensor by_distance = at::matmul(q, table.t());
    return by_distance.gather(
        -1, ClippedIndex(reach, queries, keys)
                .expand({q.size(0), q.size(1), queries, keys}));
  }
  const bool both = kind == RelativeKind::kUnmasked;
  at::Tensor rows = UsedRows(table, reach, keys, both);
  if (queries == keys) {
    return DistanceToKey(at::matmul(q, rows.transpose(-1, -2)), both);
  }
  // One query, the last: distance and key run alike.
  rows = rows.narrow(-2, 0, keys);
  return at::matmul(q, rows.transpose(-1, -2));
}

at::Tensor RelativeValues(RelativeKind kind, int64_t reach,
                          const at::Tensor& table, const at::Tensor& weights) {
  const int64_t queries = weights.size(2);
  const int64_t keys = weights.size(3);
  if (kind == RelativeKind::kClipped) {
    const at::Tensor by_distance =
        at::zeros({weights.size(0), weights.size(1), queries, 2 * reach + 1},
                  weights.options())
            .scatter_add(
                -1, ClippedIndex(reach, queries, keys).expand(weights.sizes()),
                weights);
    return at::matmul(by_distance, table);
  }
  const bool both = kind == RelativeKind::kUnmasked;
  at::Tensor rows = UsedRows(table, reach, keys, both);
  if (queries == keys) {
    return at::matmul(KeyToDistance(weights, both), rows);
  }
  return at::matmul(weights, rows.narrow(-2, 0, keys));
}

}  // namespace t2t
