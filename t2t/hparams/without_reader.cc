#include "t2t/hparams/without_reader.h"

namespace t2t {
namespace {

bool Never(const HParams&, const HParamsUse&) { return true; }

bool HasNoKernel(const HParams&, const HParamsUse& use) {
  return use.model != "aligned" && use.model != "super_lm";
}

bool IsNoAutoencoder(const HParams&, const HParamsUse& use) {
  return use.model != "transformer_ae";
}

bool HasNoCodes(const HParams& hparams, const HParamsUse& use) {
  return IsNoAutoencoder(hparams, use) && use.model != "transformer_nat";
}

}  // namespace

// A table: as long as it has rows.
std::vector<WithoutEffectRow> WithoutReader() {
  return {
      {{"kernel_width", "compress_steps", "lsh_num_hyperplanes",
        "lsh_use_map_fn", "nbr_decoder_problems", "use_scales",
        "residual_centroids", "expected_attention_loss_multiplier",
        "expected_attention_loss_type"},
       Never,
       nullptr,
       "no model here has what it is about",
       ""},
      {{"moe_layers", "diet_experts"},
       Never,
       nullptr,
       "no feed-forward layer of attention_lm_moe has experts, as in T2T's "
       "last version",
       "attention_layers has some in attention"},
      {{"attention_split_batch"},
       Never,
       nullptr,
       "sequences that are worked on one by one give the same numbers",
       ""},
      {{"kernel_height"},
       HasNoKernel,
       nullptr,
       "of the models here only aligned and super_lm have such convolutions",
       ""},
      {{"z_size", "noise_dev", "num_blocks", "num_residuals", "random_top_k",
        "soft_em"},
       IsNoAutoencoder,
       nullptr,
       "of the models here only transformer_ae has such codes",
       ""},
      {{"bottleneck_kind", "decay", "epsilon"},
       HasNoCodes,
       nullptr,
       "of the models here only transformer_ae and transformer_nat have codes",
       ""},
      {{"video_num_input_frames", "video_num_target_frames"},
       Never,
       nullptr,
       "there is no video",
       ""},
      {{"mixed_precision_optimizer_loss_scaler",
        "mixed_precision_optimizer_init_loss_scale"},
       Never,
       nullptr,
       "weights and gradients are fp32, which need no scaling",
       "activation_dtype=bfloat16 asks for mixed precision"},
      {{"learning_rate_minimum"},
       Never,
       nullptr,
       "no schedule looks at it, as in T2T",
       ""},
      {{"batch_shuffle_size"},
       Never,
       nullptr,
       "all batches of an epoch are shuffled",
       ""},
      {{"split_targets_max_chunks"},
       Never,
       nullptr,
       "a target has as many chunks as it needs",
       "use max_target_seq_length"},
      {{"warm_start_from_second"},
       Never,
       nullptr,
       "parameters come from one checkpoint",
       "use --warm_start_from"},
      {{"overload_eval_metric_name"},
       Never,
       nullptr,
       "metrics keep their names",
       ""},
      {{"eval_run_autoregressive"},
       Never,
       nullptr,
       "evaluation is teacher-forced",
       "use t2t-decoder and t2t-bleu"},
      {{"summarize_grads", "summarize_vars"},
       Never,
       nullptr,
       "events hold the loss, the rate and metrics",
       ""},
      {{"dropconnect_dropout"},
       Never,
       nullptr,
       "gate_ffn_layer=dense_dropconnect, which it is for, fails in T2T",
       ""},
      {{"daisy_chain_variables", "use_custom_ops", "pad_batch",
        "force_full_predict", "print_vars"},
       Never,
       nullptr,
       "it belongs to TensorFlow's graphs",
       ""},
  };
}

}  // namespace t2t
