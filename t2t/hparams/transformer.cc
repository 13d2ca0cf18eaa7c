#include <cstdint>

#include "t2t/hparams/common.h"
#include "t2t/hparams/ranges.h"

// The sets and ranges of T2T's models/transformer.py, and two of our own at
// the end.

namespace t2t {
namespace {

constexpr auto kLog = RangedHParams::Scale::kLog;

// T2T's update_hparams_for_tpu.
void UpdateForTpu(HParams* h) {
  h->Set("optimizer", "Adafactor");
  h->Set("learning_rate_schedule", "rsqrt_decay");
  h->Set("learning_rate_warmup_steps", 10000);
  h->Set("symbol_modality_num_shards", 1);
  h->Set("max_length", 64);
  if (h->GetInt("batch_size") > 2048) h->Set("batch_size", 2048);
  h->Set("attention_dropout_broadcast_dims", "0,1");
  h->Set("relu_dropout_broadcast_dims", "1");
  h->Set("layer_prepostprocess_dropout_broadcast_dims", "1");
}

// T2T's update_hparams_for_vq_gating.
void AddVqGating(HParams* h) {
  h->Add("z_size", 4);
  h->Add("noise_dev", 0.5);
  h->Add("bottleneck_kind", "dvq");
  h->Add("num_blocks", 1);
  h->Add("num_residuals", 1);
  h->Add("beta", 0.25);
  h->Add("epsilon", 1e-5);
  h->Add("decay", 0.999);
  h->Add("ema", false);
  h->Add("random_top_k", 1);
  h->Add("soft_em", false);
  h->Add("num_samples", 10);
  h->Add("gating_type", "vq");
  h->Add("use_scales", 1);
  h->Add("residual_centroids", 0);
}

void SetLibrispeechLengths(HParams* h) {
  h->Set("max_length", 1650 * 80);
  h->Set("max_input_seq_length", 1650);
  h->Set("max_target_seq_length", 350);
}

void SetChunks(HParams* h, int64_t length, int64_t chunk) {
  h->Set("max_length", length);
  h->Set("split_targets_chunk_length", chunk);
  h->Set("split_targets_max_chunks", length / chunk);
}

}  // namespace

T2T_REGISTER_HPARAMS(transformer_base_v1) {
  HParams h = BasicParams1();
  h.Set("norm_type", "layer");
  h.Set("hidden_size", 512);
  h.Set("batch_size", 4096);
  h.Set("max_length", 256);
  h.Set("clip_grad_norm", 0.0);
  h.Set("optimizer_adam_epsilon", 1e-09);
  h.Set("learning_rate_schedule", "legacy");
  h.Set("learning_rate_decay_scheme", "noam");
  h.Set("learning_rate", 0.1);
  h.Set("learning_rate_warmup_steps", 4000);
  h.Set("initializer_gain", 1.0);
  h.Set("num_hidden_layers", 6);
  h.Set("initializer", "uniform_unit_scaling");
  h.Set("weight_decay", 0.0);
  h.Set("optimizer_adam_beta1", 0.9);
  h.Set("optimizer_adam_beta2", 0.98);
  h.Set("label_smoothing", 0.1);
  h.Set("shared_embedding_and_softmax_weights", true);
  h.Set("symbol_modality_num_shards", 16);
  h.Add("filter_size", 2048);
  h.Add("num_encoder_layers", 0);
  h.Add("num_decoder_layers", 0);
  h.Add("num_heads", 8);
  h.Add("attention_key_channels", 0);
  h.Add("attention_value_channels", 0);
  h.Add("ffn_layer", "dense_relu_dense");
  h.Add("parameter_attention_key_channels", 0);
  h.Add("parameter_attention_value_channels", 0);
  h.Add("attention_dropout", 0.0);
  h.Add("attention_dropout_broadcast_dims", "");
  h.Add("relu_dropout", 0.0);
  h.Add("relu_dropout_broadcast_dims", "");
  h.Add("pos", "timing");
  h.Add("position_features", "");
  h.Add("nbr_decoder_problems", 1);
  h.Add("proximity_bias", false);
  h.Add("causal_decoder_self_attention", true);
  h.Add("use_pad_remover", true);
  h.Add("self_attention_type", "dot_product");
  h.Add("conv_first_kernel", 3);
  h.Add("attention_variables_3d", false);
  h.Add("use_target_space_embedding", true);
  h.Add("moe_overhead_train", 1.0);
  h.Add("moe_overhead_eval", 2.0);
  h.Set("moe_num_experts", 16);
  h.Set("moe_loss_coef", 0.001);
  h.Add("overload_eval_metric_name", "");
  h.Add("unidirectional_encoder", false);
  h.Add("hard_attention_k", 0);
  h.Add("gumbel_noise_weight", 0.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_v2) {
  HParams h = HParamsSet_transformer_base_v1();
  h.Set("layer_preprocess_sequence", "n");
  h.Set("layer_postprocess_sequence", "da");
  h.Set("layer_prepostprocess_dropout", 0.1);
  h.Set("attention_dropout", 0.1);
  h.Set("relu_dropout", 0.1);
  h.Set("learning_rate_warmup_steps", 8000);
  h.Set("learning_rate", 0.2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_vq_ada_32ex_packed) {
  HParams h = HParamsSet_transformer_base_v2();
  AddVqGating(&h);
  h.Set("moe_num_experts", 32);
  h.Set("gating_type", "vq");
  h.Set("batch_size", 5072);
  h.Set("ffn_layer", "local_moe");
  h.Set("shared_embedding_and_softmax_weights", false);
  h.Set("learning_rate_warmup_steps", 10000);
  h.Set("learning_rate_decay_steps", 27200);
  h.Set("num_heads", 4);
  h.Set("num_blocks", 1);
  h.Set("moe_k", 1);
  h.Set("num_decoder_layers", 6);
  h.Set("label_smoothing", 0.0);
  h.Set("layer_prepostprocess_dropout", 0.1);
  h.Set("layer_postprocess_sequence", "dan");
  h.Set("layer_preprocess_sequence", "none");
  h.Set("weight_decay", 1e-06);
  h.Set("attention_dropout", 0.1);
  h.Set("optimizer", "Adafactor");
  h.Set("learning_rate_schedule", "linear_warmup*rsqrt_decay*linear_decay");
  h.Set("activation_dtype", "float32");
  h.Set("learning_rate", 0.1);
  h.Set("learning_rate_constant", 1.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_topk_16_packed) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("gating_type", "topk");
  h.Set("moe_num_experts", 16);
  h.Set("moe_k", 2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_vq1_16_nb1_packed_nda_b01_scales) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("use_scales", 1);
  h.Set("moe_num_experts", 16);
  h.Set("moe_k", 1);
  h.Set("beta", 0.1);
  h.Set("layer_preprocess_sequence", "n");
  h.Set("layer_postprocess_sequence", "da");
  h.Set("ema", false);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_vq1_16_nb1_packed_dan_b01_scales) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("use_scales", 1);
  h.Set("moe_num_experts", 16);
  h.Set("moe_k", 1);
  h.Set("beta", 0.1);
  h.Set("ema", false);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_vq1_16_nb1_packed_nda_b01_scales_dialog) {
  HParams h = HParamsSet_transformer_base_vq1_16_nb1_packed_nda_b01_scales();
  h.Set("batch_size", 2048);
  h.Set("max_length", 1024);
  h.Set("filter_size", 3072);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ada_lmpackedbase) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("ffn_layer", "dense_relu_dense");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ada_lmpackedbase_dialog) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("max_length", 1024);
  h.Set("ffn_layer", "dense_relu_dense");
  h.Set("batch_size", 4096);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ada_lmpackedbase_relative) {
  HParams h = HParamsSet_transformer_base_vq_ada_32ex_packed();
  h.Set("ffn_layer", "dense_relu_dense");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_v3) {
  HParams h = HParamsSet_transformer_base_v2();
  h.Set("optimizer_adam_beta2", 0.997);
  h.Set("learning_rate_schedule",
        "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size");
  h.Set("learning_rate_constant", 2.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base) {
  return HParamsSet_transformer_base_v3();
}

T2T_REGISTER_HPARAMS(transformer_big) {
  HParams h = HParamsSet_transformer_base();
  h.Set("hidden_size", 1024);
  h.Set("filter_size", 4096);
  h.Set("batch_size", 2048);
  h.Set("num_heads", 16);
  h.Set("layer_prepostprocess_dropout", 0.3);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall) {
  HParams h = HParamsSet_transformer_base();
  h.Set("batch_size", 2048);
  h.Set("hidden_size", 768);
  h.Set("filter_size", 3072);
  h.Set("num_hidden_layers", 12);
  h.Set("num_heads", 12);
  h.Set("label_smoothing", 0.0);
  h.Set("max_length", 1024);
  h.Set("eval_drop_long_sequences", true);
  h.Set("multiproblem_mixing_schedule", "pretrain");
  h.Set("multiproblem_vocab_size", 65536);
  h.Set("clip_grad_norm", 1.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_finetune_tied) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("multiproblem_max_input_length", 750);
  h.Set("multiproblem_max_target_length", 100);
  h.Set("multiproblem_schedule_max_examples", 0);
  h.Set("learning_rate_schedule", "linear_warmup*constant*cosdecay");
  h.Set("learning_rate_constant", 5e-05);
  h.Set("learning_rate_warmup_steps", 100);
  h.Set("learning_rate_decay_steps", 80000);
  h.Set("multiproblem_target_eval_only", true);
  h.Set("multiproblem_reweight_label_loss", true);
  h.Set("multiproblem_label_weight", 1.0);
  h.Set("optimizer", "true_adam");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_train_tied) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("multiproblem_max_input_length", 750);
  h.Set("multiproblem_max_target_length", 100);
  h.Set("multiproblem_schedule_max_examples", 0);
  h.Set("learning_rate_schedule", "linear_warmup*constant*cosdecay");
  h.Set("learning_rate_constant", 0.0002);
  h.Set("learning_rate_warmup_steps", 8000);
  h.Set("learning_rate_decay_steps", 150000);
  h.Set("multiproblem_target_eval_only", true);
  h.Set("multiproblem_reweight_label_loss", true);
  h.Set("multiproblem_label_weight", 1.0);
  h.Set("optimizer", "true_adam");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_finetune_uniencdec) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("max_input_seq_length", 750);
  h.Set("max_target_seq_length", 100);
  h.Set("optimizer", "true_adam");
  h.Set("learning_rate_schedule", "linear_warmup*constant*cosdecay");
  h.Set("learning_rate_decay_steps", 80000);
  h.Set("learning_rate_constant", 5e-05);
  h.Set("learning_rate_warmup_steps", 100);
  h.Set("unidirectional_encoder", true);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_train_uniencdec) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("max_input_seq_length", 750);
  h.Set("max_target_seq_length", 100);
  h.Set("optimizer", "true_adam");
  h.Set("learning_rate_schedule", "linear_warmup*constant*cosdecay");
  h.Set("learning_rate_decay_steps", 150000);
  h.Set("learning_rate_constant", 0.0002);
  h.Set("unidirectional_encoder", true);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_finetune_textclass) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("learning_rate_constant", 6.25e-05);
  h.Set("learning_rate_schedule", "linear_warmup*constant*linear_decay");
  h.Set("multiproblem_schedule_max_examples", 0);
  h.Set("multiproblem_target_eval_only", true);
  h.Set("learning_rate_warmup_steps", 50);
  h.Set("learning_rate_decay_steps", 25000);
  h.Set("multiproblem_reweight_label_loss", true);
  h.Set("multiproblem_label_weight", 0.95);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_pretrain_lm) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("learning_rate_constant", 0.0002);
  h.Set("learning_rate_schedule", "linear_warmup*constant*cosdecay");
  h.Set("optimizer", "adam_w");
  h.Set("weight_decay", 0.01 * h.GetDouble("learning_rate_constant"));
  h.Set("optimizer_adam_beta1", 0.9);
  h.Set("optimizer_adam_beta2", 0.999);
  h.Set("optimizer_adam_epsilon", 1e-08);
  h.Set("multiproblem_schedule_max_examples", 500000000.0);
  h.Set("learning_rate_decay_steps", 5000000);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_pretrain_lm_tpu_adafactor) {
  HParams h = HParamsSet_transformer_tall_pretrain_lm();
  UpdateForTpu(&h);
  h.Set("max_length", 1024);
  h.Set("batch_size", 8);
  h.Set("multiproblem_vocab_size", 65536);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_pretrain_lm_tpu_adafactor_large) {
  HParams h = HParamsSet_transformer_tall_pretrain_lm_tpu_adafactor();
  h.Set("hidden_size", 1024);
  h.Set("num_heads", 16);
  h.Set("filter_size", 32768);
  h.Set("batch_size", 4);
  h.Set("multiproblem_mixing_schedule", "constant");
  h.Set("multiproblem_per_task_threshold", "320,80,160,1,80,160,2,20,10,5");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_pretrain_lm_tpu) {
  HParams h = HParamsSet_transformer_tall_pretrain_lm_tpu_adafactor();
  h.Set("learning_rate_constant", 0.0002);
  h.Set("learning_rate_schedule", "linear_warmup * constant * cosdecay");
  h.Set("optimizer", "adam_w");
  h.Set("weight_decay", 0.01 * h.GetDouble("learning_rate_constant"));
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tall_big) {
  HParams h = HParamsSet_transformer_tall();
  h.Set("num_hidden_layers", 18);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_big_single_gpu) {
  HParams h = HParamsSet_transformer_big();
  h.Set("layer_prepostprocess_dropout", 0.1);
  h.Set("learning_rate_warmup_steps", 16000);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_single_gpu) {
  HParams h = HParamsSet_transformer_base();
  h.Set("batch_size", 1024);
  h.Set("learning_rate_schedule", "constant*linear_warmup*rsqrt_decay");
  h.Set("learning_rate_constant", 0.1);
  h.Set("learning_rate_warmup_steps", 16000);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_base_multistep8) {
  HParams h = HParamsSet_transformer_base();
  h.Set("optimizer", "multistep_adam");
  h.Set("optimizer_multistep_accumulate_steps", 8);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_cubbitt) {
  HParams h = HParamsSet_transformer_big_single_gpu();
  h.Set("learning_rate_schedule", "rsqrt_decay");
  h.Set("batch_size", 2900);
  h.Set("learning_rate_warmup_steps", 8000);
  h.Set("max_length", 150);
  h.Set("layer_prepostprocess_dropout", 0);
  h.Set("optimizer", "Adafactor");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_parsing_base) {
  HParams h = HParamsSet_transformer_base();
  h.Set("attention_dropout", 0.2);
  h.Set("layer_prepostprocess_dropout", 0.2);
  h.Set("max_length", 512);
  h.Set("learning_rate_warmup_steps", 16000);
  h.Set("hidden_size", 1024);
  h.Set("learning_rate", 0.05);
  h.Set("shared_embedding_and_softmax_weights", false);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_parsing_big) {
  HParams h = HParamsSet_transformer_big();
  h.Set("max_length", 512);
  h.Set("learning_rate_warmup_steps", 4000);
  h.Set("layer_prepostprocess_dropout", 0.1);
  h.Set("batch_size", 2048);
  h.Set("learning_rate", 0.05);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_parsing_ice) {
  HParams h = HParamsSet_transformer_base_single_gpu();
  h.Set("batch_size", 4096);
  h.Set("shared_embedding_and_softmax_weights", false);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tiny) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 128);
  h.Set("filter_size", 512);
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_test) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 16);
  h.Set("filter_size", 8);
  h.Set("num_heads", 2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_small) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 256);
  h.Set("filter_size", 1024);
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_l2) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_l4) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 4);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_l8) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 8);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_l10) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 10);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_h1) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_heads", 1);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_h4) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_h16) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_heads", 16);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_h32) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_heads", 32);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_k128) {
  HParams h = HParamsSet_transformer_base();
  h.Set("attention_key_channels", 128);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_k256) {
  HParams h = HParamsSet_transformer_base();
  h.Set("attention_key_channels", 256);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ff1024) {
  HParams h = HParamsSet_transformer_base();
  h.Set("filter_size", 1024);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ff4096) {
  HParams h = HParamsSet_transformer_base();
  h.Set("filter_size", 4096);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_dr0) {
  HParams h = HParamsSet_transformer_base();
  h.Set("layer_prepostprocess_dropout", 0.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_dr2) {
  HParams h = HParamsSet_transformer_base();
  h.Set("layer_prepostprocess_dropout", 0.2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ls0) {
  HParams h = HParamsSet_transformer_base();
  h.Set("label_smoothing", 0.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_ls2) {
  HParams h = HParamsSet_transformer_base();
  h.Set("label_smoothing", 0.2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_hs256) {
  HParams h = HParamsSet_transformer_base();
  h.Set("hidden_size", 256);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_hs1024) {
  HParams h = HParamsSet_transformer_base();
  h.Set("hidden_size", 1024);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_big_dr1) {
  HParams h = HParamsSet_transformer_base();
  h.Set("hidden_size", 1024);
  h.Set("filter_size", 4096);
  h.Set("num_heads", 16);
  h.Set("layer_prepostprocess_dropout", 0.1);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_big_enfr) {
  HParams h = HParamsSet_transformer_big_dr1();
  h.Set("shared_embedding_and_softmax_weights", false);
  h.Set("filter_size", 8192);
  h.Set("layer_prepostprocess_dropout", 0.1);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_big_enfr_tpu) {
  HParams h = HParamsSet_transformer_big_enfr();
  h.Set("num_heads", 8);
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_big_dr2) {
  HParams h = HParamsSet_transformer_big_dr1();
  h.Set("layer_prepostprocess_dropout", 0.2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_parameter_attention_a) {
  HParams h = HParamsSet_transformer_base();
  h.Set("ffn_layer", "parameter_attention");
  h.Set("filter_size", 1536);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_parameter_attention_b) {
  HParams h = HParamsSet_transformer_base();
  h.Set("ffn_layer", "parameter_attention");
  h.Set("filter_size", 512);
  h.Set("parameter_attention_key_channels", 1024);
  h.Set("parameter_attention_value_channels", 1024);
  h.Set("num_heads", 16);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_prepend_v2) {
  HParams h = HParamsSet_transformer_base_v2();
  h.Set("prepend_mode", "prepend_inputs_masked_attention");
  h.Set("max_length", 0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_prepend_v1) {
  HParams h = HParamsSet_transformer_base_v1();
  h.Set("prepend_mode", "prepend_inputs_masked_attention");
  h.Set("max_length", 0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_prepend) {
  return HParamsSet_transformer_prepend_v2();
}

T2T_REGISTER_RANGED_HPARAMS(transformer_base_range) {
  ranges->SetFloat("learning_rate", 0.3, 3.0, kLog);
  ranges->SetDiscrete("learning_rate_warmup_steps",
                      {1000, 2000, 4000, 8000, 16000});
  ranges->SetFloat("initializer_gain", 0.5, 2.0);
  ranges->SetFloat("optimizer_adam_beta1", 0.85, 0.95);
  ranges->SetFloat("optimizer_adam_beta2", 0.97, 0.99);
  ranges->SetFloat("weight_decay", 0.0, 0.0001);
}

T2T_REGISTER_HPARAMS(transformer_relative) {
  HParams h = HParamsSet_transformer_base();
  h.Set("pos", "none");
  h.Set("self_attention_type", "dot_product_relative");
  h.Set("max_relative_position", 20);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_relative_tiny) {
  HParams h = HParamsSet_transformer_relative();
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 128);
  h.Set("filter_size", 512);
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_relative_big) {
  HParams h = HParamsSet_transformer_big();
  h.Set("pos", "none");
  h.Set("self_attention_type", "dot_product_relative");
  h.Set("max_relative_position", 20);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_timeseries) {
  HParams h = HParamsSet_transformer_small();
  h.Set("batch_size", 256);
  h.Set("learning_rate_warmup_steps", 2000);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_mlperf_tpu) {
  HParams h = HParamsSet_transformer_base_v3();
  h.Set("mlperf_mode", true);
  h.Set("symbol_modality_num_shards", 1);
  h.Set("max_length", 256);
  h.Set("batch_size", 2048);
  h.Set("hidden_size", 1024);
  h.Set("filter_size", 4096);
  h.Set("num_heads", 16);
  h.Set("attention_dropout_broadcast_dims", "0,1");
  h.Set("relu_dropout_broadcast_dims", "1");
  h.Set("layer_prepostprocess_dropout_broadcast_dims", "1");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tpu) {
  HParams h = HParamsSet_transformer_base();
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_timeseries_tpu) {
  HParams h = HParamsSet_transformer_timeseries();
  UpdateForTpu(&h);
  h.Set("batch_size", 256);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tpu_bf16_activation) {
  HParams h = HParamsSet_transformer_tpu();
  h.Set("activation_dtype", "bfloat16");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_fairseq_fp16_activation_big) {
  HParams h = HParamsSet_transformer_big();
  h.Set("activation_dtype", "float16");
  h.Set("batch_size", 3584);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_packed_tpu) {
  return HParamsSet_transformer_tpu();
}

T2T_REGISTER_HPARAMS(transformer_big_tpu) {
  HParams h = HParamsSet_transformer_big();
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tiny_tpu) {
  HParams h = HParamsSet_transformer_tiny();
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_RANGED_HPARAMS(transformer_tiny_tpu_range) {
  ranges->SetFloat("learning_rate", 0.3, 3.0, kLog);
  ranges->SetFloat("weight_decay", 0.0, 2.0);
}

T2T_REGISTER_RANGED_HPARAMS(transformer_tpu_range) {
  ranges->SetFloat("learning_rate", 0.3, 3.0, kLog);
  ranges->SetDiscrete("learning_rate_warmup_steps",
                      {1000, 2000, 4000, 8000, 16000});
  ranges->SetFloat("initializer_gain", 0.5, 2.0);
  ranges->SetFloat("optimizer_adam_beta1", 0.85, 0.95);
  ranges->SetFloat("optimizer_adam_beta2", 0.97, 0.99);
  ranges->SetFloat("weight_decay", 0.0, 2.0);
}

T2T_REGISTER_HPARAMS(transformer_small_tpu) {
  HParams h = HParamsSet_transformer_small();
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_clean) {
  HParams h = HParamsSet_transformer_base_v2();
  h.Set("label_smoothing", 0.0);
  h.Set("layer_prepostprocess_dropout", 0.0);
  h.Set("attention_dropout", 0.0);
  h.Set("relu_dropout", 0.0);
  h.Set("max_length", 0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_clean_big) {
  HParams h = HParamsSet_transformer_clean();
  h.Set("hidden_size", 1024);
  h.Set("filter_size", 4096);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_clean_big_tpu) {
  HParams h = HParamsSet_transformer_clean_big();
  UpdateForTpu(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tpu_with_conv) {
  HParams h = HParamsSet_transformer_tpu();
  h.Set("num_heads", 4);
  h.Set("ffn_layer", "conv_relu_conv");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_lm_tpu_0) {
  HParams h = HParamsSet_transformer_clean_big();
  UpdateForTpu(&h);
  h.Set("num_heads", 4);
  h.Set("batch_size", 4096);
  h.Set("shared_embedding_and_softmax_weights", false);
  h.Set("layer_prepostprocess_dropout", 0.1);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_lm_tpu_1) {
  HParams h = HParamsSet_transformer_lm_tpu_0();
  h.Set("hidden_size", 2048);
  h.Set("filter_size", 8192);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech_v1) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_heads", 4);
  h.Set("filter_size", 1024);
  h.Set("hidden_size", 256);
  h.Set("num_encoder_layers", 5);
  h.Set("num_decoder_layers", 3);
  h.Set("learning_rate", 0.15);
  h.Set("batch_size", 6000000);
  SetLibrispeechLengths(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech_v2) {
  HParams h = HParamsSet_transformer_base();
  h.Set("max_length", 1240000);
  h.Set("max_input_seq_length", 1550);
  h.Set("max_target_seq_length", 350);
  h.Set("batch_size", 16);
  h.Set("num_decoder_layers", 4);
  h.Set("num_encoder_layers", 6);
  h.Set("hidden_size", 384);
  h.Set("learning_rate", 0.15);
  h.Set("daisy_chain_variables", false);
  h.Set("filter_size", 1536);
  h.Set("num_heads", 2);
  h.Set("ffn_layer", "conv_relu_conv");
  h.Set("conv_first_kernel", 9);
  h.Set("weight_decay", 0);
  h.Set("layer_prepostprocess_dropout", 0.2);
  h.Set("relu_dropout", 0.2);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech_tpu_v1) {
  HParams h = HParamsSet_transformer_librispeech_v1();
  UpdateForTpu(&h);
  h.Set("batch_size", 16);
  SetLibrispeechLengths(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech_tpu_v2) {
  HParams h = HParamsSet_transformer_librispeech_v2();
  UpdateForTpu(&h);
  h.Set("batch_size", 16);
  SetLibrispeechLengths(&h);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech_with_area_attention) {
  HParams h = HParamsSet_transformer_librispeech_tpu_v2();
  h.Set("num_area_layers", 3);
  h.Set("max_area_width", 5);
  h.Set("area_key_mode", "concat");
  h.Set("area_value_mode", "sum");
  return h;
}

T2T_REGISTER_HPARAMS(transformer_librispeech) {
  return HParamsSet_transformer_librispeech_v2();
}

T2T_REGISTER_HPARAMS(transformer_librispeech_tpu) {
  return HParamsSet_transformer_librispeech_tpu_v2();
}

T2T_REGISTER_HPARAMS(transformer_common_voice) {
  return HParamsSet_transformer_librispeech();
}

T2T_REGISTER_HPARAMS(transformer_common_voice_tpu) {
  HParams h = HParamsSet_transformer_librispeech_tpu();
  h.Set("batch_size", 8);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_supervised_attention) {
  HParams h = HParamsSet_transformer_base();
  h.Add("expected_attention_loss_type", "kl_divergence");
  h.Add("expected_attention_loss_multiplier", 1.0);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_tpu_1b) {
  HParams h = HParamsSet_transformer_tpu();
  h.Set("hidden_size", 2048);
  h.Set("filter_size", 8192);
  h.Set("num_hidden_layers", 8);
  h.Set("batch_size", 1024);
  h.Set("activation_dtype", "bfloat16");
  h.Set("weight_dtype", "bfloat16");
  h.Set("shared_embedding_and_softmax_weights", false);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_wikitext103_l4k_v0) {
  HParams h = HParamsSet_transformer_big();
  h.Set("optimizer", "Adafactor");
  h.Set("learning_rate_schedule", "rsqrt_decay");
  h.Set("learning_rate_warmup_steps", 10000);
  h.Set("num_heads", 4);
  h.Set("max_length", 4096);
  h.Set("batch_size", 4096);
  h.Set("shared_embedding_and_softmax_weights", false);
  h.Set("num_hidden_layers", 8);
  h.Set("attention_dropout", 0.1);
  h.Set("layer_prepostprocess_dropout", 0.2);
  h.Set("relu_dropout", 0.1);
  h.Set("label_smoothing", 0.0);
  h.Set("attention_dropout_broadcast_dims", "0,1");
  h.Set("relu_dropout_broadcast_dims", "1");
  h.Set("layer_prepostprocess_dropout_broadcast_dims", "1");
  h.Set("symbol_modality_num_shards", 1);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_wikitext103_l4k_memory_v0) {
  HParams h = HParamsSet_transformer_wikitext103_l4k_v0();
  h.Set("split_targets_strided_training", true);
  h.Add("memory_type", "transformer_xl");
  SetChunks(&h, /*length=*/4096, /*chunk=*/64);
  // Examples before they are cut into chunks, 4096 tokens after it.
  h.Set("batch_size", 4096 * 64);
  h.Set("pos", "none");
  h.Set("self_attention_type", "dot_product_relative");
  h.Set("max_relative_position", 2 * 64);
  h.Add("unconditional", true);
  h.Add("recurrent_memory_batch_size", 0);
  h.Add("num_memory_items", 64);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_wikitext103_l16k_memory_v0) {
  HParams h = HParamsSet_transformer_wikitext103_l4k_memory_v0();
  SetChunks(&h, /*length=*/16384, /*chunk=*/64);
  h.Set("batch_size", 4096 * 256);
  h.Set("max_relative_position", 2 * 64);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_cifar10_memory_v0) {
  HParams h = HParamsSet_transformer_wikitext103_l4k_memory_v0();
  h.Set("num_hidden_layers", 6);
  SetChunks(&h, /*length=*/32 * 32 * 3, /*chunk=*/64 * 3);
  h.Set("num_memory_items", 128 * 3);
  h.Set("batch_size", 4 * 16);
  h.Set("recurrent_memory_batch_size", 4 * 16);
  h.Set("max_relative_position", 128 * 3 + 64 * 3);
  return h;
}

T2T_REGISTER_HPARAMS(transformer_imagenet64_memory_v0) {
  HParams h = HParamsSet_transformer_cifar10_memory_v0();
  SetChunks(&h, /*length=*/64 * 64 * 3, /*chunk=*/64 * 3);
  h.Set("num_memory_items", 128 * 3);
  h.Set("batch_size", 2 * 64);
  h.Set("recurrent_memory_batch_size", 2 * 64);
  h.Set("max_relative_position", 3072);
  return h;
}

// Our own, for some 30,000 pairs of short sentences: narrow, with much dropout,
// for some 8,000 steps.
T2T_REGISTER_HPARAMS(transformer_multi30k) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 4);
  h.Set("hidden_size", 128);
  h.Set("filter_size", 256);
  h.Set("num_heads", 4);
  h.Set("batch_size", 4096);
  h.Set("max_length", 100);
  h.Set("layer_prepostprocess_dropout", 0.3);
  h.Set("attention_dropout", 0.1);
  h.Set("relu_dropout", 0.0);
  h.Set("learning_rate_schedule",
        "constant*linear_warmup*single_cycle_cos_decay");
  h.Set("learning_rate_constant", 0.003);
  h.Set("learning_rate_warmup_steps", 1000);
  h.Set("symbol_modality_num_shards", 1);
  return h;
}

// Our own, for translate_numbers_ende: learnt in two minutes on two cores, in
// 1,700 steps.
T2T_REGISTER_HPARAMS(transformer_numbers) {
  HParams h = HParamsSet_transformer_base();
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 128);
  h.Set("filter_size", 256);
  h.Set("num_heads", 4);
  h.Set("batch_size", 2048);
  h.Set("max_length", 64);
  h.Set("layer_prepostprocess_dropout", 0.1);
  h.Set("attention_dropout", 0.0);
  h.Set("relu_dropout", 0.0);
  h.Set("learning_rate_schedule",
        "constant*linear_warmup*single_cycle_cos_decay");
  h.Set("learning_rate_constant", 0.004);
  h.Set("learning_rate_warmup_steps", 300);
  h.Set("symbol_modality_num_shards", 1);
  return h;
}

}  // namespace t2t
