// The language model of attention alone (attention_lm.cc) with attention of
// other kinds, experts among them: Shazeer et al. 2017, "Outrageously Large
// Neural Networks", arXiv:1701.06538. With use_inputs it makes all targets at
// once out of inputs of the same length.
// (moe_layers has no effect, as in T2T's last version: no feed-forward layer
// has experts.)
// Shapes: B batch, L length, D hidden_size.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/sequence_decoder.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/block.h"
#include "t2t/nn/compressed_attention.h"
#include "t2t/nn/conv_transition.h"
#include "t2t/nn/expert_attention.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

// Of attention; the letters are attention_layers'.
std::string KindOfLetter(char letter) {
  switch (letter) {
    case 'h':
      return "multihead";
    case 'e':
      return "local_experts";
    case 'm':
      return "memory_efficient";
    case 'r':
      return "multihead_reduced";
    case 'f':
      return "multihead_full";
    case 's':
      return "sparse_multihead";
    case 't':
      return "sparse_multihead_truncated";
  }
  throw UsageError(
      std::string("attention_layers has the letter '") + letter + "'",
      "h multihead, e local experts, m memory-efficient, r reduced or f full",
      "change --hparams=attention_layers=...");
}

struct MoeLmConfig {
  static MoeLmConfig FromHParams(const HParams& hparams);

  TransformerConfig layer;
  std::vector<std::string> attention;  // each layer's kind
  nn::ExpertAttentionOptions experts;
  nn::CompressionOptions compression;
  bool separable_ffn = false;
  bool normed_ffn = false;  // memory_efficient_ffn
  bool from_inputs = false;
};

MoeLmConfig MoeLmConfig::FromHParams(const HParams& hparams) {
  MoeLmConfig config;
  config.layer = TransformerConfig::FromHParams(hparams);
  AttentionOptions& attention = config.layer.self_attention;
  attention.name = "decoder_self_attention";
  attention.type =
      hparams.GetBool("attention_local") ? "local_mask_right" : "dot_product";
  attention.local.block = hparams.GetInt("attention_block_length");
  const std::string& letters = hparams.GetString("attention_layers");
  for (const char letter : letters) {
    config.attention.push_back(KindOfLetter(letter));
  }
  if (letters.empty()) {
    config.attention.assign(static_cast<size_t>(config.layer.decoder_layers),
                            hparams.GetString("attention_type"));
  }
  nn::ExpertAttentionOptions& experts = config.experts;
  experts.hidden_size = config.layer.sequence.hidden_size;
  experts.heads = hparams.GetInt("attention_num_head");
  experts.key_channels = hparams.GetInt("attention_kq_size");
  experts.value_channels = hparams.GetInt("attention_v_size");
  experts.experts = hparams.GetInt("attention_num_experts");
  experts.experts_per_token = hparams.GetInt("attention_moe_k");
  experts.loss_weight = hparams.GetDouble("attention_load_balance");
  experts.expansion = hparams.GetInt("attention_exp_factor");
  experts.expanded_size = hparams.GetInt("attention_exp_inputdim");
  config.compression = {hparams.GetInt("attention_red_factor"),
                        hparams.GetString("attention_reduction_type"),
                        hparams.GetString("attention_nonlinearity")};
  config.separable_ffn = hparams.GetBool("use_sepconv");
  config.normed_ffn = hparams.GetBool("memory_efficient_ffn");
  config.from_inputs = hparams.GetBool("use_inputs");
  return config;
}

nn::SublayerPtr MakeAttention(const Scope& scope, const std::string& kind,
                              const MoeLmConfig& config) {
  AttentionOptions attention = config.layer.self_attention;
  if (kind == "multihead" || kind == "multihead_full") {
    if (kind == "multihead_full") attention.type = "dot_product";
    return std::make_shared<nn::SelfAttention>(scope, attention);
  }
  if (kind == "local_experts") {
    return std::make_shared<nn::ExpertSelfAttention>(scope, config.experts);
  }
  if (kind == "memory_efficient") {
    return std::make_shared<nn::NormedSelfAttention>(
        scope.Sub(attention.name), attention.input_size, attention.heads);
  }
  if (kind == "multihead_reduced") {
    attention.name = AttentionOptions().name;
    attention.type = "dot_product";
    return std::make_shared<nn::CompressedSelfAttention>(scope, attention,
                                                         config.compression);
  }
  throw UsageError("attention of the kind '" + kind + "'",
                   "multihead, multihead_full, multihead_reduced, "
                   "local_experts or memory_efficient",
                   "change attention_type or attention_layers in --hparams");
}

nn::SublayerPtr MakeTransition(const Scope& scope, const MoeLmConfig& config) {
  const FfnOptions& ffn = config.layer.ffn;
  const nn::ConvTransitionOptions options = {ffn.hidden_size, ffn.filter_size,
                                             ffn.dropout};
  if (config.normed_ffn) {
    return std::make_shared<nn::NormedTransition>(scope, ffn.hidden_size,
                                                  ffn.filter_size);
  }
  if (config.separable_ffn) {
    return std::make_shared<nn::SeparableTransition>(scope, options,
                                                     /*causal=*/true);
  }
  return std::make_shared<nn::ConvTransition>(scope, options);
}

nn::Stack MakeLayers(const Scope& root, const MoeLmConfig& config) {
  // Layers with a norm of their own have none before them.
  const auto before = [&](bool normed) {
    PrePostOptions options = config.layer.preprocess;
    if (normed) {
      if (options.sequence != "n") {
        throw UsageError(
            "memory_efficient layers, which are normalised, with "
            "layer_preprocess_sequence=" +
                options.sequence,
            "n", "set --hparams=layer_preprocess_sequence=n");
      }
      options.sequence = "none";
    }
    return options;
  };
  nn::Stack stack;
  for (size_t i = 0; i < config.attention.size(); ++i) {
    const Scope layer = root.Sub(LayerName(static_cast<int64_t>(i)));
    const std::string& kind = config.attention[i];
    const Scope attention = layer.Sub("attention_" + kind);
    const Scope ffn = layer.Sub("ffn");
    stack.blocks.push_back(nn::Block(
        layer,
        {nn::Residual{
             PrePost(attention, "layer_prepostprocess",
                     before(kind == "memory_efficient")),
             MakeAttention(attention, kind, config),
             PrePost(attention, "layer_postprocess", config.layer.postprocess)},
         nn::Residual{
             PrePost(ffn, "layer_prepostprocess", before(config.normed_ffn)),
             MakeTransition(ffn, config),
             PrePost(ffn, "layer_postprocess", config.layer.postprocess)}}));
  }
  stack.last.emplace(root, "layer_prepostprocess", config.layer.preprocess);
  return stack;
}

ProblemInfo InfoFor(ProblemInfo info, const MoeLmConfig& config) {
  if (config.from_inputs) {
    if (info.has_inputs()) return info;
    throw UsageError("problem '" + info.name + "' has no inputs",
                     "one with inputs, for use_inputs=True",
                     "set --hparams=use_inputs=False, or choose another "
                     "--problem");
  }
  if (info.has_inputs() && !config.layer.sequence.prepends_inputs) {
    throw UsageError("problem '" + info.name + "' has inputs",
                     "one without, for the model attention_lm_moe; or inputs "
                     "that stand before the targets",
                     "set --hparams=prepend_mode=prepend_inputs_full_attention "
                     "(or ..masked_attention), or choose another --problem");
  }
  info.features.erase("inputs");
  return info;
}

class AttentionLmMoe : public Model {
 public:
  AttentionLmMoe(const HParams& hparams, const ProblemInfo& info,
                 const ParamOptions& params)
      : AttentionLmMoe(MoeLmConfig::FromHParams(hparams), hparams, info,
                       params) {}

  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    if (!CanStep()) return Model::StartDecoding(features);
    return sequence_->Start({}, RequiredFeature(features, "targets").size(0));
  }

  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    if (!CanStep()) return Model::DecodeStep(state, ids);
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    auto* const own = static_cast<CachedDecodeState*>(state);
    const at::Tensor embedding_R1D =
        ids.defined()
            ? EmbedTargets(ids.view({-1, 1}).to(ComputeDevice()), context)
            : at::zeros({own->rows(), 1, config_.layer.sequence.hidden_size},
                        OnDevice(at::kFloat));
    return Top(sequence_->Step(embedding_R1D, own, context, layers_))
        .to(at::kFloat)
        .squeeze(1);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets_BL = RequiredFeature(features, "targets");
    if (config_.from_inputs) {
      return ToLength(FromInputs(features, context), targets_BL.size(1));
    }
    // What experts do not see. Decoding asks for the position after the last
    // symbol, which stands as padding.
    at::Tensor nonpadding_BL = targets_BL.ne(0).to(at::kFloat);
    if (!context.training) nonpadding_BL.select(1, -1).fill_(1.0);
    return sequence_->Whole(
        AsSequence(EmbedTargets(targets_BL, context)), {}, features, context,
        [&](const at::Tensor& x_BLD, nn::Pass& pass) {
          nn::WholeRows rows = *pass.whole();
          rows.own_nonpadding_BL = nonpadding_BL;
          nn::Pass own(&pass.context(), /*causal=*/true, &rows);
          return layers_(x_BLD, own);
        });
  }

 private:
  AttentionLmMoe(const MoeLmConfig& config, const HParams& hparams,
                 const ProblemInfo& info, const ParamOptions& params)
      : Model(hparams, InfoFor(info, config), params), config_(config) {
    set_precision(config.layer.sequence.activation_type);
    const Scope root(&params_, "attention_lm_moe",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeEnds(root);
    sequence_.emplace(root, config.layer.sequence);
    layers_ = MakeLayers(root, config);
  }

  bool CanStep() const { return !config_.from_inputs && layers_.CanStep(); }

  at::Tensor FromInputs(const Features& features, nn::Context& context) const {
    at::Tensor x_BLD = AsSequence(EmbedInputs(features, context));
    if (context.training) {
      x_BLD = Dropout(x_BLD, config_.layer.sequence.dropout, context.rng);
    }
    nn::WholeRows rows;
    rows.length = x_BLD.size(1);
    nn::Pass pass(&context, /*causal=*/false, &rows);
    return layers_(x_BLD, pass);
  }

  MoeLmConfig config_;
  std::optional<SequenceDecoder> sequence_;
  nn::Stack layers_;
};

}  // namespace

void RegisterAttentionLmMoe(ModelRegistry& models) {
  AddModel<AttentionLmMoe>(models, "attention_lm_moe");
}

}  // namespace t2t
