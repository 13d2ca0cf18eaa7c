#include "t2t/nn/grid_attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "t2t/base/error.h"
#include "t2t/ops/device.h"

namespace t2t::nn {
namespace {

int64_t RoundUp(int64_t size, int64_t block) {
  return (size + block - 1) / block * block;
}

at::Tensor Range(int64_t start, int64_t end) {
  return at::arange(start, end, OnDevice(at::kLong));
}

// Rows and columns of a rectangle's positions, row by row.
struct Rectangle {
  Rectangle(int64_t top, int64_t bottom, int64_t left, int64_t right)
      : row(Range(top, bottom).repeat_interleave(right - left)),
        column(Range(left, right).repeat({bottom - top})) {}

  at::Tensor row, column;
};

Rectangle Join(const Rectangle& a, const Rectangle& b) {
  Rectangle joined = a;
  joined.row = at::cat({a.row, b.row});
  joined.column = at::cat({a.column, b.column});
  return joined;
}

// What the queries of each block see.
struct Windows {
  at::Tensor index;   // [blocks, seen]: of H * W positions; H * W: beyond them
  at::Tensor hidden;  // [blocks, queries or 1, seen]
};

Windows WindowsOf(int64_t height, int64_t width, const GridPattern& pattern) {
  const GridBlocks block = pattern.block;
  const int64_t rows = (height + block.height - 1) / block.height;
  const int64_t columns = (width + block.width - 1) / block.width;
  // Counted from the block's first position.
  const Rectangle own(0, block.height, 0, block.width);
  const Rectangle around =
      pattern.causal ? Join(Rectangle(-pattern.above, 0, -pattern.beside,
                                      block.width + pattern.beside),
                            Rectangle(0, block.height, -pattern.beside, 0))
                     : Rectangle(-pattern.above, block.height + pattern.above,
                                 -pattern.beside, block.width + pattern.beside);
  const Rectangle seen = pattern.causal ? Join(around, own) : around;
  const Rectangle first(0, rows, 0, columns);
  const at::Tensor row =
      (first.row * block.height).unsqueeze(1) + seen.row;  // [blocks, seen]
  const at::Tensor column =
      (first.column * block.width).unsqueeze(1) + seen.column;
  const at::Tensor beyond = row.lt(0)
                                .logical_or(row.ge(height))
                                .logical_or(column.lt(0))
                                .logical_or(column.ge(width));
  Windows windows;
  windows.index = at::where(beyond, height * width, row * width + column);
  windows.hidden = beyond.unsqueeze(1);
  if (pattern.causal) {
    const int64_t queries = block.height * block.width;
    const int64_t outside = around.row.size(0);
    const at::Tensor later =
        Range(0, queries).gt(Range(0, queries).unsqueeze(1));
    windows.hidden = at::cat({windows.hidden.narrow(2, 0, outside)
                                  .expand({rows * columns, queries, outside}),
                              later.expand({rows * columns, queries, queries})},
                             2);
  }
  return windows;
}

}  // namespace

void CheckGridPattern(const GridPattern& pattern) {
  if (pattern.block.height < 1 || pattern.block.width < 1 ||
      pattern.above < 0 || pattern.beside < 0) {
    throw UsageError("query_shape of " + std::to_string(pattern.block.height) +
                         " x " + std::to_string(pattern.block.width) +
                         " with memory_flange of " +
                         std::to_string(pattern.above) + " and " +
                         std::to_string(pattern.beside),
                     "a query_shape of at least 1 x 1, flanges from 0 up",
                     "change them in --hparams");
  }
}

at::Tensor BlockOrder(int64_t height, int64_t width, GridBlocks block) {
  TORCH_CHECK(height % block.height == 0 && width % block.width == 0,
              "blocks of ", block.height, " x ", block.width,
              " do not fill a grid of ", height, " x ", width);
  return Range(0, height * width)
      .view({height / block.height, block.height, width / block.width,
             block.width})
      .transpose(1, 2)
      .flatten();
}

at::Tensor ShiftRightInBlocks(const at::Tensor& x_BHWD, GridBlocks block) {
  const int64_t batch = x_BHWD.size(0);
  const int64_t depth = x_BHWD.size(3);
  const int64_t height = RoundUp(x_BHWD.size(1), block.height);
  const int64_t width = RoundUp(x_BHWD.size(2), block.width);
  const at::Tensor filled = at::constant_pad_nd(
      x_BHWD, {0, 0, 0, width - x_BHWD.size(2), 0, height - x_BHWD.size(1)});
  const at::Tensor order = BlockOrder(height, width, block);
  const at::Tensor blocks = filled.flatten(1, 2).index_select(1, order).view(
      {batch, -1, block.height * block.width, depth});
  const at::Tensor shifted =
      at::constant_pad_nd(blocks, {0, 0, 1, -1}).flatten(1, 2);
  return shifted.index_select(1, order.argsort())
      .view({batch, height, width, depth})
      .narrow(1, 0, x_BHWD.size(1))
      .narrow(2, 0, x_BHWD.size(2));
}

at::Tensor GridAttention(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v, const GridPattern& pattern) {
  const int64_t batch = q.size(0);
  const int64_t heads = q.size(1);
  const int64_t height = RoundUp(q.size(2), pattern.block.height);
  const int64_t width = RoundUp(q.size(3), pattern.block.width);
  const int64_t block = pattern.block.height * pattern.block.width;
  const at::Tensor order = BlockOrder(height, width, pattern.block);
  const Windows windows = WindowsOf(q.size(2), q.size(3), pattern);
  // [batch * heads, blocks, seen, depth]; beyond the grid are zeros.
  const auto seen = [&](const at::Tensor& x) {
    return at::constant_pad_nd(x.flatten(2, 3), {0, 0, 0, 1})
        .index_select(2, windows.index.flatten())
        .view({batch * heads, windows.index.size(0), windows.index.size(1),
               x.size(4)});
  };
  const at::Tensor queries = at::constant_pad_nd(q, {0, 0, 0, width - q.size(3),
                                                     0, height - q.size(2)})
                                 .flatten(2, 3)
                                 .index_select(2, order)
                                 .view({batch * heads, -1, block, q.size(4)});
  return at::scaled_dot_product_attention(
             queries, seen(k), seen(v),
             windows.hidden.logical_not().unsqueeze(0),
             /*dropout_p=*/0.0, /*is_causal=*/false, /*scale=*/1.0)
      .reshape({batch, heads, height * width, v.size(4)})
      .index_select(2, order.argsort())
      .view({batch, heads, height, width, v.size(4)})
      .narrow(2, 0, q.size(2))
      .narrow(3, 0, q.size(3));
}

GridSelfAttention::GridSelfAttention(const Scope& scope,
                                     const GridAttentionOptions& options)
    : options_(options),
      query_(scope.Sub("q"), options.hidden_size, options.key_channels,
             /*use_bias=*/false),
      key_(scope.Sub("k"), options.hidden_size, options.key_channels,
           /*use_bias=*/false),
      value_(scope.Sub("v"), options.hidden_size, options.value_channels,
             /*use_bias=*/false),
      output_(scope.Sub("output_transform"), options.value_channels,
              options.hidden_size, /*use_bias=*/false) {
  CheckGridPattern(options.pattern);
  if (options.heads < 1 || options.key_channels % options.heads != 0 ||
      options.value_channels % options.heads != 0) {
    throw UsageError("num_heads=" + std::to_string(options.heads) + " with " +
                         std::to_string(options.key_channels) + " key and " +
                         std::to_string(options.value_channels) +
                         " value channels",
                     "a number of heads that divides both",
                     "change num_heads, hidden_size, attention_key_channels or "
                     "attention_value_channels in --hparams");
  }
}

at::Tensor GridSelfAttention::operator()(const at::Tensor& x_BHWD,
                                         Pass&) const {
  const auto split = [&](const at::Tensor& x) {
    return x.unflatten(-1, {options_.heads, -1}).permute({0, 3, 1, 2, 4});
  };
  const double scale = std::pow(
      static_cast<double>(options_.key_channels / options_.heads), -0.5);
  const at::Tensor attended =
      GridAttention(split(query_(x_BHWD) * scale), split(key_(x_BHWD)),
                    split(value_(x_BHWD)), options_.pattern);
  return output_(attended.permute({0, 2, 3, 1, 4}).flatten(3));
}

}  // namespace t2t::nn
