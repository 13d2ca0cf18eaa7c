// A Transformer that is there several times, side by side, with weights of its
// own each, which add up half of their channels after each layer ("symmetric
// shards"). T2T has it without a paper. Here all shards are computed by the
// process that has the model; a batch is what is divided between processes.
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
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/attention_bias.h"

namespace t2t {
namespace {

constexpr char kName[] = "transformer_symshard";

class TransformerSymshard : public Model {
 public:
  TransformerSymshard(HParams hparams, ProblemInfo info,
                      const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        options_(ShardOptions::FromHParams(hparams_)) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    const int64_t vocabulary = info_.features.at("targets").vocab_size;
    if (info_.has_inputs() &&
        info_.features.at("inputs").vocab_size != vocabulary) {
      throw UsageError(
          "inputs and targets with vocabularies of " +
              std::to_string(info_.features.at("inputs").vocab_size) + " and " +
              std::to_string(vocabulary) + " symbols",
          std::string("one vocabulary, for the model ") + kName,
          "take another --problem or --model=transformer");
    }
    const Scope body = root.Sub("body");
    for (size_t i = 0; i < static_cast<size_t>(options_.shards); ++i) {
      tables_VD_.push_back(ShardScope(body, i).Param(
          "embedding", {vocabulary, options_.hidden_size},
          NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(
                                    options_.hidden_size)))));
    }
    if (info_.has_inputs()) {
      encoder_.emplace(body.Sub("encoder"),
                       hparams_.GetString("encoder_layers"), options_);
    }
    decoder_.emplace(body.Sub("decoder"), DecoderLayers(), options_);
  }

 protected:
  // [B, L, D of all shards].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor ids_BL =
        RequiredFeature(features, "targets").to(at::kLong);
    ShardMasks masks;
    if (encoder_) Encode(features, &masks, context);
    masks.self_bias = CausalShardBias(ids_BL, features);
    return at::cat(
        (*decoder_)(
            EmbedInShards(tables_VD_, ShiftIdsRight(ids_BL), features,
                          "targets", /*with_timing=*/true, options_, context),
            masks, context),
        2);
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return at::matmul(body_output, at::cat(tables_VD_, 1).t());
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    return SymbolLoss(
        RunBody(features, context).to(at::kFloat), at::cat(tables_VD_, 1),
        RequiredFeature(features, "targets"),
        context.training ? hparams_.GetDouble("label_smoothing") : 0.0);
  }

 private:
  // Without inputs none is looked at.
  std::string DecoderLayers() const {
    const std::string& layers = hparams_.GetString("decoder_layers");
    if (!info_.has_inputs() && layers.find("enc-") != std::string::npos) {
      throw UsageError(
          "decoder_layers=" + layers + " for a problem without inputs",
          "layers that look at no encoder's output",
          "leave enc-att and enc-multihead-att out of "
          "decoder_layers in --hparams");
    }
    return layers;
  }

  void Encode(const Features& features, ShardMasks* masks,
              nn::Context& context) const {
    const at::Tensor ids_BL = RequiredFeature(features, "inputs").to(at::kLong);
    const auto inputs = features.find("inputs_segmentation");
    const auto targets = features.find("targets_segmentation");
    if (inputs != features.end() && targets != features.end()) {
      masks->self_bias = BiasSameSegment(inputs->second, inputs->second);
      masks->memory_bias = BiasSameSegment(targets->second, inputs->second);
    } else {
      masks->self_bias = BiasIgnorePadding(ids_BL.eq(0).to(at::kFloat));
      masks->memory_bias = masks->self_bias;
    }
    masks->memory =
        (*encoder_)(EmbedInShards(tables_VD_, ids_BL, features, "inputs",
                                  /*with_timing=*/true, options_, context),
                    *masks, context);
  }

  const ShardOptions options_;
  std::vector<at::Tensor> tables_VD_;  // of each shard, for all symbols
  std::optional<ShardedStack> encoder_, decoder_;
};

}  // namespace

void RegisterTransformerSymshard(ModelRegistry& models) {
  AddModel<TransformerSymshard>(models, kName);
}

}  // namespace t2t
