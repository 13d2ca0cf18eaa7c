// Experiments with the plain Transformer.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// Shazeer and Stern 2018, "Adafactor: Adaptive Learning Rates with Sublinear
// Memory Cost", arXiv:1804.04235.
constexpr HParamsRow kAdafactor[] = {
    {"afx_adam",
     "transformer_base_v2",
     {{"batch_size", 2048},
      {"symbol_modality_num_shards", 1},
      {"optimizer_adam_beta2", 0.999},
      {"learning_rate_schedule",
       "constant*rsqrt_decay*linear_warmup*rsqrt_hidden_size"},
      {"learning_rate_constant", 2.0}}},
    {"afx_adafactor",
     "afx_adam",
     {{"optimizer", "Adafactor"},
      {"learning_rate_schedule", "rsqrt_decay"},
      {"learning_rate_warmup_steps", 10000}}},
    {"afx_mimic_adam",
     "afx_adam",
     {{"optimizer", "adafactor"},
      {"optimizer_adafactor_beta1", 0.9},
      {"optimizer_adafactor_clipping_threshold", 0.0},
      {"optimizer_adafactor_decay_type", "adam"},
      {"optimizer_adafactor_factored", false},
      {"optimizer_adafactor_multiply_by_parameter_scale", false}}},
    {"afx_base", "afx_mimic_adam", {{"optimizer_adafactor_beta1", 0.0}}},
    {"afx_clip2",
     "afx_base",
     {{"optimizer_adafactor_clipping_threshold", 2.0}}},
    {"afx_factored", "afx_base", {{"optimizer_adafactor_factored", true}}},
    {"afx_fast", "afx_base", {{"optimizer_adafactor_beta2", 0.9}}},
    {"afx_relative",
     "afx_base",
     {{"optimizer_adafactor_multiply_by_parameter_scale", true},
      {"learning_rate_schedule", "rsqrt_decay"},
      {"learning_rate_warmup_steps", 10000}}},
    {"afx_clip", "afx_base", {{"optimizer_adafactor_clipping_threshold", 1.0}}},
    {"afx_clip_factored", "afx_clip", {{"optimizer_adafactor_factored", true}}},
    {"afx_pow05",
     "afx_base",
     {{"optimizer_adafactor_decay_type", "pow"},
      {"optimizer_adafactor_memory_exponent", 0.5}}},
    {"afx_pow10", "afx_pow05", {{"optimizer_adafactor_memory_exponent", 1.0}}},
    {"afx_pow08", "afx_pow05", {{"optimizer_adafactor_memory_exponent", 0.8}}},
    {"afx_pow08_clip",
     "afx_pow08",
     {{"optimizer_adafactor_clipping_threshold", 1.0}}},
    {"afx_unscale",
     "afx_base",
     {{"shared_embedding_and_softmax_weights", false},
      {"multiply_embedding_mode", "none"}}},
    {"afx_unscale_relative",
     "afx_unscale",
     {{"optimizer_adafactor_multiply_by_parameter_scale", true},
      {"learning_rate_schedule", "rsqrt_decay"},
      {"learning_rate_warmup_steps", 10000}}},
    {"afx_small",
     "transformer_tpu",
     {{"batch_size", 512},
      {"num_hidden_layers", 3},
      {"filter_size", 1024},
      {"num_heads", 4}}},
    {"afx_small_bfloat16",
     "afx_small",
     {{"weight_dtype", "bfloat16"}, {"activation_dtype", "bfloat16"}}},
    {"afx_small_p8", "afx_small", {{"simulated_parameter_quantize_bits", 8}}},
    {"afx_small_p10", "afx_small", {{"simulated_parameter_quantize_bits", 10}}},
    {"afx_small_p11", "afx_small", {{"simulated_parameter_quantize_bits", 11}}},
    {"afx_small_p12", "afx_small", {{"simulated_parameter_quantize_bits", 12}}},
    {"afx_small_p16", "afx_small", {{"simulated_quantize_bits", 16}}},
};

// Language models of several sizes on LM1B: hNfM has width N and a feed-forward
// layer of width M.
constexpr HParamsRow kLanguageModels[] = {
    {"lmx_base",
     "transformer_tpu",
     {{"batch_size", 4096},
      {"max_length", 256},
      {"shared_embedding_and_softmax_weights", false},
      {"label_smoothing", 0.0},
      {"activation_dtype", "bfloat16"}}},
    {"lmx_h1k_f64k",
     "lmx_base",
     {{"batch_size", 2048}, {"hidden_size", 1024}, {"filter_size", 65536}}},
    {"lmx_h2k_f8k", "lmx_base", {{"hidden_size", 2048}, {"filter_size", 8192}}},
    {"lmx_h3k_f12k",
     "lmx_base",
     {{"batch_size", 2048},
      {"hidden_size", 3072},
      {"filter_size", 12288},
      {"weight_dtype", "bfloat16"}}},
    {"lmx_h4k_f16k",
     "lmx_base",
     {{"batch_size", 1024},
      {"hidden_size", 4096},
      {"filter_size", 16384},
      {"weight_dtype", "bfloat16"}}},
    {"lmx_moe", "lmx_base", {{"ffn_layer", "local_moe_tpu"}}},
    {"lmx_h1k_f4k", "lmx_base", {{"hidden_size", 1024}, {"filter_size", 4096}}},
    {"lmx_moe_h1k_f4k_x32",
     "lmx_h1k_f4k",
     {{"batch_size", 8192},
      {"ffn_layer", "local_moe_tpu"},
      {"moe_num_experts", 32},
      {"weight_dtype", "bfloat16"}}},
    {"lmx_moe_h1k_f8k_x16",
     "lmx_h1k_f4k",
     {{"batch_size", 8192},
      {"filter_size", 8192},
      {"ffn_layer", "local_moe_tpu"},
      {"weight_dtype", "bfloat16"}}},
    {"lmx_relative",
     "lmx_base",
     {{"self_attention_type", "dot_product_relative_v2"},
      {"activation_dtype", "float32"}}},
    {"lmx_relative_nopos", "lmx_relative", {{"pos", "none"}}},
};

// For tests.
constexpr HParamsRow kTeeny[] = {
    {"transformer_teeny",
     "transformer_base",
     {{"hidden_size", 128}, {"filter_size", 128}, {"num_heads", 2}}},
};

}  // namespace

void RegisterTransformerExperimentHParams(HParamsTable* table) {
  table->Add("transformer", kAdafactor);
  table->Add("transformer", kLanguageModels);
  table->Add("transformer", kTeeny);
}

}  // namespace t2t
