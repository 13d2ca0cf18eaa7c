#include "models/transformer_config.h"

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"

namespace t2t {
namespace {

std::vector<int64_t> IntList(const HParams& hparams, const std::string& name) {
  std::vector<int64_t> list;
  for (const std::string& part : Split(StringOr(hparams, name, ""), ',')) {
    if (part.empty()) continue;
    int64_t value;
    if (!ParseInt(part, &value)) {
      throw UsageError(name + "=" + hparams.GetString(name),
                       "whole numbers with commas between",
                       "change it in --hparams");
    }
    list.push_back(value);
  }
  return list;
}

void SayOnce(const std::string& text) {
  static std::mutex mutex;
  static auto* said = new std::set<std::string>;
  std::lock_guard<std::mutex> lock(mutex);
  if (said->insert(text).second) Log(text);
}

// Values that ask for a mechanism of TPUs or TensorFlow.
void NoteWithoutEffect(const HParams& hparams) {
  const auto note = [&](const std::string& name, const std::string& why) {
    SayOnce(name + "=" + HParams::ValueToString(hparams.Get(name)) +
            " has no effect here: " + why);
  };
  if (StringOr(hparams, "weight_dtype", "float32") != "float32") {
    note("weight_dtype", "weights are kept in fp32");
  }
  if (BoolOr(hparams, "mlperf_mode", false)) {
    note("mlperf_mode", "it only writes MLPerf's log lines in T2T");
  }
  if (BoolOr(hparams, "gpu_automatic_mixed_precision", false)) {
    note("gpu_automatic_mixed_precision",
         "use activation_dtype=bfloat16 for mixed precision");
  }
  if (BoolOr(hparams, "tpu_enable_host_call", false)) {
    note("tpu_enable_host_call", "there is no TPU");
  }
  if (BoolOr(hparams, "no_data_parallelism", false)) {
    note("no_data_parallelism", "a process runs one model");
  }
  if (BoolOr(hparams, "factored_logits", false)) {
    note("factored_logits", "the loss never keeps all logits' probabilities");
  }
  if (!BoolOr(hparams, "use_pad_remover", true)) {
    note("use_pad_remover", "padding never changes what is not padding");
  }
}

// layer_preprocess and layer_postprocess.
void ReadPrePost(const HParams& hparams, TransformerConfig* config) {
  config->preprocess.dropout = config->sequence.dropout;
  config->preprocess.dropout_broadcast_dims =
      IntList(hparams, "layer_prepostprocess_dropout_broadcast_dims");
  config->preprocess.norm_type = hparams.GetString("norm_type");
  config->preprocess.norm_epsilon = hparams.GetDouble("norm_epsilon");
  config->preprocess.depth = config->sequence.hidden_size;
  config->postprocess = config->preprocess;
  config->preprocess.sequence = hparams.GetString("layer_preprocess_sequence");
  config->postprocess.sequence =
      hparams.GetString("layer_postprocess_sequence");
}

AttentionOptions ReadAttention(const HParams& hparams, int64_t hidden_size) {
  AttentionOptions attention;
  const int64_t keys = IntOr(hparams, "attention_key_channels", 0);
  const int64_t values = IntOr(hparams, "attention_value_channels", 0);
  attention.input_size = hidden_size;
  attention.output_size = hidden_size;
  attention.key_channels = keys != 0 ? keys : hidden_size;
  attention.value_channels = values != 0 ? values : hidden_size;
  attention.heads = hparams.GetInt("num_heads");
  attention.dropout = hparams.GetDouble("attention_dropout");
  attention.dropout_broadcast_dims =
      IntList(hparams, "attention_dropout_broadcast_dims");
  attention.max_relative_position = IntOr(hparams, "max_relative_position", 0);
  attention.heads_share_relative_embedding =
      BoolOr(hparams, "heads_share_relative_embedding", false);
  attention.add_relative_to_values =
      BoolOr(hparams, "add_relative_to_values", false);
  attention.variables_3d = BoolOr(hparams, "attention_variables_3d", false);
  attention.hard_attention_k = IntOr(hparams, "hard_attention_k", 0);
  attention.gumbel_noise_weight = DoubleOr(hparams, "gumbel_noise_weight", 0.0);
  return attention;
}

void ReadAreas(const HParams& hparams, TransformerConfig* config) {
  config->area_layers = IntOr(hparams, "num_area_layers", 0);
  AreaOptions& area = config->encoder_area;
  area.max_width = IntOr(hparams, "max_area_width", 1);
  area.max_height = IntOr(hparams, "max_area_height", 1);
  area.height = IntOr(hparams, "memory_height", 1);
  area.key_mode = StringOr(hparams, "area_key_mode", "none");
  area.value_mode = StringOr(hparams, "area_value_mode", "none");
  config->decoder_area = area;
  // T2T's decoder does not know memory_height.
  config->decoder_area.height = area.max_height;
}

FfnOptions ReadFfn(const HParams& hparams, int64_t hidden_size) {
  FfnOptions ffn;
  const int64_t ffn_keys =
      IntOr(hparams, "parameter_attention_key_channels", 0);
  const int64_t ffn_values =
      IntOr(hparams, "parameter_attention_value_channels", 0);
  ffn.type = StringOr(hparams, "ffn_layer", "dense_relu_dense");
  ffn.hidden_size = hidden_size;
  ffn.filter_size = hparams.GetInt("filter_size");
  ffn.dropout = hparams.GetDouble("relu_dropout");
  ffn.dropout_broadcast_dims = IntList(hparams, "relu_dropout_broadcast_dims");
  ffn.conv_first_kernel = IntOr(hparams, "conv_first_kernel", 3);
  ffn.key_channels = ffn_keys != 0 ? ffn_keys : hidden_size;
  ffn.value_channels = ffn_values != 0 ? ffn_values : hidden_size;
  ffn.heads = hparams.GetInt("num_heads");
  ffn.attention_dropout = hparams.GetDouble("attention_dropout");
  ffn.experts = IntOr(hparams, "moe_num_experts", 64);
  ffn.experts_per_token = IntOr(hparams, "moe_k", 1);
  ffn.overhead_train = DoubleOr(hparams, "moe_overhead_train", 1.0);
  ffn.overhead_eval = DoubleOr(hparams, "moe_overhead_eval", 2.0);
  ffn.loss_weight = DoubleOr(hparams, "moe_loss_coef", 1e-3);
  ffn.gating = StringOr(hparams, "gating_type", "topk");
  return ffn;
}

}  // namespace

TransformerConfig TransformerConfig::FromHParams(const HParams& hparams) {
  NoteWithoutEffect(hparams);
  TransformerConfig config;
  config.sequence = SequenceOptions::FromHParams(hparams);
  const int64_t layers = hparams.GetInt("num_hidden_layers");
  const auto layers_or = [&](const char* name) {
    const int64_t own = IntOr(hparams, name, 0);
    return own != 0 ? own : layers;
  };
  config.encoder_layers = layers_or("num_encoder_layers");
  config.decoder_layers = layers_or("num_decoder_layers");
  ReadPrePost(hparams, &config);
  config.memory_attention = ReadAttention(hparams, config.sequence.hidden_size);
  config.self_attention = config.memory_attention;
  config.self_attention.type =
      StringOr(hparams, "self_attention_type", "dot_product");
  ReadAreas(hparams, &config);
  config.ffn = ReadFfn(hparams, config.sequence.hidden_size);
  return config;
}

}  // namespace t2t
