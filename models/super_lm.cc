// A language model that is there several times, side by side, with weights of
// its own each, which add up a part of their channels after each layer. T2T has
// it without a paper, for devices that each have a shard; here all shards are
// computed by the process that has the model.
// Shapes: B batch, L length, D hidden_size of a shard, V vocabulary.

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/parallel_shards.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr char kName[] = "super_lm";

class SuperLm : public Model {
 public:
  SuperLm(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        options_(ShardOptions::FromHParams(hparams_)),
        with_timing_(StringOr(hparams_, "pos", "timing") == "timing"),
        symbol_dropout_(DoubleOr(hparams_, "symbol_dropout", 0.0)) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    if (BoolOr(hparams_, "diet_experts", false)) {
      throw UsageError("diet_experts=True with the model " + root.prefix(),
                       "experts whose weights are stored as they are",
                       "set --hparams=diet_experts=False");
    }
    const int64_t vocabulary = info_.features.at("targets").vocab_size;
    const Scope body = root.Sub("body");
    for (size_t i = 0; i < static_cast<size_t>(options_.shards); ++i) {
      tables_VD_.push_back(
          ShardScope(body, i)
              .Sub("embedding")
              .Param("kernel", {vocabulary, options_.hidden_size}));
    }
    stack_.emplace(body, hparams_.GetString("layers"), options_);
    for (size_t i = 0; i < static_cast<size_t>(options_.shards); ++i) {
      const Scope own = ShardScope(body, i).Sub("logits");
      kernels_DV_.push_back(
          own.Param("kernel", {options_.hidden_size, vocabulary}));
      biases_V_.push_back(own.Param("bias", {vocabulary}, ZerosInit()));
    }
  }

 protected:
  // [B, L, D of all shards, and 1 for the bias].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor ids_BL =
        RequiredFeature(features, "targets").to(at::kLong);
    at::Tensor shifted_BL = ShiftIdsRight(ids_BL);
    if (context.training && symbol_dropout_ > 0.0) {
      shifted_BL = shifted_BL * Dropout(at::ones_like(shifted_BL, at::kFloat),
                                        symbol_dropout_, context.rng)
                                    .ne(0);
    }
    ShardMasks masks;
    masks.self_bias = CausalShardBias(ids_BL, features);
    Shards x =
        (*stack_)(EmbedInShards(tables_VD_, shifted_BL, features, "targets",
                                with_timing_, options_, context),
                  masks, context);
    x.push_back(at::ones_like(x.front().narrow(2, 0, 1)));
    return at::cat(x, 2);
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return at::matmul(body_output, Softmax().t());
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    return SymbolLoss(
        RunBody(features, context).to(at::kFloat), Softmax(),
        RequiredFeature(features, "targets"),
        context.training ? hparams_.GetDouble("label_smoothing") : 0.0);
  }

 private:
  // [V, D of all shards, and 1]: logits are the shards' sum, scaled as the sum
  // of so many independent numbers is.
  at::Tensor Softmax() const {
    std::vector<at::Tensor> rows = kernels_DV_;
    rows.push_back(SumOf(biases_V_).unsqueeze(0));
    return (at::cat(rows, 0) *
            std::pow(static_cast<double>(options_.shards), -0.5))
        .t()
        .contiguous();
  }

  const ShardOptions options_;
  const bool with_timing_;
  const double symbol_dropout_;
  std::vector<at::Tensor> tables_VD_, kernels_DV_, biases_V_;
  std::optional<ShardedStack> stack_;
};

}  // namespace

void RegisterSuperLm(ModelRegistry& models) {
  AddModel<SuperLm>(models, kName);
}

}  // namespace t2t
