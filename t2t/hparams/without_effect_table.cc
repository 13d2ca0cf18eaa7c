#include <algorithm>
#include <initializer_list>
#include <set>

#include "t2t/base/strings.h"
#include "t2t/hparams/without_effect.h"
#include "t2t/hparams/without_effect_depth.h"
#include "t2t/hparams/without_effect_mixtures.h"
#include "t2t/hparams/without_reader.h"

namespace t2t {
namespace {

using H = const HParams&;
using Use = const HParamsUse&;

// Hparams that a set lacks switch nothing off.
bool IsAny(H h, const char* name, std::initializer_list<const char*> values) {
  if (!h.Has(name)) return false;
  const std::string& value = h.GetString(name);
  return std::any_of(values.begin(), values.end(),
                     [&](const char* one) { return value == one; });
}

bool IsNone(H h, const char* name, std::initializer_list<const char*> values) {
  return h.Has(name) && !IsAny(h, name, values);
}

bool IsZero(H h, const char* name) {
  return h.Has(name) && h.GetDouble(name) == 0;
}

bool AtMost(H h, const char* name, double most) {
  return h.Has(name) && h.GetDouble(name) <= most;
}

bool HasAnyFactor(H h, std::initializer_list<const char*> factors) {
  if (!h.Has("learning_rate_schedule")) return true;
  for (const std::string& part :
       Split(h.GetString("learning_rate_schedule"), '*')) {
    for (const char* const factor : factors) {
      if (Trim(part) == factor) return true;
    }
  }
  return false;
}

// The legacy factor with one of these schemes.
bool HasScheme(H h, std::initializer_list<const char*> schemes) {
  return HasAnyFactor(h, {"legacy"}) &&
         !IsNone(h, "learning_rate_decay_scheme", schemes);
}

bool HasOptimizer(H h, std::initializer_list<const char*> names) {
  if (!h.Has("optimizer")) return true;
  std::string name = h.GetString("optimizer");
  if (name == "RMSProp") name = "rms_prop";
  if (name == "SGD") name = "sgd";
  name = CamelToSnake(name);
  return std::any_of(names.begin(), names.end(),
                     [&](const char* one) { return name == one; });
}

bool IsTransformer(H h) { return h.Has("self_attention_type"); }

bool HasStep(H h, char step) {
  for (const char* const name :
       {"layer_preprocess_sequence", "layer_postprocess_sequence"}) {
    if (!h.Has(name)) return true;
    const std::string& steps = h.GetString(name);
    if (steps != "none" && steps.find(step) != std::string::npos) return true;
  }
  return false;
}

bool UsesAdam(H h) {
  return HasOptimizer(
      h, {"adam", "true_adam", "multistep_adam", "adam_w", "adamw"});
}

constexpr char kSchedule[] = "learning_rate_schedule";
constexpr char kOptimizer[] = "optimizer";

std::vector<WithoutEffectRow> OfSchedules() {
  return {
      {{"learning_rate"},
       [](H h, Use) { return !HasAnyFactor(h, {"legacy"}); },
       kSchedule,
       "has no factor legacy",
       "use learning_rate_constant (with the factor constant)"},
      {{"learning_rate_constant"},
       [](H h, Use) { return !HasAnyFactor(h, {"constant"}); },
       kSchedule,
       "has no factor constant",
       "add the factor to learning_rate_schedule, or use learning_rate with "
       "the factor legacy"},
      {{"learning_rate_decay_scheme"},
       [](H h, Use) { return !HasAnyFactor(h, {"legacy"}); },
       kSchedule,
       "has no factor legacy",
       "use other factors in learning_rate_schedule (exp_decay, cosdecay)"},
      {{"learning_rate_warmup_steps"},
       [](H h, Use) {
         return !HasAnyFactor(
             h, {"linear_warmup", "cosdecay", "single_cycle_cos_decay",
                 "multi_cycle_cos_decay", "rsqrt_decay",
                 "rsqrt_normalized_decay", "exp_decay", "legacy"});
       },
       kSchedule,
       "has no factor that looks at it",
       "add the factor linear_warmup to learning_rate_schedule"},
      {{"learning_rate_decay_steps"},
       [](H h, Use) {
         return !HasAnyFactor(h, {"linear_decay", "cosdecay",
                                  "multi_cycle_cos_decay", "exp_decay"}) &&
                !HasScheme(h, {"exp"});
       },
       kSchedule,
       "has no factor that looks at it",
       "add the factor linear_decay, cosdecay, multi_cycle_cos_decay or "
       "exp_decay to learning_rate_schedule"},
      {{"learning_rate_decay_rate", "learning_rate_decay_staircase"},
       [](H h, Use) {
         return !HasAnyFactor(h, {"exp_decay"}) && !HasScheme(h, {"exp"});
       },
       kSchedule,
       "does not decay exponentially",
       "add the factor exp_decay to learning_rate_schedule"},
      {{"learning_rate_cosine_cycle_steps"},
       [](H h, Use) { return !HasScheme(h, {"cosine"}); },
       kSchedule,
       "is not legacy with learning_rate_decay_scheme=cosine",
       "use learning_rate_decay_steps with the factor multi_cycle_cos_decay"},
      {{"learning_rate_boundaries", "learning_rate_multiples"},
       [](H h, Use) { return !HasScheme(h, {"piecewise"}); },
       kSchedule,
       "is not legacy with learning_rate_decay_scheme=piecewise",
       "set both"},
  };
}

std::vector<WithoutEffectRow> OfOptimizers() {
  return {
      {{"optimizer_adam_epsilon", "optimizer_adam_beta1",
        "optimizer_adam_beta2"},
       [](H h, Use) { return !UsesAdam(h); },
       kOptimizer,
       "is not Adam",
       "use the hparams of that optimizer"},
      {{"optimizer_momentum_momentum"},
       [](H h, Use) {
         return !HasOptimizer(h, {"momentum", "yellow_fin"});
       },
       kOptimizer,
       "takes no momentum",
       "use optimizer=momentum; Adam's is optimizer_adam_beta1"},
      {{"optimizer_momentum_nesterov"},
       [](H h, Use) { return !HasOptimizer(h, {"momentum"}); },
       kOptimizer,
       "is not momentum",
       "use optimizer=momentum"},
      {{"optimizer_adafactor_beta1", "optimizer_adafactor_factored",
        "optimizer_adafactor_decay_type",
        "optimizer_adafactor_clipping_threshold",
        "optimizer_adafactor_multiply_by_parameter_scale"},
       [](H h, Use) { return !HasOptimizer(h, {"adafactor"}); },
       kOptimizer,
       "is not Adafactor",
       "use optimizer=adafactor"},
      {{"optimizer_adafactor_beta2"},
       [](H h, Use) {
         return !HasOptimizer(h, {"adafactor"}) ||
                IsNone(h, "optimizer_adafactor_decay_type", {"adam"});
       },
       "optimizer_adafactor_decay_type",
       "(or the optimizer) does not look at it",
       "use optimizer_adafactor_memory_exponent, or "
       "optimizer_adafactor_decay_type=adam"},
      {{"optimizer_adafactor_memory_exponent"},
       [](H h, Use) {
         return !HasOptimizer(h, {"adafactor"}) ||
                IsNone(h, "optimizer_adafactor_decay_type", {"pow"});
       },
       "optimizer_adafactor_decay_type",
       "(or the optimizer) does not look at it",
       "use optimizer_adafactor_beta2, or optimizer_adafactor_decay_type=pow"},
  };
}

std::vector<WithoutEffectRow> OfTraining() {
  return {
      {{"scheduled_sampling_method", "scheduled_sampling_warmup_steps",
        "scheduled_sampling_gold_mixin_prob", "scheduled_sampling_num_passes",
        "scheduled_sampling_warmup_schedule"},
       [](H h, Use) { return IsZero(h, "scheduled_sampling_prob"); },
       "scheduled_sampling_prob",
       "switches scheduled sampling off",
       "set scheduled_sampling_prob=1"},
      {{"sampling_temp", "sampling_keep_top_k"},
       [](H h, Use) { return IsAny(h, "sampling_method", {"argmax"}); },
       "sampling_method",
       "does not sample",
       "set sampling_method=random"},
      {{"label_smoothing"},
       [](H, Use use) {
         static const std::set<std::string> kWithout = {
             "symbol_one_hot", "generic_l2", "real_l2", "real_log_poisson",
             "one_hot_class_label"};
         const std::string& modality = use.targets_modality;
         return kWithout.count(modality) > 0 ||
                StartsWith(modality, "sigmoid_") ||
                StartsWith(modality, "softmax_");
       },
       nullptr,
       "the loss of these targets has no smoothing",
       ""},
      {{"split_targets_strided_training"},
       [](H h, Use) { return IsZero(h, "split_targets_chunk_length"); },
       "split_targets_chunk_length",
       "splits no targets",
       "set split_targets_chunk_length"},
      {{"shared_embedding"},
       [](H h, Use) {
         return h.Has("shared_embedding_and_softmax_weights") &&
                h.GetBool("shared_embedding_and_softmax_weights");
       },
       "shared_embedding_and_softmax_weights",
       "shares the embedding too",
       "set shared_embedding_and_softmax_weights=false"},
      {{"initializer_gain"},
       [](H h, Use) {
         return IsAny(h, "initializer", {"", "xavier"});
       },
       "initializer",
       "has no gain",
       "use initializer=uniform_unit_scaling"},
  };
}

// A table: as long as it has rows.
std::vector<WithoutEffectRow> OfLayers() {
  return {
      {{"dropout"},
       [](H h, Use use) {
         return IsTransformer(h) &&
                use.model.find("transformer") != std::string::npos;
       },
       nullptr,
       "the model drops out elsewhere",
       "use layer_prepostprocess_dropout, attention_dropout and relu_dropout"},
      {{"num_hidden_layers"},
       [](H h, Use) {
         return h.Has("num_encoder_layers") && h.Has("num_decoder_layers") &&
                !IsZero(h, "num_encoder_layers") &&
                !IsZero(h, "num_decoder_layers");
       },
       "num_encoder_layers",
       "and num_decoder_layers say it",
       "change those"},
      {{"layer_prepostprocess_dropout",
        "layer_prepostprocess_dropout_broadcast_dims"},
       [](H h, Use) { return IsTransformer(h) && !HasStep(h, 'd'); },
       "layer_postprocess_sequence",
       "has no d, nor has layer_preprocess_sequence",
       "set layer_postprocess_sequence=da"},
      {{"layer_prepostprocess_dropout_broadcast_dims"},
       [](H h, Use) { return IsZero(h, "layer_prepostprocess_dropout"); },
       "layer_prepostprocess_dropout",
       "drops nothing",
       "set layer_prepostprocess_dropout"},
      {{"attention_dropout_broadcast_dims"},
       [](H h, Use) { return IsZero(h, "attention_dropout"); },
       "attention_dropout",
       "drops nothing",
       "set attention_dropout"},
      {{"relu_dropout_broadcast_dims"},
       [](H h, Use) { return IsZero(h, "relu_dropout"); },
       "relu_dropout",
       "drops nothing",
       "set relu_dropout"},
      {{"norm_type", "norm_epsilon"},
       [](H h, Use) { return IsTransformer(h) && !HasStep(h, 'n'); },
       "layer_preprocess_sequence",
       "has no n, nor has layer_postprocess_sequence",
       "set layer_preprocess_sequence=n"},
      {{"norm_epsilon"},
       [](H h, Use) { return IsAny(h, "norm_type", {"none"}); },
       "norm_type",
       "norms nothing",
       "use norm_type=layer"},
      {{"position_features"},
       [](H h, Use) { return IsNone(h, "pos", {"timing_from_features"}); },
       "pos",
       "is not timing_from_features",
       "set pos=timing_from_features"},
      {{"max_relative_position"},
       [](H h, Use) {
         return IsNone(h, "self_attention_type",
                       {"dot_product_relative", "dot_product_relative_v2",
                        "dot_product_unmasked_relative_v2"});
       },
       "self_attention_type",
       "knows no relative positions up to a limit",
       "set self_attention_type=dot_product_relative"},
      {{"heads_share_relative_embedding"},
       [](H h, Use) {
         return IsNone(
             h, "self_attention_type",
             {"dot_product_relative_v2", "dot_product_unmasked_relative_v2",
              "local_relative_mask_right"});
       },
       "self_attention_type",
       "has no embedding of relative positions a head",
       "set self_attention_type=dot_product_relative_v2"},
      {{"add_relative_to_values"},
       [](H h, Use) {
         return IsNone(
             h, "self_attention_type",
             {"dot_product_relative_v2", "dot_product_unmasked_relative_v2",
              "local_relative_mask_right"});
       },
       "self_attention_type",
       "adds no relative positions to values, or always does",
       "set self_attention_type=dot_product_relative_v2"},
      {{"gumbel_noise_weight"},
       [](H h, Use) { return IsZero(h, "hard_attention_k"); },
       "hard_attention_k",
       "is off",
       "set hard_attention_k"},
  };
}

std::vector<WithoutEffectRow> OfFeedForward() {
  return {
      {{"filter_size", "relu_dropout", "relu_dropout_broadcast_dims"},
       [](H h, Use) {
         return IsAny(h, "ffn_layer", {"none", "sru"});
       },
       "ffn_layer",
       "has no hidden layer",
       "set ffn_layer=dense_relu_dense"},
      {{"relu_dropout", "relu_dropout_broadcast_dims"},
       [](H h, Use) {
         return IsAny(h, "ffn_layer",
                      {"parameter_attention", "local_moe", "local_moe_tpu"});
       },
       "ffn_layer",
       "drops nothing there",
       "attention_dropout counts for parameter_attention"},
      {{"moe_num_experts", "moe_k", "gating_type"},
       [](H h, Use use) {
         return IsNone(h, "ffn_layer", {"local_moe", "local_moe_tpu"}) &&
                use.model != "imagetransformer_moe";
       },
       "ffn_layer",
       "has no experts",
       "set ffn_layer=local_moe"},
      {{"moe_hidden_sizes", "moe_loss_coef"},
       [](H h, Use use) {
         for (const char* const model :
              {"", "transformer_moe", "imagetransformer_moe", "super_lm",
               "transformer_symshard"}) {
           if (use.model == model) return false;
         }
         return !IsAny(h, "ffn_layer", {"local_moe_tpu"});
       },
       nullptr,
       "no layer of the model asks for it",
       "ffn_layer=local_moe has experts of filter_size"},
      {{"moe_overhead_train", "moe_overhead_eval"},
       [](H h, Use) { return IsNone(h, "ffn_layer", {"local_moe_tpu"}); },
       "ffn_layer",
       "has no experts with room for so many",
       "set ffn_layer=local_moe_tpu"},
      {{"moe_k", "gating_type", "moe_hidden_sizes"},
       [](H h, Use) { return IsAny(h, "ffn_layer", {"local_moe_tpu"}); },
       "ffn_layer",
       "has two experts of half the filter_size for each position",
       "set ffn_layer=local_moe"},
      {{"parameter_attention_key_channels",
        "parameter_attention_value_channels"},
       [](H h, Use) { return IsNone(h, "ffn_layer", {"parameter_attention"}); },
       "ffn_layer",
       "is no attention",
       "set ffn_layer=parameter_attention"},
      {{"conv_first_kernel"},
       [](H h, Use) { return IsNone(h, "ffn_layer", {"conv_relu_conv"}); },
       "ffn_layer",
       "has no first kernel to size",
       "set ffn_layer=conv_relu_conv"},
  };
}

std::vector<WithoutEffectRow> OfAreasAndMemory() {
  return {
      {{"max_area_width", "max_area_height", "memory_height", "area_key_mode",
        "area_value_mode"},
       [](H h, Use) {
         return IsTransformer(h) && IsZero(h, "num_area_layers");
       },
       "num_area_layers",
       "has no layer with areas",
       "set num_area_layers"},
      {{"num_area_layers", "area_key_mode", "area_value_mode", "memory_height"},
       [](H h, Use) {
         return IsTransformer(h) && !IsZero(h, "num_area_layers") &&
                AtMost(h, "max_area_width", 1) &&
                AtMost(h, "max_area_height", 1);
       },
       "max_area_width",
       "makes areas of one item",
       "set max_area_width"},
      {{"area_key_mode", "area_value_mode"},
       [](H h, Use) {
         return h.Has("attention_mechanism") && AtMost(h, "max_area_width", 1);
       },
       "max_area_width",
       "makes areas of one item",
       "set max_area_width"},
      {{"num_area_layers", "max_area_height", "memory_height"},
       [](H, Use use) { return StartsWith(use.model, "lstm"); },
       nullptr,
       "the LSTM's areas have a width alone",
       "use max_area_width"},
      {{"attention_mechanism", "attention_layer_size", "output_attention",
        "attention_masks_padding", "num_heads"},
       [](H, Use use) {
         return StartsWith(use.model, "lstm") &&
                use.model.find("attention") == std::string::npos;
       },
       nullptr,
       "the model has no attention",
       "use the model lstm_seq2seq_attention"},
      {{"unconditional"},
       [](H, Use use) {
         return !use.model.empty() && use.model != "transformer_memory" &&
                !StartsWith(use.model, "imagetransformer");
       },
       nullptr,
       "the model always is, or never",
       "use the model transformer_memory or imagetransformer"},
      {{"memory_type", "num_memory_items", "recurrent_memory_batch_size"},
       [](H, Use use) {
         return !use.model.empty() && use.model != "transformer_memory";
       },
       nullptr,
       "the model has no memory",
       "use the model transformer_memory"},
      {{"num_memory_items", "recurrent_memory_batch_size"},
       [](H h, Use) { return IsAny(h, "memory_type", {"neural_memory"}); },
       "memory_type",
       "has a size of its own",
       "set memory_type=transformer_xl"},
  };
}

}  // namespace

const std::vector<WithoutEffectRow>& WithoutEffectRows() {
  static const auto* const rows = [] {
    auto* const all = new std::vector<WithoutEffectRow>;
    for (const std::vector<WithoutEffectRow>& part :
         {OfSchedules(), OfOptimizers(), OfTraining(), OfLayers(),
          OfFeedForward(), OfAreasAndMemory(), OfMixtures(), OfDepth(),
          WithoutReader()}) {
      all->insert(all->end(), part.begin(), part.end());
    }
    return all;
  }();
  return *rows;
}

}  // namespace t2t
