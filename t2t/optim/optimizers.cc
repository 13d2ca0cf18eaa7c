// T2T's optimizers by name.

#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/device.h"
#include "t2t/optim/adafactor.h"
#include "t2t/optim/optimizer.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/optim/yellow_fin.h"

namespace t2t {
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
        weight_decay_(hparams.Has("weight_decay")
                          ? hparams.GetDouble("weight_decay")
                          : 0),
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

}  // namespace t2t
