#include "t2t/optim/yellow_fin.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace t2t {
namespace {

constexpr double kBeta = 0.999;
constexpr int64_t kWindow = 20;
enum Scalar : int64_t {
  kStep,
  kRate,
  kMu,
  kSparsity,
  kMinCurvature,
  kMaxCurvature,
  kNorm,
  kDistance,
  kScalars
};

// A moving average without the bias of its start at 0.
double Average(double* average, double value, double updates) {
  *average -= (*average - value) * (1.0 - kBeta);
  return *average / (1.0 - std::pow(kBeta, updates));
}

}  // namespace

YellowFin::YellowFin(const HParams& hparams,
                     std::vector<NamedTensor> parameters)
    : Optimizer(hparams, std::move(parameters)),
      momentum_(AddSlot("momentum", 0)),
      mean_(AddSlot("yellow_fin_mean", 0)),
      window_(AddState("yellow_fin/window", at::zeros({kWindow}, at::kDouble))),
      norms_(
          AddState("yellow_fin/norms",
                   at::zeros({static_cast<int64_t>(this->parameters().size())},
                             at::kDouble))),
      scalars_(
          AddState("yellow_fin/scalars", at::zeros({kScalars}, at::kDouble))) {
  scalars_[kMu] = hparams.GetDouble("optimizer_momentum_momentum");
}

void YellowFin::Update(double learning_rate, int64_t step) {
  double* const scalars = scalars_.mutable_data_ptr<double>();
  const int64_t own_step = static_cast<int64_t>(scalars[kStep]);
  if (own_step == 0) scalars[kRate] = learning_rate;
  ForPieces([&](const Piece& piece) {
    MomentumKernel(At(piece), At(momentum_, piece), GradientAt(piece),
                   static_cast<float>(scalars[kRate]),
                   static_cast<float>(scalars[kMu]), /*nesterov=*/false,
                   piece.size);
  });
  Tune(scalars, own_step);
  scalars[kStep] += 1;
}

YellowFin::Statistics YellowFin::Measure(double updates) {
  std::vector<double> nonzeros(parameters().size(), 0.0);
  std::vector<double> squares(parameters().size(), 0.0);
  std::vector<double> means(parameters().size(), 0.0);
  for (size_t i = 0; i < parameters().size(); ++i) {
    if (!HasGradient(i)) continue;
    const at::Tensor gradient = EffectiveGradient(i);
    nonzeros[i] = static_cast<double>(gradient.count_nonzero().item<int64_t>());
    squares[i] = gradient.square().sum(at::kDouble).item<double>();
    at::Tensor mean = mean_[i];
    mean.add_(gradient.sub(mean), 1.0 - kBeta);
    means[i] = mean.square().sum(at::kDouble).item<double>();
  }
  for (std::vector<double>* const sums : {&nonzeros, &squares, &means}) {
    SumOverShards(sums);
  }
  Statistics statistics;
  double nonzero = 0;
  double entries = 0;
  double* const norms = norms_.mutable_data_ptr<double>();
  const double correction = 1.0 - std::pow(kBeta, updates);
  for (size_t i = 0; i < parameters().size(); ++i) {
    if (!HasGradient(i)) continue;
    nonzero += nonzeros[i];
    entries += static_cast<double>(WholeSize(i));
    statistics.norm2 += squares[i];
    statistics.norm2_average += Average(&norms[i], squares[i], updates);
    statistics.mean2 += means[i] / (correction * correction);
  }
  statistics.sparsity = nonzero / entries;
  return statistics;
}

void YellowFin::Tune(double* scalars, int64_t own_step) {
  const double updates = static_cast<double>(own_step) + 1.0;
  const Statistics statistics = Measure(updates);
  const double sparsity =
      Average(&scalars[kSparsity], statistics.sparsity, updates);
  double* const window = window_.mutable_data_ptr<double>();
  window[own_step % kWindow] = std::log(statistics.norm2);
  const int64_t valid = std::min(kWindow, own_step + 1);
  const double h_min =
      std::exp(Average(&scalars[kMinCurvature],
                       *std::min_element(window, window + valid), updates)) *
      sparsity;
  const double h_max =
      std::exp(Average(&scalars[kMaxCurvature],
                       *std::max_element(window, window + valid), updates)) *
      sparsity;
  const double variance =
      std::max(1e-6, statistics.norm2_average - statistics.mean2) * sparsity;
  const double norm =
      Average(&scalars[kNorm], std::sqrt(statistics.norm2), updates);
  const double distance =
      Average(&scalars[kDistance], norm / statistics.norm2_average, updates) /
      std::sqrt(sparsity);
  double mu = scalars[kMu];
  double rate = scalars[kRate];
  if (own_step > 0) {
    // The root of y^3 + p y + p = 0 (Vieta); x = y + 1 is sqrt(mu).
    const double p = distance * distance * h_min * h_min / 2.0 / variance;
    const double w3 = (-std::sqrt(p * p + 4.0 / 27.0 * p * p * p) - p) / 2.0;
    const double w = std::cbrt(w3);
    const double root = w - p / 3.0 / w + 1.0;
    const double range = std::sqrt(h_max / h_min);
    const double bound = (range - 1.0) / (range + 1.0);
    mu = std::max(root * root, bound * bound);
    rate = (1.0 - std::sqrt(mu)) * (1.0 - std::sqrt(mu)) / h_min;
  }
  scalars[kMu] = kBeta * scalars[kMu] + (1.0 - kBeta) * mu;
  scalars[kRate] = kBeta * scalars[kRate] + (1.0 - kBeta) * rate;
}

}  // namespace t2t
