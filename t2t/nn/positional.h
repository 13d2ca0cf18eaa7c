#ifndef T2T_NN_POSITIONAL_H_
#define T2T_NN_POSITIONAL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/nn/params.h"

namespace t2t {

// Sines of length positions from `start` in one half of the channels, cosines
// in the other: [1, length, channels]. T2T's get_timing_signal_1d.
at::Tensor TimingSignal(int64_t length, int64_t channels, int64_t start = 0);

// The same at given positions [batch, length]: [batch, length, channels].
at::Tensor TimingSignalAt(const at::Tensor& positions, int64_t channels);

// Several positions share the channels: T2T's
// add_timing_signals_given_positions. Each is [batch, length].
at::Tensor TimingSignalsAt(const std::vector<at::Tensor>& positions,
                           int64_t channels);

// The first `length` rows after `start` of a table [max_length, channels], zero
// beyond its end: [1, length, channels].
at::Tensor PositionalEmbedding(const at::Tensor& table, int64_t length,
                               int64_t start = 0);

// Tells a layer, or a step, which one it is: a vector for each of `layers`.
// type "learned" (T2T's layer_timing_signal_learned_1d: the parameter
// "layer_embedding" [layers, 1, 1, channels] in the scope, times the square
// root of channels) or "sinusoid" (the timing signal of a position).
class LayerTiming {
 public:
  LayerTiming(const Scope& scope, const std::string& type, int64_t layers,
              int64_t channels);

  // [1, 1, channels].
  at::Tensor operator()(int64_t layer) const;

 private:
  int64_t channels_;
  at::Tensor table_;  // undefined: sinusoid
};

// x [batch, length, depth] one position later, zero at the first, the last
// dropped.
at::Tensor ShiftRight(const at::Tensor& x);

}  // namespace t2t

#endif  // T2T_NN_POSITIONAL_H_
