#include "t2t/hparams/common.h"

#include "t2t/hparams/ranges.h"

namespace t2t {

HParams BasicParams1() {
  HParams h;
  h.Add("batch_size", 4096);
  h.Add("batch_shuffle_size", 512);
  h.Add("use_fixed_batch_size", false);
  h.Add("num_hidden_layers", 4);
  h.Add("kernel_height", 3);
  h.Add("kernel_width", 1);
  h.Add("hidden_size", 64);
  h.Add("compress_steps", 0);
  h.Add("dropout", 0.2);
  h.Add("clip_grad_norm", 2.0);
  h.Add("grad_noise_scale", 0.0);
  h.Add("summarize_grads", false);
  h.Add("mlperf_mode", false);
  h.Add("summarize_vars", false);
  h.Add("initializer", "orthogonal");
  h.Add("initializer_gain", 1.5);
  h.Add("label_smoothing", 0.1);
  h.Add("optimizer", "adam");
  h.Add("optimizer_adam_epsilon", 1e-06);
  h.Add("optimizer_adam_beta1", 0.85);
  h.Add("optimizer_adam_beta2", 0.997);
  h.Add("optimizer_momentum_momentum", 0.9);
  h.Add("optimizer_momentum_nesterov", false);
  h.Add("optimizer_adafactor_beta1", 0.0);
  h.Add("optimizer_adafactor_beta2", 0.999);
  h.Add("optimizer_adafactor_factored", true);
  h.Add("optimizer_adafactor_decay_type", "pow");
  h.Add("optimizer_adafactor_memory_exponent", 0.8);
  h.Add("optimizer_adafactor_clipping_threshold", 1.0);
  h.Add("optimizer_adafactor_multiply_by_parameter_scale", true);
  h.Add("optimizer_multistep_accumulate_steps", 0);
  h.Add("mixed_precision_optimizer_loss_scaler", "exponential");
  h.Add("mixed_precision_optimizer_init_loss_scale", 32768);
  h.Add("optimizer_zero_grads", false);
  h.Add("weight_decay", 1e-06);
  h.Add("weight_noise", 0.0);
  h.Add("learning_rate_schedule", "legacy");
  h.Add("learning_rate_constant", 1.0);
  h.Add("learning_rate_decay_scheme", "none");
  h.Add("learning_rate_decay_steps", 5000);
  h.Add("learning_rate_decay_staircase", false);
  h.Add("learning_rate_minimum", 0.0);
  h.Add("learning_rate_decay_rate", 1.0);
  h.Add("learning_rate_warmup_steps", 100);
  h.Add("learning_rate_cosine_cycle_steps", 250000);
  h.Add("learning_rate", 0.1);
  h.Add("sampling_method", "argmax");
  h.Add("sampling_temp", 1.0);
  h.Add("sampling_keep_top_k", -1);
  h.Add("factored_logits", false);
  h.Add("multiply_embedding_mode", "sqrt_depth");
  h.Add("moe_hidden_sizes", "2048");
  h.Add("moe_num_experts", 64);
  h.Add("moe_k", 2);
  h.Add("moe_loss_coef", 0.01);
  h.Add("layer_preprocess_sequence", "none");
  h.Add("layer_postprocess_sequence", "dan");
  h.Add("layer_prepostprocess_dropout", 0.1);
  h.Add("layer_prepostprocess_dropout_broadcast_dims", "");
  h.Add("symbol_dropout", 0.0);
  h.Add("norm_type", "layer");
  h.Add("norm_epsilon", 1e-06);
  h.Add("vocab_divisor", 1);
  h.Add("min_length", 0);
  h.Add("max_length", 0);
  h.Add("pack_dataset", false);
  h.Add("use_custom_ops", true);
  h.Add("split_targets_chunk_length", 0);
  h.Add("split_targets_max_chunks", 100);
  h.Add("split_targets_strided_training", false);
  h.Add("min_length_bucket", 8);
  h.Add("length_bucket_step", 1.1);
  h.Add("eval_drop_long_sequences", false);
  h.Add("eval_run_autoregressive", false);
  h.Add("shared_embedding_and_softmax_weights", false);
  h.Add("shared_embedding", false);
  h.Add("symbol_modality_num_shards", 1);
  h.Add("max_input_seq_length", 0);
  h.Add("max_target_seq_length", 0);
  h.Add("split_to_length", 0);
  h.Add("video_num_input_frames", 1);
  h.Add("video_num_target_frames", 1);
  h.Add("prepend_mode", "none");
  h.Add("scheduled_sampling_prob", 0.0);
  h.Add("scheduled_sampling_method", "parallel");
  h.Add("scheduled_sampling_warmup_steps", 50000);
  h.Add("scheduled_sampling_gold_mixin_prob", 0.5);
  h.Add("scheduled_sampling_num_passes", 1);
  h.Add("scheduled_sampling_warmup_schedule", "exp");
  h.Add("daisy_chain_variables", true);
  h.Add("force_full_predict", false);
  h.Add("no_data_parallelism", false);
  h.Add("activation_dtype", "float32");
  h.Add("weight_dtype", "float32");
  h.Add("pretrained_model_dir", "");
  h.Add("multiproblem_schedule_threshold", 0.5);
  h.Add("multiproblem_per_task_threshold", "");
  h.Add("multiproblem_schedule_max_examples", 10000000.0);
  h.Add("multiproblem_mixing_schedule", "constant");
  h.Add("multiproblem_reweight_label_loss", false);
  h.Add("multiproblem_label_weight", 0.5);
  h.Add("max_relative_position", 0);
  h.Add("heads_share_relative_embedding", false);
  h.Add("add_relative_to_values", false);
  h.Add("tpu_enable_host_call", false);
  h.Add("pad_batch", false);
  h.Add("multiproblem_target_eval_only", false);
  h.Add("multiproblem_vocab_size", -1);
  h.Add("multiproblem_max_input_length", -1);
  h.Add("multiproblem_max_target_length", -1);
  h.Add("multiproblem_fixed_train_length", -1);
  h.Add("warm_start_from_second", "");
  h.Add("area_value_mode", "none");
  h.Add("area_key_mode", "none");
  h.Add("num_area_layers", 0);
  h.Add("max_area_width", 1);
  h.Add("max_area_height", 1);
  h.Add("memory_height", 1);
  h.Add("gpu_automatic_mixed_precision", false);
  return h;
}

T2T_REGISTER_HPARAMS(basic_1) { return BasicParams1(); }

T2T_REGISTER_RANGED_HPARAMS(basic1) {
  constexpr auto kLog = RangedHParams::Scale::kLog;
  ranges->SetDiscrete("batch_size", {1024, 2048, 4096});
  ranges->SetDiscrete("num_hidden_layers", {1, 2, 3, 4, 5, 6});
  ranges->SetDiscrete("hidden_size", {32, 64, 128, 256, 512}, kLog);
  ranges->SetDiscrete("kernel_height", {1, 3, 5, 7});
  ranges->SetDiscrete("kernel_width", {1, 3, 5, 7});
  ranges->SetDiscrete("compress_steps", {0, 1, 2});
  ranges->SetFloat("dropout", 0.0, 0.5);
  ranges->SetFloat("weight_decay", 1e-4, 10.0, kLog);
  ranges->SetFloat("label_smoothing", 0.0, 0.2);
  ranges->SetFloat("clip_grad_norm", 0.01, 50.0, kLog);
  ranges->SetFloat("learning_rate", 0.005, 2.0, kLog);
  ranges->SetCategorical("initializer",
                         {"uniform", "orthogonal", "uniform_unit_scaling"});
  ranges->SetFloat("initializer_gain", 0.5, 3.5);
  ranges->SetCategorical("learning_rate_decay_scheme",
                         {"none", "sqrt", "noam", "exp"});
  ranges->SetFloat("optimizer_adam_epsilon", 1e-7, 1e-2, kLog);
  ranges->SetFloat("optimizer_adam_beta1", 0.8, 0.9);
  ranges->SetFloat("optimizer_adam_beta2", 0.995, 0.999);
  ranges->SetCategorical("optimizer", {"adam", "adagrad", "momentum",
                                       "rms_prop", "sgd", "yellow_fin"});
}

T2T_REGISTER_RANGED_HPARAMS(basic_moe_range) {
  ranges->SetFloat("moe_loss_coef", 0.01, 0.02);
}

}  // namespace t2t
