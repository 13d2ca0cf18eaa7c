#ifndef T2T_MODALITY_MODALITY_H_
#define T2T_MODALITY_MODALITY_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/modality/loss_parts.h"
#include "t2t/nn/context.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"

namespace t2t {

// The two ends of a model for one feature: its bottom turns ids or numbers
// into vectors, its top turns the body's vectors into logits, its loss
// compares. T2T's layers/modalities.py, with features shaped as in
// t2t/input/batch.h: no dimensions of one are added ([batch, length] ids have
// [batch, length, hidden] embeddings and [batch, length, vocab] logits).
class Modality {
 public:
  virtual ~Modality() = default;

  // For a feature that is an input.
  virtual at::Tensor Bottom(const at::Tensor& x,
                            const nn::Context& context) const = 0;
  // For the targets, as the body's input.
  virtual at::Tensor TargetsBottom(const at::Tensor& x,
                                   const nn::Context& context) const = 0;
  // [batch, ..., body size] -> fp32 logits [batch, ..., vocab]; those of class
  // labels take all positions into one: [batch, 1, classes].
  virtual at::Tensor Top(const at::Tensor& body_output) const = 0;
  // weights [batch, length] multiply T2T's own for this modality (0 on
  // padding, where it is so for T2T); may be undefined. Label smoothing is in
  // it in training only. The problem's loss_multiplier is in it too.
  virtual LossParts Loss(const at::Tensor& body_output,
                         const at::Tensor& targets, const at::Tensor& weights,
                         Mode mode) const = 0;
  // The same of logits that a model made without Top().
  virtual LossParts LossOfLogits(const at::Tensor& logits,
                                 const at::Tensor& targets,
                                 const at::Tensor& weights,
                                 Mode mode) const = 0;

  // The encoder's, up to a multiple of hparam vocab_divisor.
  virtual int64_t vocab_size() const = 0;
};

// Which feature a modality is for: decides the parameters it makes.
enum class Side { kInputs, kTargets };

// The modality of feature.modality. scope: the model's root ("transformer");
// parameters come under T2T's names, "<scope>/symbol_modality_8000_512/...".
// body_size: of the body's output, 0 for hidden_size. Throws a usage error
// that lists the supported ones where it isn't one of them.
std::unique_ptr<Modality> MakeModality(const Scope& scope,
                                       const FeatureInfo& feature,
                                       const HParams& hparams, Side side,
                                       int64_t body_size = 0,
                                       double loss_multiplier = 1.0);

// The names that MakeModality takes.
std::vector<std::string> SupportedModalities();

// Throws a usage error where a plug-in registered one of T2T's own names.
void CheckPluginModalities();

// A problem's two. As in T2T, shared_embedding_and_softmax_weights is dropped
// where inputs and targets have vocabularies of different sizes.
struct Modalities {
  std::unique_ptr<Modality> inputs;  // null without inputs
  std::unique_ptr<Modality> targets;
};
// has_top: the targets' has the parameters of its Top().
Modalities MakeModalities(const Scope& scope, const ProblemInfo& info,
                          const HParams& hparams, int64_t body_size = 0,
                          bool has_top = true);

}  // namespace t2t

#endif  // T2T_MODALITY_MODALITY_H_
