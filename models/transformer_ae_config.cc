#include "models/transformer_ae_config.h"

#include <string>

#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/scheduled_sampling.h"

namespace t2t {
namespace {

// What T2T's other values of these are for, sets have not.
void RefuseOthers(const HParams& hparams) {
  const auto refuse = [](const std::string& what, const std::string& wanted) {
    throw UsageError(what + " with the model transformer_ae", wanted,
                     "change it in --hparams");
  };
  if (hparams.GetString("task") != "translate") {
    refuse("task=" + hparams.GetString("task"), "translate");
  }
  if (!hparams.GetBool("do_ae")) refuse("do_ae=False", "True");
  if (hparams.GetBool("do_refine")) refuse("do_refine=True", "False");
  if (!hparams.GetBool("causal")) refuse("causal=False", "True");
  if (hparams.GetInt("num_decode_blocks") != 1) {
    refuse("num_decode_blocks=" +
               std::to_string(hparams.GetInt("num_decode_blocks")),
           "1");
  }
  if (hparams.GetInt("num_flows") != 0) {
    refuse("num_flows=" + std::to_string(hparams.GetInt("num_flows")), "0");
  }
  if (hparams.GetString("reshape_method") != "slice") {
    refuse("reshape_method=" + hparams.GetString("reshape_method"), "slice");
  }
}

nn::BottleneckOptions BottleneckOf(const HParams& hparams) {
  nn::BottleneckOptions o;
  o.kind = hparams.GetString("bottleneck_kind");
  o.hidden_size = hparams.GetInt("hidden_size");
  o.bits = hparams.GetInt("z_size");
  o.filter_size = hparams.GetInt("compress_filter_size");
  o.noise_dev = hparams.GetDouble("noise_dev");
  o.discrete_mix = hparams.GetDouble("d_mix");
  o.startup_steps = hparams.GetInt("startup_steps");
  o.blocks = hparams.GetInt("num_blocks");
  o.residuals = hparams.GetInt("num_residuals");
  o.moving_averages = hparams.GetBool("ema");
  o.beta = hparams.GetDouble("beta");
  o.decay = hparams.GetDouble("decay");
  o.epsilon = hparams.GetDouble("epsilon");
  o.random_top_k = hparams.GetInt("random_top_k");
  if (o.kind == "dvq" && hparams.GetBool("soft_em")) {
    o.samples = hparams.GetInt("num_samples");
  }
  o.softmax_k = hparams.GetInt("softmax_k");
  o.temperature_warmup_steps = hparams.GetInt("temperature_warmup_steps");
  o.gumbel_samples = hparams.GetInt("num_samples");
  o.hard_samples = hparams.GetBool("do_hard_gumbel_softmax");
  o.approximate_entropy = hparams.GetBool("approximate_gs_entropy");
  // T2T's model does not hand sum_over_latents on to it.
  return o;
}

}  // namespace

AeConfig AeConfig::From(const HParams& hparams) {
  RefuseScheduledSampling(hparams);
  RefuseOthers(hparams);
  AeConfig config;
  config.layers = TransformerConfig::FromHParams(hparams);
  // It shows here: decompression looks at the inputs' padding.
  const std::string& ffn = config.layers.ffn.type;
  config.layers.remove_padding =
      hparams.GetBool("use_pad_remover") &&
      (ffn == "dense_relu_dense" || ffn == "conv_hidden_relu");
  config.bottleneck = BottleneckOf(hparams);
  config.is_discrete = nn::IsDiscreteBottleneck(config.bottleneck.kind);
  if (!config.is_discrete &&
      config.bottleneck.filter_size != config.layers.sequence.hidden_size) {
    throw UsageError("compress_filter_size=" +
                         std::to_string(config.bottleneck.filter_size) +
                         " with bottleneck_kind=" + config.bottleneck.kind,
                     "hidden_size", "change it in --hparams");
  }
  config.halvings = hparams.GetInt("num_compress_steps");
  config.dropout = hparams.GetDouble("dropout");
  config.max_length = hparams.GetInt("max_length");
  if (config.max_length < 1 || config.halvings < 0) {
    throw UsageError(
        "max_length=" + std::to_string(config.max_length) +
            ", num_compress_steps=" + std::to_string(config.halvings),
        "the number of positions to learn, and 0 or more",
        "set --hparams=max_length=256, say");
  }
  config.startup_steps = hparams.GetInt("startup_steps");
  config.mask_startup_steps = hparams.GetInt("mask_startup_steps");
  config.word_shuffle = hparams.GetDouble("word_shuffle");
  config.word_dropout = hparams.GetDouble("word_dropout");
  config.unmasked_percentage = hparams.GetDouble("unmasked_percentage");
  config.entropy_scale = hparams.GetDouble("entropy_scale");
  config.prior_scale = hparams.GetDouble("prior_scale");
  config.sampling_temperature = DoubleOr(hparams, "sampling_temp", 1.0);
  config.masks = hparams.GetBool("do_mask");
  config.masks_all = hparams.GetBool("use_predict_mask");
  config.attends_compressing = hparams.GetBool("do_attend_compress");
  config.attends_decompressing = hparams.GetBool("do_attend_decompress");
  config.residual_compressing = hparams.GetBool("do_residual_compress");
  config.normalises_logits = hparams.GetBool("logit_normalization");
  config.sums_over_latents = hparams.GetBool("sum_over_latents");
  return config;
}

}  // namespace t2t
