#include "t2t/nn/positional.h"

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

// From 1 to 1 / 10000, geometrically; in fp32 as T2T computes them.
at::Tensor InverseTimescales(int64_t count) {
  const float increment = static_cast<float>(std::log(1.0e4)) /
                          std::max(static_cast<float>(count) - 1.0f, 1.0f);
  return at::exp(at::arange(count, OnDevice(at::kFloat)) * -increment);
}

// [batch, length, 2 * timescales].
at::Tensor Signal(const at::Tensor& positions, int64_t timescales) {
  const at::Tensor times =
      positions.to(at::kFloat).unsqueeze(-1) * InverseTimescales(timescales);
  return at::cat({times.sin(), times.cos()}, -1);
}

}  // namespace

at::Tensor TimingSignal(int64_t length, int64_t channels, int64_t start) {
  const at::Tensor positions =
      at::arange(start, start + length, OnDevice(at::kFloat)).unsqueeze(0);
  return TimingSignalAt(positions, channels);
}

at::Tensor TimingSignalAt(const at::Tensor& positions, int64_t channels) {
  const at::Tensor signal = Signal(positions, channels / 2);
  return channels % 2 == 0 ? signal : at::constant_pad_nd(signal, {0, 1});
}

at::Tensor TimingSignalsAt(const std::vector<at::Tensor>& positions,
                           int64_t channels) {
  const int64_t timescales =
      channels / (2 * static_cast<int64_t>(positions.size()));
  std::vector<at::Tensor> signals;
  for (const at::Tensor& position : positions) {
    signals.push_back(Signal(position, timescales));
  }
  const at::Tensor signal = at::cat(signals, -1);
  return at::constant_pad_nd(signal, {0, channels - signal.size(-1)});
}

at::Tensor PositionalEmbedding(const at::Tensor& table, int64_t length,
                               int64_t start) {
  const int64_t first = std::min(start, table.size(0));
  const int64_t known = std::min(length, table.size(0) - first);
  at::Tensor rows = table.narrow(0, first, known);
  if (known < length)
    rows = at::constant_pad_nd(rows, {0, 0, 0, length - known});
  return rows.unsqueeze(0);
}

LayerTiming::LayerTiming(const Scope& scope, const std::string& type,
                         int64_t layers, int64_t channels)
    : channels_(channels) {
  if (type == "learned") {
    table_ = scope.Param(
        "layer_embedding", {layers, 1, 1, channels},
        NormalInit(0.0, std::pow(static_cast<double>(channels), -0.5)));
  } else if (type != "sinusoid") {
    throw UsageError("step_timing_signal_type=" + type + " is not supported",
                     "learned or sinusoid",
                     "change --hparams=step_timing_signal_type=...");
  }
}

at::Tensor LayerTiming::operator()(int64_t layer) const {
  if (!table_.defined()) return TimingSignal(1, channels_, layer);
  return table_[layer] * std::sqrt(static_cast<double>(channels_));
}

at::Tensor ShiftRight(const at::Tensor& x) {
  return at::constant_pad_nd(x, {0, 0, 1, -1});
}

}  // namespace t2t
