#ifndef T2T_MODALITY_MODALITY_BASE_H_
#define T2T_MODALITY_MODALITY_BASE_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/modality/modality.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"

namespace t2t {

// For modalities: what they are made from, what most share, and T2T's own,
// which a plug-in's may make with another specification:
//
//   registries.modalities.Add("symbol_unsmoothed",
//                             [](const Scope& scope, const ModalitySpec& all) {
//     ModalitySpec spec = all;
//     spec.label_smoothing = 0;
//     return MakeSymbol(scope, spec);
//   });
//
// scope: that of its variables, "<model>/symbol_unsmoothed_8000_512".

// What a modality is made from, read once.
struct ModalitySpec {
  std::string name;        // T2T's ModalityType
  std::string scope_name;  // "symbol_modality_8000_512"
  Side side = Side::kTargets;
  int64_t vocab_size = 0;  // with vocab_divisor
  int64_t hidden_size = 0;
  int64_t body_size = 0;
  int64_t num_channels = 1;  // of an image
  bool has_top = true;       // false: the model makes logits by itself
  // hparams
  double label_smoothing = 0.0;
  double symbol_dropout = 0.0;
  bool scale_embedding = false;  // multiply_embedding_mode is sqrt_depth
  bool share_softmax = false;    // shared_embedding_and_softmax_weights
  bool share_embedding = false;  // that, or shared_embedding
  std::string prepend_mode;
  std::string layer_preprocess_sequence = "none";
  std::string norm_type = "layer";
  double norm_epsilon = 1e-6;
  double loss_multiplier = 1.0;
};

// Has what most modalities share: T2T's weights and loss over logits.
class ModalityBase : public Modality {
 public:
  explicit ModalityBase(ModalitySpec spec) : spec_(std::move(spec)) {}

  LossParts Loss(const at::Tensor& body_output, const at::Tensor& targets,
                 const at::Tensor& weights, Mode mode) const override {
    return LossOfLogits(Top(body_output), targets, weights, mode);
  }
  LossParts LossOfLogits(const at::Tensor& logits, const at::Tensor& targets,
                         const at::Tensor& weights, Mode mode) const override;
  int64_t vocab_size() const override { return spec_.vocab_size; }

 protected:
  const ModalitySpec& spec() const { return spec_; }
  // T2T's weights_fn of the targets, times `weights` where defined: fp32,
  // shaped as the targets.
  virtual at::Tensor TargetWeights(const at::Tensor& targets,
                                   const at::Tensor& weights, Mode mode) const;
  double SmoothingIn(Mode mode) const {
    return mode == Mode::kTrain ? spec_.label_smoothing : 0.0;
  }
  // With the problem's loss_multiplier.
  LossParts Parts(const at::Tensor& numerator,
                  const at::Tensor& denominator) const;

 private:
  ModalitySpec spec_;
};

// [batch, length] weights spread over the further dimensions of `like`.
at::Tensor SpreadWeights(const at::Tensor& weights, const at::Tensor& like);

std::unique_ptr<Modality> MakeSymbol(const Scope& scope, ModalitySpec spec);
std::unique_ptr<Modality> MakeCtcSymbol(const Scope& scope, ModalitySpec spec);
std::unique_ptr<Modality> MakeSymbolOneHot(const Scope& scope,
                                           ModalitySpec spec);
std::unique_ptr<Modality> MakeClassLabel(const Scope& scope, ModalitySpec spec);
std::unique_ptr<Modality> MakeImage(const Scope& scope, ModalitySpec spec);
std::unique_ptr<Modality> MakeImageChannelIdentity(const Scope& scope,
                                                   ModalitySpec spec);
std::unique_ptr<Modality> MakeImageChannelCompress(const Scope& scope,
                                                   ModalitySpec spec);
std::unique_ptr<Modality> MakeImageChannelEmbeddings(const Scope& scope,
                                                     ModalitySpec spec);
std::unique_ptr<Modality> MakeIdentity(const Scope& scope, ModalitySpec spec);
std::unique_ptr<Modality> MakeReal(const Scope& scope, ModalitySpec spec);

}  // namespace t2t

#endif  // T2T_MODALITY_MODALITY_BASE_H_
