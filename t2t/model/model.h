#ifndef T2T_MODEL_MODEL_H_
#define T2T_MODEL_MODEL_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <memory>
#include <source_location>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/input/batch.h"
#include "t2t/modality/loss_parts.h"
#include "t2t/nn/default_initializer.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"
#include "t2t/problem/registries.h"

namespace t2t {

// Tensors by feature name, shaped as in t2t/input/batch.h.
using Features = std::map<std::string, at::Tensor>;

Features ToFeatures(const Batch& batch);

// What a model keeps between decoding steps: cached keys and values, lengths.
class DecodeState {
 public:
  virtual ~DecodeState() = default;
  // Keeps rows[i] of the old rows as new row i (beam reordering, finished
  // rows dropped). rows: int64 [new_rows].
  virtual void Select(const at::Tensor& rows) = 0;
};

// A model: parameters made by the constructor, pure functions of them after.
// Dropout draws from ATen's default generator, which the trainer seeds from
// (seed, step) before every step.
class Model {
 public:
  Model(HParams hparams, ProblemInfo info, uint64_t seed)
      : hparams_(std::move(hparams)), info_(std::move(info)), params_(seed) {}
  virtual ~Model() = default;

  // Teacher-forced logits, fp32: [batch, length, vocab] for symbols, [batch,
  // 1, classes] for class labels. No label smoothing is in them.
  virtual at::Tensor Logits(const Features& features, Mode mode) = 0;
  // The loss with what the modality and hparams say (label smoothing in
  // training only, weights 0 on padding), without keeping a [batch, length,
  // vocab] probability tensor.
  virtual LossParts Loss(const Features& features, Mode mode) = 0;
  // Which training step the next Loss() is for: some models' changes with it.
  void set_step(int64_t step) { step_ = step; }

  // Decoding: encodes the inputs (or nothing, for a language model); the
  // state has one row per row of the batch.
  virtual std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) = 0;
  // Feeds the last ids [rows] (first step: pass an undefined tensor, the
  // model puts T2T's zero start embedding) and returns the next symbol's
  // logits, fp32 [rows, vocab].
  virtual at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) = 0;

  const HParams& hparams() const { return hparams_; }
  const ProblemInfo& info() const { return info_; }
  ParamStore& params() { return params_; }
  const ParamStore& params() const { return params_; }

 protected:
  HParams hparams_;
  ProblemInfo info_;
  ParamStore params_;
  int64_t step_ = 0;
};

// AddModel<Transformer>(models, "transformer")
template <typename Class>
void AddModel(ModelRegistry& models, const std::string& name,
              std::source_location place = std::source_location::current()) {
  const auto make = [](const HParams& hparams, const ProblemInfo& info,
                       uint64_t seed) -> std::unique_ptr<Model> {
    return std::make_unique<Class>(hparams, info, seed);
  };
  models.Add(name, make, "", place);
}

}  // namespace t2t

#endif  // T2T_MODEL_MODEL_H_
