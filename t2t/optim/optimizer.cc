#include "t2t/optim/optimizer.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/device.h"
#include "t2t/optim/adafactor.h"
#include "t2t/optim/flush_tiny.h"
#include "t2t/optim/optimizer_names.h"

namespace t2t {
namespace {

double NumberOr(const HParams& hparams, const std::string& name,
                double otherwise) {
  return hparams.Has(name) ? hparams.GetDouble(name) : otherwise;
}

// In parallel on the CPU; a device has one thread that gives it its work.
template <typename F>
void ForEach(int64_t size, int64_t grain, const F& body) {
  if (ComputeDevice().is_cpu()) {
    at::parallel_for(0, size, grain, body);
  } else if (size > 0) {
    body(0, size);
  }
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
                          const std::optional<SplitParameters::Part>& part) {
  if (part) {
    return TruncatedNoise(part->shape, deviation)
        .narrow(part->dim, part->begin, shape[part->dim]);
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
                    const SplitParameters* split) {
  const double scale = NumberOr(hparams, "weight_noise", 0);
  if (scale == 0) return;
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const NamedTensor& parameter = parameters[i];
    if (parameter.name.find("/body/") == std::string::npos) continue;
    add(i,
        TruncatedNoise(
            parameter.tensor.sizes(), scale * learning_rate * 0.001,
            split == nullptr ? std::nullopt : split->PartOf(parameter.name)));
  }
}

void AddWeightNoise(const HParams& hparams,
                    const std::vector<NamedTensor>& parameters,
                    double learning_rate, const SplitParameters* split) {
  ForWeightNoise(
      hparams, parameters, learning_rate,
      [&](size_t i, const at::Tensor& noise) {
        parameters[i].tensor.detach().add_(noise);
      },
      split);
}

Optimizer::Optimizer(const HParams& hparams,
                     std::vector<NamedTensor> parameters)
    : hparams_(hparams),
      parameters_(std::move(parameters)),
      parts_(parameters_.size()),
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

void Optimizer::SetSplit(const SplitParameters* split) {
  split_ = split;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parts_[i] = split->PartOf(parameters_[i].name);
  }
  OnSplit();
}

int64_t Optimizer::WholeSize(size_t parameter) const {
  return parts_[parameter] ? c10::multiply_integers(parts_[parameter]->shape)
                           : parameters_[parameter].tensor.numel();
}

void Optimizer::SumOfSplit(std::vector<double>* numbers) const {
  if (split_ == nullptr) return;
  const at::Tensor sums =
      at::zeros(static_cast<int64_t>(numbers->size()), at::kDouble);
  double* const data = sums.mutable_data_ptr<double>();
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (parts_[i]) data[i] = (*numbers)[i];
  }
  split_->Sum(sums);
  for (size_t i = 0; i < numbers->size(); ++i) {
    if (parts_[i]) (*numbers)[i] = data[i];
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
          TruncatedNoise(gradient.sizes(), gradient_noise_, parts_[i]));
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

namespace {

class Adam : public Optimizer {
 public:
  // What is decayed without the gradient: nothing; TF contrib's AdamW, which
  // takes off weight_decay itself; PyTorch's, which takes off
  // learning rate * weight_decay and divides epsilon by no correction.
  enum class Kind { kAdam, kTfAdamW, kAdamW };

  Adam(const HParams& hparams, std::vector<NamedTensor> parameters, Kind kind)
      : Optimizer(hparams, std::move(parameters)),
        kind_(kind),
        beta1_(hparams.GetDouble("optimizer_adam_beta1")),
        beta2_(hparams.GetDouble("optimizer_adam_beta2")),
        epsilon_(hparams.GetDouble("optimizer_adam_epsilon")),
        weight_decay_(NumberOr(hparams, "weight_decay", 0)),
        m_(AddSlot("adam_m", 0)),
        v_(AddSlot("adam_v", 0)) {
    if (kind == Kind::kAdamW) DropWeightDecay();
  }

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    const double t = static_cast<double>(step) + 1.0;
    const double left1 = 1.0 - std::pow(beta1_, t);
    const double left2 = 1.0 - std::pow(beta2_, t);
    AdamTerms terms{
        static_cast<float>(beta1_),
        static_cast<float>(beta2_),
        static_cast<float>(learning_rate * std::sqrt(left2) / left1),
        static_cast<float>(epsilon_),
        1.0F,
        1.0F};
    double decay = 0;
    if (kind_ == Kind::kTfAdamW) decay = weight_decay_;
    if (kind_ == Kind::kAdamW) {
      decay = learning_rate * weight_decay_;
      terms.rate = static_cast<float>(learning_rate / left1);
      terms.v_scale = static_cast<float>(1.0 / std::sqrt(left2));
    }
    ForPieces([&](const Piece& piece) {
      AdamTerms own = terms;
      // TF's takes biases too.
      if (kind_ == Kind::kTfAdamW || Decays(parameters()[piece.parameter])) {
        own.keep = static_cast<float>(1.0 - decay);
      }
      AdamKernel(At(piece), At(m_, piece), At(v_, piece), GradientAt(piece),
                 own, piece.size);
    });
  }

  const Kind kind_;
  const double beta1_;
  const double beta2_;
  const double epsilon_;
  const double weight_decay_;
  const std::vector<at::Tensor> m_;
  const std::vector<at::Tensor> v_;
};

class Sgd : public Optimizer {
 public:
  using Optimizer::Optimizer;

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    const float rate = static_cast<float>(learning_rate);
    ForPieces([&](const Piece& piece) {
      SgdKernel(At(piece), GradientAt(piece), rate, piece.size);
    });
  }
};

class Momentum : public Optimizer {
 public:
  Momentum(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        momentum_(hparams.GetDouble("optimizer_momentum_momentum")),
        nesterov_(hparams.GetBool("optimizer_momentum_nesterov")),
        accumulator_(AddSlot("momentum", 0)) {}

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    ForPieces([&](const Piece& piece) {
      MomentumKernel(At(piece), At(accumulator_, piece), GradientAt(piece),
                     static_cast<float>(learning_rate),
                     static_cast<float>(momentum_), nesterov_, piece.size);
    });
  }

  const double momentum_;
  const bool nesterov_;
  const std::vector<at::Tensor> accumulator_;
};

// The next four with TensorFlow's default values, as T2T takes them.
class Adagrad : public Optimizer {
 public:
  Adagrad(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        accumulator_(AddSlot("adagrad", 0.1F)) {}

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    ForPieces([&](const Piece& piece) {
      AdagradKernel(At(piece), At(accumulator_, piece), GradientAt(piece),
                    static_cast<float>(learning_rate), piece.size);
    });
  }

  const std::vector<at::Tensor> accumulator_;
};

class RmsProp : public Optimizer {
 public:
  RmsProp(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        mean_square_(AddSlot("rms", 1)),
        momentum_(AddSlot("momentum", 0)) {}

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    ForPieces([&](const Piece& piece) {
      RmsPropKernel(At(piece), At(mean_square_, piece), At(momentum_, piece),
                    GradientAt(piece), static_cast<float>(learning_rate), 0.9F,
                    0.0F, 1e-10F, piece.size);
    });
  }

  const std::vector<at::Tensor> mean_square_;
  const std::vector<at::Tensor> momentum_;
};

class Adadelta : public Optimizer {
 public:
  Adadelta(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        accumulator_(AddSlot("accum", 0)),
        updates_(AddSlot("accum_update", 0)) {}

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    ForPieces([&](const Piece& piece) {
      AdadeltaKernel(At(piece), At(accumulator_, piece), At(updates_, piece),
                     GradientAt(piece), static_cast<float>(learning_rate),
                     0.95F, 1e-8F, piece.size);
    });
  }

  const std::vector<at::Tensor> accumulator_;
  const std::vector<at::Tensor> updates_;
};

class Ftrl : public Optimizer {
 public:
  Ftrl(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        accumulator_(AddSlot("accum", 0.1F)),
        linear_(AddSlot("linear", 0)) {}

  Sharing sharing() const override { return Sharing::kPieces; }

 private:
  void Update(double learning_rate, int64_t step) override {
    if (learning_rate == 0) return;  // it divides by the rate
    ForPieces([&](const Piece& piece) {
      FtrlKernel(At(piece), At(accumulator_, piece), At(linear_, piece),
                 GradientAt(piece), static_cast<float>(learning_rate),
                 piece.size);
    });
  }

  const std::vector<at::Tensor> accumulator_;
  const std::vector<at::Tensor> linear_;
};

// Momentum whose rate and momentum follow from the gradients' statistics
// (arxiv.org/abs/1706.03471). The learning rate given counts at the first
// step alone, as in T2T.
class YellowFin : public Optimizer {
 public:
  YellowFin(const HParams& hparams, std::vector<NamedTensor> parameters)
      : Optimizer(hparams, std::move(parameters)),
        momentum_(AddSlot("momentum", 0)),
        mean_(AddSlot("yellow_fin_mean", 0)),
        window_(
            AddState("yellow_fin/window", at::zeros({kWindow}, at::kDouble))),
        norms_(AddState(
            "yellow_fin/norms",
            at::zeros({static_cast<int64_t>(this->parameters().size())},
                      at::kDouble))),
        scalars_(AddState("yellow_fin/scalars",
                          at::zeros({kScalars}, at::kDouble))) {
    scalars_[kMu] = hparams.GetDouble("optimizer_momentum_momentum");
  }

 private:
  static constexpr double kBeta = 0.999;
  static constexpr int64_t kWindow = 20;
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
  static double Average(double* average, double value, double updates) {
    *average -= (*average - value) * (1.0 - kBeta);
    return *average / (1.0 - std::pow(kBeta, updates));
  }

  void Update(double learning_rate, int64_t step) override {
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

  void Tune(double* scalars, int64_t own_step) {
    const double updates = static_cast<double>(own_step) + 1.0;
    std::vector<double> nonzeros(parameters().size(), 0.0);
    std::vector<double> squares(parameters().size(), 0.0);
    std::vector<double> means(parameters().size(), 0.0);
    for (size_t i = 0; i < parameters().size(); ++i) {
      if (!HasGradient(i)) continue;
      const at::Tensor gradient = EffectiveGradient(i);
      nonzeros[i] =
          static_cast<double>(gradient.count_nonzero().item<int64_t>());
      squares[i] = gradient.square().sum(at::kDouble).item<double>();
      at::Tensor mean = mean_[i];
      mean.add_(gradient.sub(mean), 1.0 - kBeta);
      means[i] = mean.square().sum(at::kDouble).item<double>();
    }
    for (std::vector<double>* const sums : {&nonzeros, &squares, &means}) {
      SumOfSplit(sums);
    }
    double nonzero = 0;
    double entries = 0;
    double norm2 = 0;
    double norm2_average = 0;
    double mean2 = 0;
    double* const norms = norms_.mutable_data_ptr<double>();
    const double correction = 1.0 - std::pow(kBeta, updates);
    for (size_t i = 0; i < parameters().size(); ++i) {
      if (!HasGradient(i)) continue;
      nonzero += nonzeros[i];
      entries += static_cast<double>(WholeSize(i));
      norm2 += squares[i];
      norm2_average += Average(&norms[i], squares[i], updates);
      mean2 += means[i] / (correction * correction);
    }
    const double sparsity =
        Average(&scalars[kSparsity], nonzero / entries, updates);
    double* const window = window_.mutable_data_ptr<double>();
    window[own_step % kWindow] = std::log(norm2);
    const int64_t valid = std::min(kWindow, own_step + 1);
    const double h_min =
        std::exp(Average(&scalars[kMinCurvature],
                         *std::min_element(window, window + valid), updates)) *
        sparsity;
    const double h_max =
        std::exp(Average(&scalars[kMaxCurvature],
                         *std::max_element(window, window + valid), updates)) *
        sparsity;
    const double variance = std::max(1e-6, norm2_average - mean2) * sparsity;
    const double norm = Average(&scalars[kNorm], std::sqrt(norm2), updates);
    const double distance =
        Average(&scalars[kDistance], norm / norm2_average, updates) /
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

  const std::vector<at::Tensor> momentum_;
  const std::vector<at::Tensor> mean_;
  at::Tensor window_;
  at::Tensor norms_;
  at::Tensor scalars_;
};

template <typename T, typename... Args>
std::function<OptimizerFactory> Factory(Args... args) {
  return
      [args...](const HParams& hparams, std::vector<NamedTensor> parameters) {
        return std::unique_ptr<Optimizer>(
            std::make_unique<T>(hparams, std::move(parameters), args...));
      };
}

}  // namespace

void RegisterOptimizers(OptimizerRegistry& optimizers) {
  optimizers.Add("adam", Factory<Adam>(Adam::Kind::kAdam));
  optimizers.Add("true_adam", Factory<Adam>(Adam::Kind::kAdam));
  // Every optimizer adds up gradients where it is asked to.
  optimizers.Add("multistep_adam", Factory<Adam>(Adam::Kind::kAdam));
  optimizers.Add("adam_w", Factory<Adam>(Adam::Kind::kTfAdamW));
  optimizers.Add("adamw", Factory<Adam>(Adam::Kind::kAdamW));
  optimizers.Add("momentum", Factory<Momentum>());
  optimizers.Add("sgd", Factory<Sgd>());
  optimizers.Add("adafactor", Factory<Adafactor>());
  optimizers.Add("yellow_fin", Factory<YellowFin>());
  optimizers.Add("adagrad", Factory<Adagrad>());
  optimizers.Add("rms_prop", Factory<RmsProp>());
  optimizers.Add("adadelta", Factory<Adadelta>());
  optimizers.Add("ftrl", Factory<Ftrl>());
}

std::unique_ptr<Optimizer> MakeOptimizer(const HParams& hparams,
                                         std::vector<NamedTensor> parameters) {
  const std::string name = RegisteredOptimizer(hparams.GetString("optimizer"));
  const auto& make = Optimizers().Get(name);
  static const std::set<std::string> kOfDevices = {
      "adam",     "true_adam", "multistep_adam", "adam_w", "adamw",
      "momentum", "sgd"};
  if (!ComputeDevice().is_cpu() && kOfDevices.count(name) == 0) {
    throw UsageError(
        "optimizer=" + name + " has no GPU code",
        "one of " + Join({kOfDevices.begin(), kOfDevices.end()}, ", "),
        "set --hparams=optimizer=adam, or --device=cpu");
  }
  return make(hparams, std::move(parameters));
}

MovingAverage::MovingAverage(double decay, std::vector<NamedTensor> parameters)
    : decay_(decay), parameters_(std::move(parameters)) {
  for (const NamedTensor& parameter : parameters_) {
    averages_.push_back(parameter.tensor.detach().clone());
  }
}

void MovingAverage::Update(int64_t step) {
  const double t = static_cast<double>(step);
  const float decay =
      static_cast<float>(std::min(decay_, (1.0 + t) / (10.0 + t)));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    float* const average = averages_[i].mutable_data_ptr<float>();
    const float* const value = parameters_[i].tensor.const_data_ptr<float>();
    ForEach(averages_[i].numel(), Optimizer::kPieceSize,
            [&](int64_t begin, int64_t end) {
              AverageKernel(average + begin, value + begin, decay, end - begin);
            });
  }
}

std::map<std::string, at::Tensor> MovingAverage::State() const {
  std::map<std::string, at::Tensor> state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state[parameters_[i].name] = averages_[i];
  }
  return state;
}

void MovingAverage::LoadState(const std::map<std::string, at::Tensor>& state) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const auto found = state.find(parameters_[i].name);
    if (found == state.end()) {
      averages_[i].copy_(parameters_[i].tensor.detach());
    } else {
      averages_[i].copy_(found->second);
    }
  }
}

void MovingAverage::Swap() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor parameter = parameters_[i].tensor.detach();
    const at::Tensor kept = parameter.clone();
    parameter.copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

}  // namespace t2t
