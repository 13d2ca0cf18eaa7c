#ifndef T2T_MODEL_MODEL_H_
#define T2T_MODEL_MODEL_H_

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <memory>
#include <source_location>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/input/batch.h"
#include "t2t/modality/loss_parts.h"
#include "t2t/modality/modality.h"
#include "t2t/nn/context.h"
#include "t2t/nn/default_initializer.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"
#include "t2t/problem/registries.h"

namespace t2t {

// Tensors by feature name, shaped as in t2t/input/batch.h.
using Features = std::map<std::string, at::Tensor>;

// On the device that computes; integers are int64 there. Takes the batch's
// buffers over where it can.
Features ToFeatures(Batch batch);

// features' `name`; a DataError where it isn't there.
const at::Tensor& RequiredFeature(const Features& features,
                                  const std::string& name);

// What a model keeps between decoding steps: cached keys and values, lengths.
class DecodeState {
 public:
  virtual ~DecodeState() = default;
  // Keeps rows[i] of the old rows as new row i (beam reordering, finished
  // rows dropped). rows: int64 [new_rows].
  virtual void Select(const at::Tensor& rows) = 0;
};

// A model: parameters made by the constructor, pure functions of them after.
//
// A family's one duty is Body(): out of the features, the vectors that the
// targets' modality turns into logits. The base class makes the two ends of the
// model, its loss and its logits in the precision that is wanted, and decodes
// by running the body over what was decoded so far. A family that can decode
// faster overrides StartDecoding and DecodeStep (Seq2SeqModel does).
class Model {
 public:
  // params: how its parameters are made and stored.
  Model(HParams hparams, ProblemInfo info, const ParamOptions& params);
  virtual ~Model() = default;

  // Teacher-forced logits, fp32: [batch, length, vocab] for symbols, [batch,
  // 1, classes] for class labels. No label smoothing is in them.
  virtual at::Tensor Logits(const Features& features, Mode mode);
  // The same in a context of the caller's, which keeps what layers leave there
  // (attention weights, losses).
  at::Tensor Logits(const Features& features, nn::Context& context);
  // The loss with what the modality and hparams say (label smoothing in
  // training only, weights 0 on padding), without keeping a [batch, length,
  // vocab] probability tensor; and the losses of the layers themselves.
  virtual LossParts Loss(const Features& features, Mode mode);
  LossParts Loss(const Features& features, nn::Context& context);
  // Which training step the next Loss() is for: some models' changes with it.
  void set_step(int64_t step) { step_ = step; }

  // Decoding: encodes the inputs (or nothing, for a language model); the
  // state has one row per row of the batch.
  virtual std::unique_ptr<DecodeState> StartDecoding(const Features& features);
  // Feeds the last ids [rows] (first step: pass an undefined tensor, the
  // model puts T2T's zero start embedding) and returns the next symbol's
  // logits, fp32 [rows, vocab].
  virtual at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids);

  const HParams& hparams() const { return hparams_; }
  const ProblemInfo& info() const { return info_; }
  ParamStore& params() { return params_; }
  const ParamStore& params() const { return params_; }

 protected:
  // The body's output for the targets, [batch, ..., body size]. (A model of a
  // test may override the functions above instead.)
  virtual at::Tensor Body(const Features& features, nn::Context& context);
  // The loss of the targets' modality alone.
  virtual LossParts TargetLoss(const Features& features, nn::Context& context);

  // Makes the model's two ends under `root`, the model's scope; to be called by
  // a family's constructor. body_size: of Body()'s output, 0 for hidden_size.
  void MakeEnds(const Scope& root, int64_t body_size = 0);
  // The same where Top() is the family's own.
  void MakeEndsButTop(const Scope& root);
  // [batch, .., body size] -> fp32 logits. A family that has an output layer of
  // its own in place of the targets' modality's overrides it.
  virtual at::Tensor Top(const at::Tensor& body_output) const;
  // What matrix products run in; fp32 where it is not called.
  void set_precision(at::ScalarType type) { precision_ = type; }
  at::ScalarType PrecisionOf(const nn::Context& context) const {
    return context.precision.value_or(precision_);
  }
  // Embedded features, as their modality says.
  at::Tensor EmbedInputs(const Features& features,
                         const nn::Context& context) const;
  at::Tensor EmbedTargets(const at::Tensor& targets,
                          const nn::Context& context) const;
  const Modality& target_modality() const { return *modalities_.targets; }
  // The loss of the targets' modality of what Body() gives.
  LossParts LossOfBody(const at::Tensor& body, const at::Tensor& targets,
                       Mode mode) const;
  // Body() in the pass' precision.
  at::Tensor RunBody(const Features& features, nn::Context& context);

  HParams hparams_;
  ProblemInfo info_;
  ParamStore params_;
  int64_t step_ = 0;

 private:
  Modalities modalities_;
  bool has_own_top_ = false;
  at::ScalarType precision_ = at::kFloat;
};

// As modalities have it.
Mode ModeOf(const nn::Context& context);
// Images and other grids [batch, .., depth] as one sequence, [batch, length,
// depth].
at::Tensor AsSequence(const at::Tensor& x);

// x [batch, length, ..] cut to, or filled up with zeros to, a length. Such are
// the outputs of models that make as many as they have inputs, or some round
// number of them: T2T compares logits and targets of different lengths by
// filling up the shorter.
at::Tensor ToLength(const at::Tensor& x, int64_t length);

// AddModel<Transformer>(models, "transformer")
template <typename Class>
void AddModel(ModelRegistry& models, const std::string& name,
              std::source_location place = std::source_location::current()) {
  const auto make = [](const HParams& hparams, const ProblemInfo& info,
                       const ParamOptions& params) -> std::unique_ptr<Model> {
    return std::make_unique<Class>(hparams, info, params);
  };
  models.Add(name, make, "", place);
}

}  // namespace t2t

#endif  // T2T_MODEL_MODEL_H_
