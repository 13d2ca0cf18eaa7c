#include "t2t/optim/optimizer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/device.h"
#include "t2t/optim/flush_tiny.h"
#include "t2t/optim/for_each.h"

namespace t2t {
namespace {

double NumberOr(const HParams& hparams, const std::string& name,
                double otherwise) {
  return hparams.Has(name) ? hparams.GetDouble(name) : otherwise;
}

// A device takes a parameter at a time.
int64_t PieceSize(const at::Tensor& parameter) {
  return parameter.device().is_cpu() ? Optimizer::kPieceSize
                                     : std::max<int64_t>(1, parameter.numel());
}

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

}  // namespace

int64_t AccumulatedSteps(const HParams& hparams) {
  constexpr char kName[] = "optimizer_multistep_accumulate_steps";
  return hparams.Has(kName) ? std::max<int64_t>(1, hparams.GetInt(kName)) : 1;
}

at::Tensor TruncatedNoise(at::IntArrayRef shape, double deviation,
                          const std::optional<OptimizerShards::Shard>& shard) {
  if (shard) {
    return TruncatedNoise(shard->shape, deviation)
        .narrow(shard->dim, shard->begin, shape[shard->dim]);
  }
  // Within two standard deviations.
  const double edge = std::erf(2.0 / std::sqrt(2.0));
  return at::empty(shape, OnDevice(at::kFloat))
      .uniform_(-edge, edge)
      .erfinv_()
      .mul_(std::sqrt(2.0) * deviation);
}

void ForWeightNoise(const HParams& hparams,
                    const std::vector<NamedTensor>& parameters,
                    double learning_rate,
                    const std::function<void(size_t, const at::Tensor&)>& add,
                    const OptimizerShards* shards) {
  const double scale = NumberOr(hparams, "weight_noise", 0);
  if (scale == 0) return;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const NamedTensor& parameter = parameters[i];
    if (parameter.name.find("/body/") == std::string::npos) continue;
    add(i,
        TruncatedNoise(parameter.tensor.sizes(), scale * learning_rate * 0.001,
                       shards == nullptr ? std::nullopt
                                         : shards->ShardOf(parameter.name)));
  }
}

void AddWeightNoise(const HParams& hparams,
                    const std::vector<NamedTensor>& parameters,
                    double learning_rate, const OptimizerShards* shards) {
  ForWeightNoise(
      hparams, parameters, learning_rate,
      [&](size_t i, const at::Tensor& noise) {
        parameters[i].tensor.detach().add_(noise);
      },
      shards);
}

Optimizer::Optimizer(const HParams& hparams,
                     std::vector<NamedTensor> parameters)
    : hparams_(hparams),
      parameters_(std::move(parameters)),
      own_shards_(parameters_.size()),
      clip_norm_(NumberOr(hparams, "clip_grad_norm", 0)),
      gradient_noise_(NumberOr(hparams, "grad_noise_scale", 0)),
      weight_decay_(NumberOr(hparams, "weight_decay", 0)) {
  if (hparams.Has("optimizer_zero_grads")) {
    zero_gradients_ = hparams.GetBool("optimizer_zero_grads");
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& tensor = parameters_[i].tensor;
    if (tensor.scalar_type() != at::kFloat || !tensor.is_contiguous()) {
      throw Error(ExitCode::kInternal,
                  "parameter '" + parameters_[i].name + "' can't be optimized",
                  "a contiguous fp32 tensor");
    }
    data_.push_back(tensor.mutable_data_ptr<float>());
    decay_.push_back(Decays(parameters_[i]) ? static_cast<float>(weight_decay_)
                                            : 0.0F);
    const int64_t piece_size = PieceSize(tensor);
    for (int64_t begin = 0; begin < tensor.numel(); begin += piece_size) {
      pieces_.push_back(
          {i, begin, std::min(piece_size, tensor.numel() - begin)});
    }
  }
  accumulate_ = AccumulatedSteps(hparams);
  if (accumulate_ > 1) gradient_sums_ = AddSlot("gradient_sum", 0);
}

void Optimizer::SetShards(const OptimizerShards* shards) {
  shards_ = shards;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    own_shards_[i] = shards->ShardOf(parameters_[i].name);
  }
  OnShards();
}

int64_t Optimizer::WholeSize(size_t parameter) const {
  return own_shards_[parameter]
             ? c10::multiply_integers(own_shards_[parameter]->shape)
             : parameters_[parameter].tensor.numel();
}

void Optimizer::SumOverShards(std::vector<double>* numbers) const {
  if (shards_ == nullptr) return;
  const at::Tensor sums =
      at::zeros(static_cast<int64_t>(numbers->size()), at::kDouble);
  double* const data = sums.mutable_data_ptr<double>();
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (own_shards_[i]) data[i] = (*numbers)[i];
  }
  shards_->Sum(sums);
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (own_shards_[i]) (*numbers)[i] = data[i];
  }
}

int64_t Optimizer::PieceCount(const at::Tensor& parameter) {
  const int64_t size = PieceSize(parameter);
  return (parameter.numel() + size - 1) / size;
}

bool Optimizer::Decays(const NamedTensor& parameter) {
  return !(parameter.tensor.dim() == 1 && EndsWith(parameter.name, "bias"));
}

GradientTerms Optimizer::GradientAt(size_t parameter, int64_t begin) const {
  return {gradients_[parameter].const_data_ptr<float>() + begin,
          decay_[parameter], scale_};
}

at::Tensor Optimizer::EffectiveGradient(size_t parameter) const {
  at::Tensor gradient = gradients_[parameter];
  if (decay_[parameter] != 0) {
    gradient =
        gradient.add(parameters_[parameter].tensor.detach(), decay_[parameter]);
  }
  return scale_ == 1.0F ? gradient : gradient.mul(scale_);
}

void Optimizer::ForPieces(const std::function<void(const Piece&)>& body) const {
  ForEach(static_cast<int64_t>(pieces_.size()), 1,
          [&](int64_t begin, int64_t end) {
            const FlushTinyNumbers flush;
            for (int64_t i = begin; i < end; ++i) {
              if (HasGradient(pieces_[i].parameter)) body(pieces_[i]);
            }
          });
}

std::vector<double> Optimizer::PieceSquares() const {
  // A sum a piece, added in order: the same with any number of threads.
  std::vector<double> sums(pieces_.size(), 0.0);
  const Piece* const first = pieces_.data();
  ForEach(static_cast<int64_t>(pieces_.size()), 1,
          [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
              const Piece& piece = first[i];
              if (!HasGradient(piece.parameter)) continue;
              sums[i] = SumOfSquares(At(piece), GradientAt(piece), piece.size);
            }
          });
  return sums;
}

double Optimizer::Step(const std::vector<at::Tensor>& gradients,
                       double learning_rate, int64_t step,
                       const TotalSquares& total) {
  const at::NoGradGuard no_grad;
  if (gradients.size() != parameters_.size()) {
    throw Error(ExitCode::kInternal, "as many gradients as parameters");
  }
  gradients_.assign(gradients.size(), at::Tensor());
  for (size_t i = 0; i < gradients.size(); ++i) {
    at::Tensor gradient = gradients[i];
    if (!gradient.defined()) {
      if (!CountsAsZeros(parameters_[i])) continue;
      gradient = at::zeros_like(parameters_[i].tensor);
    }
    gradient = gradient.to(at::kFloat).contiguous();
    if (gradient_noise_ != 0) {
      gradient = gradient.add(
          TruncatedNoise(gradient.sizes(), gradient_noise_, own_shards_[i]));
    }
    gradients_[i] = std::move(gradient);
  }
  scale_ = 1.0F;
  const std::vector<double> squares = PieceSquares();
  const double norm = std::sqrt(
      total != nullptr ? total(squares)
                       : std::accumulate(squares.begin(), squares.end(), 0.0));
  if (std::isfinite(norm)) {
    if (clip_norm_ > 0 && norm > clip_norm_) {
      scale_ = static_cast<float>(clip_norm_ / norm);
    }
    if (accumulate_ > 1) {
      Accumulate(learning_rate, step);
    } else {
      Update(learning_rate, step);
    }
  }
  gradients_.assign(gradients.size(), at::Tensor());
  return norm;
}

void Optimizer::Accumulate(double learning_rate, int64_t step) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    gradient_sums_[i].add_(EffectiveGradient(i));
  }
  if ((step + 1) % accumulate_ != 0) return;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    gradients_[i] = gradient_sums_[i].div(static_cast<double>(accumulate_));
  }
  // The sums are of gradients that were clipped and have the decay in them.
  scale_ = 1.0F;
  const std::vector<float> decay = decay_;
  decay_.assign(decay.size(), 0.0F);
  Update(learning_rate, step / accumulate_);
  decay_ = decay;
  for (at::Tensor& sum : gradient_sums_) sum.zero_();
}

std::vector<at::Tensor> Optimizer::AddSlot(const std::string& slot,
                                           float value) {
  std::vector<at::Tensor> tensors;
  for (const NamedTensor& parameter : parameters_) {
    tensors.push_back(AddState(
        slot + "/" + parameter.name,
        at::full(parameter.tensor.sizes(), value, OnDevice(at::kFloat))));
  }
  return tensors;
}

at::Tensor Optimizer::AddState(const std::string& key,
                               const at::Tensor& value) {
  state_[key] = value;
  return value;
}

void Optimizer::LoadState(const std::map<std::string, at::Tensor>& state) {
  for (const auto& [key, tensor] : state_) {
    const auto found = state.find(key);
    if (found == state.end()) {
      throw MismatchError(
          "the checkpoint has no optimizer state '" + key + "'",
          "the optimizer it was trained with",
          "use the same --hparams=optimizer=..., or another --output_dir");
    }
    if (found->second.sizes() != tensor.sizes()) {
      throw MismatchError("optimizer state '" + key + "' has the shape " +
                              ShapeText(found->second.sizes()) +
                              " in the checkpoint",
                          ShapeText(tensor.sizes()));
    }
  }
  for (auto& [key, tensor] : state_) tensor.copy_(state.at(key));
}

int64_t Optimizer::StateBytes() const {
  int64_t bytes = 0;
  for (const auto& [key, tensor] : state_) {
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  return bytes;
}

}  // namespace t2t
