#include "t2t/nn/local_attention.h"

#include <algorithm>
#include <string>

#include "t2t/base/error.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// The places of the keys, counted from a block's first position.
at::Tensor OffsetsOf(const LocalPattern& pattern, int64_t start,
                     int64_t length) {
  const at::Tensor offsets =
      at::arange(start, start + length, OnDevice(at::kLong));
  if (pattern.gap == 0) return offsets;
  // How far before the block, beginning at 0.
  const at::Tensor before = -1 - offsets;
  const at::Tensor in_gap = before.ge(0).logical_and(
      before.remainder(pattern.gap + pattern.stretch).lt(pattern.gap));
  return offsets.masked_select(in_gap.logical_not());
}

// Adds what the queries [batch, heads, .., queries, depth] say to the distances
// [queries, keys], which fit every block.
at::Tensor AddRelative(const at::Tensor& logits, const at::Tensor& q,
                       const at::Tensor& table, const at::Tensor& distances) {
  const int64_t last = distances.max().item<int64_t>();
  at::Tensor rows = table.narrow(-2, table.size(-2) - 1 - last, last + 1);
  // A dimension of 1 for the blocks.
  if (q.dim() == 5 && rows.dim() == 3) rows = rows.unsqueeze(1);
  const at::Tensor by_distance = at::matmul(q, rows.transpose(-1, -2));
  const at::Tensor index = (last - distances).clamp(0, last);
  return logits + by_distance.gather(-1, index.expand(logits.sizes()));
}

at::Tensor Weigh(const at::Tensor& logits, const at::Tensor& v,
                 const LocalAttentionOptions& options) {
  const int64_t heads = logits.size(1);
  const DropoutShard part =
      ShardAlong(options.first_head, heads,
                 options.all_heads == 0 ? heads : options.all_heads,
                 logits.numel() / (logits.size(0) * heads));
  return at::matmul(
      Dropout(at::softmax(logits, -1), options.dropout, options.rng, {}, part),
      v);
}

}  // namespace

std::optional<LocalPattern> LocalPatternOf(const std::string& type,
                                           const LocalSizes& sizes) {
  const int64_t block = sizes.block;
  const int64_t width = sizes.width;
  const bool sound =
      block >= 1 && width >= 1 && sizes.gap >= 0 && sizes.stretches >= 0;
  LocalPattern pattern;
  pattern.block = block;
  pattern.length = block;
  if (type == "local_within_block_mask_right") {
    pattern.causal = true;
  } else if (type == "local_mask_right" ||
             type == "local_relative_mask_right") {
    pattern.start = -block;
    pattern.length += block;
    pattern.causal = true;
    pattern.joins_two_blocks = true;
  } else if (type == "local_unmasked") {
    // Meant to reach as far to the left of the block as to the right; where
    // the width is a whole number of blocks, T2T's reach is one block further
    // left.
    pattern.start = sound && width % block == 0 ? -width - block : -width;
    pattern.length += 2 * width;
  } else if (type == "masked_dilated_1d" || type == "unmasked_dilated_1d") {
    pattern.causal = type == "masked_dilated_1d";
    if (pattern.causal) pattern.gap = sizes.gap;
    pattern.stretch = width;
    const int64_t side = sizes.stretches * (width + pattern.gap);
    pattern.start = -side;
    pattern.length += (pattern.causal ? 1 : 2) * side;
  } else {
    return std::nullopt;
  }
  if (!sound) {
    throw UsageError("local attention over blocks of " + std::to_string(block) +
                         " positions, with " + std::to_string(width) +
                         " at a time beside",
                     "at least 1 of each",
                     "change block_length, block_width or num_memory_blocks "
                     "(transformer_moe: attention_loc_block_length and _width; "
                     "attention_lm_moe: attention_block_length) in --hparams");
  }
  return pattern;
}

at::Tensor LocalAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v,
                          const LocalAttentionOptions& options) {
  const LocalPattern& pattern = options.pattern;
  const int64_t batch = q.size(0);
  const int64_t heads = q.size(1);
  const int64_t length = q.size(2);
  const bool one_block =
      length <= pattern.block ||
      (pattern.joins_two_blocks && length < 2 * pattern.block);
  const int64_t block = one_block ? length : pattern.block;
  const int64_t blocks = (length + block - 1) / block;
  const int64_t start = one_block ? 0 : pattern.start;
  const at::Tensor offset =
      OffsetsOf(pattern, start, one_block ? length : pattern.length);
  const int64_t seen = offset.size(0);
  const at::Tensor in_block = at::arange(block, OnDevice(at::kLong));
  // [blocks, seen]: the position of each key.
  const at::Tensor keys =
      at::arange(blocks, OnDevice(at::kLong)).mul(block).unsqueeze(1) + offset;
  // [block, seen]
  const at::Tensor distances = in_block.unsqueeze(1) - offset;
  at::Tensor hidden = keys.lt(0).logical_or(keys.ge(length)).unsqueeze(1);
  if (pattern.causal) hidden = hidden.logical_or(distances.lt(0));

  const at::Tensor index = keys.clamp(0, length - 1).flatten();
  const auto windows = [&](const at::Tensor& x) {
    return x.index_select(2, index).view(
        {batch, heads, blocks, seen, x.size(3)});
  };
  const at::Tensor queries =
      at::constant_pad_nd(q, {0, 0, 0, blocks * block - length})
          .view({batch, heads, blocks, block, q.size(3)});
  at::Tensor logits = at::matmul(queries, windows(k).transpose(-1, -2));
  if (options.relative_keys.defined()) {
    logits = AddRelative(logits, queries, options.relative_keys, distances);
  }
  logits = logits.masked_fill(hidden, -1e9);
  return Weigh(logits, windows(v), options)
      .reshape({batch, heads, blocks * block, v.size(3)})
      .narrow(2, 0, length);
}

at::Tensor LocalAttentionStep(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v,
                              const LocalAttentionOptions& options) {
  const LocalPattern& pattern = options.pattern;
  const int64_t position = k.size(2) - 1;
  const int64_t block = position / pattern.block * pattern.block;
  const int64_t first = std::max<int64_t>(block + pattern.start, 0);
  const int64_t seen = position + 1 - first;
  at::Tensor keys = k.narrow(2, first, seen);
  at::Tensor values = v.narrow(2, first, seen);
  if (pattern.gap > 0) {
    const at::Tensor index =
        OffsetsOf(pattern, first - block, seen) - (first - block);
    keys = keys.index_select(2, index);
    values = values.index_select(2, index);
  }
  at::Tensor logits = at::matmul(q, keys.transpose(-1, -2));
  if (options.relative_keys.defined()) {
    logits = AddRelative(
        logits, q, options.relative_keys,
        at::arange(seen - 1, -1, -1, OnDevice(at::kLong)).unsqueeze(0));
  }
  return Weigh(logits, values, options);
}

}  // namespace t2t
