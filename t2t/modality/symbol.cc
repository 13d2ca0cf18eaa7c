#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/modality/modality_base.h"
#include "t2t/nn/linear.h"
#include "t2t/nn/tensor_parallel.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/dropout.h"
#include "t2t/parallel/vocab_parallel.h"

namespace t2t {
namespace {

// Ids, embedded and told apart by tables of vectors. As T2T, the embedding of
// id 0 is zero, so that padding can be told from it. Over the mesh's axis
// `model` the tables are split by ids.
class Symbol : public ModalityBase {
 public:
  Symbol(const Scope& scope, ModalitySpec given)
      : ModalityBase(given), store_(scope.store()) {
    TensorParallel* const parallel = scope.tensor_parallel();
    if (parallel != nullptr && parallel->layout().vocab) parallel_ = parallel;
    const bool target = spec().side == Side::kTargets;
    embedding_ = Table(scope.Sub(spec().share_embedding ? "shared"
                                 : target               ? "target_emb"
                                                        : "input_emb"),
                       spec().hidden_size);
    if (!target || !spec().has_top) return;
    if (spec().share_softmax && spec().body_size != spec().hidden_size) {
      throw UsageError(
          "shared_embedding_and_softmax_weights with a model whose output is " +
              std::to_string(spec().body_size) +
              " wide and hidden_size=" + std::to_string(spec().hidden_size),
          "the same width",
          "set --hparams=shared_embedding_and_softmax_weights=false");
    }
    softmax_ = Table(scope.Sub(spec().share_softmax ? "shared" : "softmax"),
                     spec().body_size);
  }

  at::Tensor Bottom(const at::Tensor& x,
                    const nn::Context& context) const override {
    return Embed(x, context);
  }
  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context& context) const override {
    return Embed(x, context);
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    if (parallel_ == nullptr) {
      return LinearRows(body_output, softmax_, store_->int8()).to(at::kFloat);
    }
    const at::Tensor kernel = softmax_.to(body_output.scalar_type()).t();
    const at::Tensor part =
        at::matmul(parallel_->CopyIn(body_output), kernel).to(at::kFloat);
    return parallel_->Gather(part, part.dim() - 1, spec().vocab_size);
  }

  LossParts Loss(const at::Tensor& body_output, const at::Tensor& targets,
                 const at::Tensor& weights, Mode mode) const override {
    const int64_t width = body_output.size(-1);
    if (body_output.numel() != targets.numel() * width) {
      throw MismatchError("there are " + std::to_string(targets.numel()) +
                              " target symbols for " +
                              std::to_string(body_output.numel() / width) +
                              " outputs",
                          "one output for each symbol");
    }
    const at::Tensor used = TargetWeights(targets, weights, mode);
    if (parallel_ != nullptr) {
      return Parts(
          VocabParallelCrossEntropy(
              *parallel_, body_output.reshape({-1, width}), softmax_, OwnIds(),
              spec().vocab_size, targets, used, SmoothingIn(mode)),
          used.sum());
    }
    return Parts(FusedCrossEntropy(body_output.reshape({-1, width}), softmax_,
                                   targets, used, SmoothingIn(mode)),
                 used.sum());
  }

 private:
  at::Tensor Table(const Scope& scope, int64_t width) const {
    const Initializer init =
        NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(width)));
    const std::vector<int64_t> shape = {spec().vocab_size, width};
    return parallel_ == nullptr
               ? scope.Param("weights", shape, init)
               : parallel_->Param(scope, "weights", {shape, 0, 1}, init);
  }

  ShardRange OwnIds() const { return parallel_->Own(spec().vocab_size); }

  at::Tensor Embed(const at::Tensor& x, const nn::Context& context) const {
    at::Tensor ids = x.to(at::kLong);
    if (context.training && spec().symbol_dropout > 0.0) {
      ids =
          ids * Dropout(at::ones(ids.sizes(), ids.options().dtype(at::kFloat)),
                        spec().symbol_dropout, context.rng)
                    .ne(0);
    }
    CheckIds(ids);
    const at::Tensor vectors =
        parallel_ == nullptr
            ? at::embedding(embedding_, ids)
            : VocabParallelEmbedding(*parallel_, embedding_, OwnIds(), ids);
    at::Tensor scale = ids.ne(0).to(vectors.scalar_type()).unsqueeze(-1);
    if (spec().scale_embedding) {
      scale = scale * std::sqrt(static_cast<double>(spec().hidden_size));
    }
    return vectors * scale;
  }

  void CheckIds(const at::Tensor& ids) const {
    if (ids.numel() == 0 || !ids.device().is_cpu()) return;
    const int64_t least = ids.min().item<int64_t>();
    const int64_t most = ids.max().item<int64_t>();
    if (least >= 0 && most < spec().vocab_size) return;
    throw MismatchError(
        "there is a symbol of id " + std::to_string(least < 0 ? least : most),
        "from 0 to " + std::to_string(spec().vocab_size - 1) +
            ", by the vocabulary's size",
        "check that data and vocabulary are of the same --problem and "
        "--data_dir");
  }

  const ParamStore* store_;
  TensorParallel* parallel_ = nullptr;  // null: the tables are whole
  at::Tensor embedding_;
  at::Tensor softmax_;
};

// Symbols with T2T's loss of connectionist temporal classification (Graves et
// al. 2006). T2T says that a row has as many frames as labels and merges no
// repeated ones, so that of all alignments one is left: a label a frame, from
// the first on. What the other frames are costs nothing, and the blank is never
// learnt.
class CtcSymbol : public Symbol {
 public:
  using Symbol::Symbol;

  LossParts Loss(const at::Tensor& body_output, const at::Tensor& targets,
                 const at::Tensor& weights, Mode mode) const override {
    return LossOfLogits(Top(body_output), targets, weights, mode);
  }

  // logits [batch, frames, vocab]; targets [batch, labels], 0 behind them.
  LossParts LossOfLogits(const at::Tensor& logits, const at::Tensor& targets,
                         const at::Tensor& weights, Mode mode) const override {
    const at::Tensor ids_BL = targets.reshape({targets.size(0), -1});
    const at::Tensor counts_B1 = ids_BL.ne(0).sum(1, /*keepdim=*/true);
    const at::Tensor logits_BFV =
        logits.reshape({logits.size(0), -1, logits.size(-1)});
    const int64_t most = counts_B1.max().item<int64_t>();
    if (logits_BFV.size(1) < most) {
      throw MismatchError("an example has " + std::to_string(most) +
                              " labels for " +
                              std::to_string(logits_BFV.size(1)) + " frames",
                          "no more labels than frames");
    }
    const at::Tensor labels_BL = ids_BL.narrow(1, 0, most);
    const at::Tensor losses_BL = SmoothedCrossEntropy(
        logits_BFV.narrow(1, 0, most), labels_BL, /*smoothing=*/0.0);
    const at::Tensor is_label_BL =
        at::arange(most, counts_B1.options()).lt(counts_B1);
    return Parts((losses_BL * is_label_BL).sum(),
                 TargetWeights(targets, weights, mode).sum());
  }
};

// One-hot vectors at the bottom; the body's output are the logits.
class SymbolOneHot : public ModalityBase {
 public:
  explicit SymbolOneHot(ModalitySpec spec) : ModalityBase(std::move(spec)) {}

  at::Tensor Bottom(const at::Tensor& x, const nn::Context&) const override {
    return at::one_hot(x.to(at::kLong), spec().vocab_size).to(at::kFloat);
  }
  at::Tensor TargetsBottom(const at::Tensor& x,
                           const nn::Context& context) const override {
    return Bottom(x, context);
  }
  at::Tensor Top(const at::Tensor& body_output) const override {
    return body_output.to(at::kFloat);
  }
  // The mean over everything, padding too, as T2T has it.
  LossParts LossOfLogits(const at::Tensor& logits, const at::Tensor& targets,
                         const at::Tensor&, Mode) const override {
    return Parts(SmoothedCrossEntropy(logits, targets, 0.0).mean(),
                 at::ones({}, logits.options().dtype(at::kFloat)));
  }
};

}  // namespace

std::unique_ptr<Modality> MakeSymbol(const Scope& scope, ModalitySpec spec) {
  return std::make_unique<Symbol>(scope, std::move(spec));
}

std::unique_ptr<Modality> MakeCtcSymbol(const Scope& scope, ModalitySpec spec) {
  return std::make_unique<CtcSymbol>(scope, std::move(spec));
}

std::unique_ptr<Modality> MakeSymbolOneHot(const Scope&, ModalitySpec spec) {
  return std::make_unique<SymbolOneHot>(std::move(spec));
}

}  // namespace t2t
