#include "t2t/hparams/key_rules.h"

// What each hparam may be. The ranges hold every value of T2T's own sets.

namespace t2t {
namespace {

constexpr Range kAtLeast0 = Range::AtLeast(0);
constexpr Range kAtLeast1 = Range::AtLeast(1);
constexpr Range kSize = Range::Between(1, 1e9);
constexpr Range kSizeOr0 = Range::Between(0, 1e9);  // 0: another's
constexpr Range kLayers = Range::Between(1, 10000);
constexpr Range kLayersOr0 = Range::Between(0, 10000);
constexpr Range kDropout = Range::FromZeroBelow(1);
constexpr Range kShare = Range::Between(0, 1);
constexpr Range kMinus1 = Range::AtLeast(-1);  // -1: none

KeyRule IntsRule(const char* name, Range range) {
  return {name, KeyRule::Kind::kInts, range, ""};
}

std::vector<KeyRule> Sizes() {
  return {
      NumberRule("hidden_size", kSize),
      NumberRule("filter_size", kSize),
      NumberRule("num_heads", Range::Between(1, 65536)),
      NumberRule("num_hidden_layers", kLayers),
      NumberRule("num_encoder_layers", kLayersOr0),
      NumberRule("num_decoder_layers", kLayersOr0),
      NumberRule("attention_key_channels", kSizeOr0),
      NumberRule("attention_value_channels", kSizeOr0),
      NumberRule("parameter_attention_key_channels", kSizeOr0),
      NumberRule("parameter_attention_value_channels", kSizeOr0),
      NumberRule("attention_layer_size", kSize),
      NumberRule("kernel_height", kAtLeast1),
      NumberRule("kernel_width", kAtLeast1),
      NumberRule("compress_steps", kAtLeast0),
      NumberRule("conv_first_kernel", kAtLeast1),
      NumberRule("max_relative_position", kAtLeast0),
      NumberRule("num_area_layers", kAtLeast0),
      NumberRule("max_area_width", kAtLeast1),
      NumberRule("max_area_height", kAtLeast1),
      NumberRule("memory_height", kAtLeast1),
      NumberRule("num_memory_items", kAtLeast0),
      NumberRule("recurrent_memory_batch_size", kAtLeast0),
      NumberRule("vocab_divisor", kAtLeast1),
      NumberRule("symbol_modality_num_shards", kAtLeast1),
      NumberRule("nbr_decoder_problems", kAtLeast1),
      NumberRule("moe_num_experts", kAtLeast1),
      NumberRule("moe_k", kAtLeast1),
      NumberRule("moe_loss_coef", kAtLeast0),
      NumberRule("moe_overhead_train", Range::Above(0)),
      NumberRule("moe_overhead_eval", Range::Above(0)),
      NumberRule("hard_attention_k", kAtLeast0),
      NumberRule("gumbel_noise_weight", kAtLeast0),
      NumberRule("norm_epsilon", kAtLeast0),
      NumberRule("initializer_gain", kAtLeast0),
  };
}

std::vector<KeyRule> Regularizers() {
  return {
      NumberRule("dropout", kDropout),
      NumberRule("attention_dropout", kDropout),
      NumberRule("relu_dropout", kDropout),
      NumberRule("layer_prepostprocess_dropout", kDropout),
      NumberRule("symbol_dropout", kDropout),
      IntsRule("attention_dropout_broadcast_dims", Range::Between(-4, 3)),
      IntsRule("relu_dropout_broadcast_dims", Range::Between(-4, 3)),
      IntsRule("layer_prepostprocess_dropout_broadcast_dims",
               Range::Between(-4, 3)),
      NumberRule("label_smoothing", Range::FromZeroBelow(1)),
      NumberRule("weight_decay", kAtLeast0),
      NumberRule("weight_noise", kAtLeast0),
      NumberRule("grad_noise_scale", kAtLeast0),
      NumberRule("clip_grad_norm", kAtLeast0),
      NumberRule("scheduled_sampling_prob", kShare),
      NumberRule("scheduled_sampling_gold_mixin_prob", kShare),
      NumberRule("scheduled_sampling_num_passes", kAtLeast1),
      NumberRule("scheduled_sampling_warmup_steps", kAtLeast1),
      ChoiceRule("scheduled_sampling_method", "parallel sequential"),
      ChoiceRule("scheduled_sampling_warmup_schedule", "exp linear sigmoid"),
  };
}

std::vector<KeyRule> Optimization() {
  return {
      ChoiceRule("optimizer",
                 "adam true_adam multistep_adam adam_w adamw momentum sgd "
                 "adafactor yellow_fin adagrad rms_prop adadelta ftrl Adam "
                 "TrueAdam MultistepAdam AdamW Momentum SGD Adafactor "
                 "YellowFin Adagrad RMSProp Adadelta Ftrl"),
      NumberRule("optimizer_adam_beta1", kDropout),
      NumberRule("optimizer_adam_beta2", kDropout),
      NumberRule("optimizer_adam_epsilon", kAtLeast0),
      NumberRule("optimizer_momentum_momentum", kShare),
      NumberRule("optimizer_adafactor_beta1", kDropout),
      NumberRule("optimizer_adafactor_beta2", kDropout),
      NumberRule("optimizer_adafactor_memory_exponent", kAtLeast0),
      NumberRule("optimizer_adafactor_clipping_threshold", kAtLeast0),
      ChoiceRule("optimizer_adafactor_decay_type", "pow adam"),
      NumberRule("optimizer_multistep_accumulate_steps", kAtLeast0),
      NumberRule("mixed_precision_optimizer_init_loss_scale", Range::Above(0)),
      {"learning_rate_schedule",
       KeyRule::Kind::kProduct,
       {},
       "constant linear_warmup linear_decay cosdecay single_cycle_cos_decay "
       "multi_cycle_cos_decay rsqrt_decay rsqrt_normalized_decay exp_decay "
       "rsqrt_hidden_size legacy"},
      ChoiceRule("learning_rate_decay_scheme",
                 "- none noam exp piecewise cosine cyclelinear10x sqrt"),
      NumberRule("learning_rate", kAtLeast0),
      NumberRule("learning_rate_constant", kAtLeast0),
      NumberRule("learning_rate_minimum", kAtLeast0),
      NumberRule("learning_rate_warmup_steps", kAtLeast0),
      NumberRule("learning_rate_decay_steps", kAtLeast0),
      NumberRule("learning_rate_decay_rate", kAtLeast0),
      NumberRule("learning_rate_cosine_cycle_steps", kAtLeast0),
  };
}

std::vector<KeyRule> Data() {
  return {
      NumberRule("batch_size", kAtLeast1),
      NumberRule("batch_shuffle_size", kAtLeast0),
      NumberRule("min_length", kAtLeast0),
      NumberRule("max_length", kAtLeast0),
      NumberRule("min_length_bucket", kAtLeast1),
      NumberRule("length_bucket_step", Range::Above(1)),
      NumberRule("max_input_seq_length", kAtLeast0),
      NumberRule("max_target_seq_length", kAtLeast0),
      NumberRule("split_to_length", kAtLeast0),
      NumberRule("split_targets_chunk_length", kAtLeast0),
      NumberRule("split_targets_max_chunks", kAtLeast1),
      NumberRule("video_num_input_frames", kAtLeast0),
      NumberRule("video_num_target_frames", kAtLeast0),
      NumberRule("multiproblem_label_weight", kShare),
      NumberRule("multiproblem_schedule_threshold", kShare),
      NumberRule("multiproblem_max_input_length", kMinus1),
      NumberRule("multiproblem_max_target_length", kMinus1),
      NumberRule("multiproblem_fixed_train_length", kMinus1),
      NumberRule("multiproblem_vocab_size", kMinus1),
      NumberRule("multiproblem_schedule_max_examples", kAtLeast0),
      NumberRule("sampling_temp", kAtLeast0),
      NumberRule("sampling_keep_top_k", kMinus1),
      ChoiceRule("sampling_method", "argmax random"),
      ChoiceRule("prepend_mode",
                 "none prepend_inputs_masked_attention "
                 "prepend_inputs_full_attention"),
  };
}

std::vector<KeyRule> Layers() {
  return {
      ChoiceRule("initializer",
                 "- orthogonal uniform normal_unit_scaling "
                 "uniform_unit_scaling xavier"),
      ChoiceRule("norm_type", "layer batch l2 noam none"),
      {"layer_preprocess_sequence", KeyRule::Kind::kLetters, {}, "n d"},
      {"layer_postprocess_sequence", KeyRule::Kind::kLetters, {}, "n d a z"},
      ChoiceRule("multiply_embedding_mode", "- sqrt_depth none"),
      ChoiceRule("pos", "- timing timing_from_features emb none"),
      ChoiceRule("ffn_layer",
                 "dense_relu_dense conv_hidden_relu conv_relu_conv "
                 "conv_hidden_relu_with_sepconv parameter_attention sru "
                 "local_moe local_moe_tpu none"),
      ChoiceRule("gating_type", "topk vq"),
      ChoiceRule("self_attention_type",
                 "dot_product dot_product_relative dot_product_relative_v2 "
                 "dot_product_unmasked_relative_v2 local_mask_right "
                 "local_relative_mask_right local_within_block_mask_right "
                 "local_unmasked masked_dilated_1d unmasked_dilated_1d"),
      ChoiceRule("area_key_mode",
                 "none mean max sample concat max_concat sum sample_concat "
                 "sample_sum"),
      ChoiceRule("area_value_mode", "none mean max sum"),
      ChoiceRule("attention_mechanism", "bahdanau luong"),
      ChoiceRule("memory_type", "transformer_xl neural_memory"),
      ChoiceRule("activation_dtype", "float32 bfloat16 float16"),
      ChoiceRule("weight_dtype", "float32 bfloat16 float16"),
  };
}

}  // namespace

const std::vector<KeyRule>& KeyRules() {
  static const auto* const rules = [] {
    auto* const all = new std::vector<KeyRule>;
    for (const std::vector<KeyRule>& part :
         {Sizes(), Regularizers(), Optimization(), Data(), Layers()}) {
      all->insert(all->end(), part.begin(), part.end());
    }
    return all;
  }();
  return *rules;
}

}  // namespace t2t
