#include "t2t/model/positions.h"

#include <ATen/ATen.h>

#include <utility>

#include "t2t/base/error.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"

namespace t2t {

Positions::Positions(const Scope& body, const SequenceOptions& options,
                     std::string feature)
    : kind_(options.position),
      position_features_(options.position_features),
      feature_(std::move(feature)) {
  if (kind_ != PositionKind::kEmbedding) return;
  if (options.max_length < 1) {
    throw UsageError(
        "pos=emb with max_length=" + std::to_string(options.max_length),
        "the number of positions to learn",
        "set --hparams=max_length=256, say");
  }
  table_ = body.Param(feature_ + "_positional_embedding",
                      {options.max_length, options.hidden_size});
}

at::Tensor Positions::Add(const at::Tensor& x, const Features& features,
                          int64_t start) const {
  const int64_t length = x.size(1);
  const int64_t channels = x.size(2);
  const auto packed = features.find(feature_ + "_position");
  switch (kind_) {
    case PositionKind::kNone:
      return x;
    case PositionKind::kTiming:
      return x + (packed != features.end()
                      ? TimingSignalAt(packed->second, channels)
                      : TimingSignal(length, channels, start));
    case PositionKind::kEmbedding:
      return x + (packed != features.end()
                      ? at::embedding(table_, packed->second)
                      : PositionalEmbedding(table_, length, start));
    case PositionKind::kTimingFromFeatures:
      break;
  }
  std::vector<at::Tensor> positions;
  for (const std::string& feature : position_features_) {
    positions.push_back(
        feature.empty()
            ? at::arange(start, start + length, OnDevice(at::kLong))
                  .unsqueeze(0)
                  .expand({x.size(0), length})
            : RequiredFeature(features, feature).reshape({x.size(0), -1}));
  }
  return x + TimingSignalsAt(positions, channels);
}

at::Tensor Positions::AddAt(const at::Tensor& x_BLD,
                            const at::Tensor& positions_BL) const {
  switch (kind_) {
    case PositionKind::kNone:
      return x_BLD;
    case PositionKind::kTiming:
      return x_BLD + TimingSignalAt(positions_BL, x_BLD.size(2));
    case PositionKind::kEmbedding: {
      // Zero beyond the table's end.
      const at::Tensor known = positions_BL.lt(table_.size(0));
      return x_BLD +
             at::embedding(table_, positions_BL * known) * known.unsqueeze(-1);
    }
    case PositionKind::kTimingFromFeatures:
      break;
  }
  TORCH_CHECK(false, "positions out of features at positions that are told");
}

at::Tensor Positions::AddRagged(const at::Tensor& x,
                                const nn::RaggedRows& rows) const {
  if (kind_ == PositionKind::kNone) return x;
  const int64_t length = rows.positions_1T.max().item<int64_t>() + 1;
  if (kind_ == PositionKind::kEmbedding) {
    return x + at::embedding(PositionalEmbedding(table_, length).squeeze(0),
                             rows.positions_1T);
  }
  TORCH_CHECK(kind_ == PositionKind::kTiming,
              "positions out of features over ragged rows");
  return x + t2t::TimingSignal(length, x.size(2))
                 .squeeze(0)
                 .index_select(0, rows.positions_1T.squeeze(0));
}

}  // namespace t2t
