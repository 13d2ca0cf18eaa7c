#include "models/transformer_body.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr int64_t kTargetSpaces = 32;

// The hparams of old T2T checkpoints lack the younger names.
int64_t IntOr(const HParams& hparams, const std::string& name, int64_t other) {
  return hparams.Has(name) ? hparams.GetInt(name) : other;
}
double DoubleOr(const HParams& hparams, const std::string& name, double other) {
  return hparams.Has(name) ? hparams.GetDouble(name) : other;
}
bool BoolOr(const HParams& hparams, const std::string& name, bool other) {
  return hparams.Has(name) ? hparams.GetBool(name) : other;
}
std::string StringOr(const HParams& hparams, const std::string& name,
                     const std::string& other) {
  return hparams.Has(name) ? hparams.GetString(name) : other;
}

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

at::Tensor Nonpadding(const Features& features, const std::string& name) {
  const auto found = features.find(name + "_segmentation");
  if (found == features.end()) return at::Tensor();
  return found->second.clamp_max(1).to(at::kFloat);
}

const at::Tensor& FeatureTensor(const Features& features,
                                const std::string& name) {
  const auto found = features.find(name);
  if (found == features.end()) {
    throw DataError("the batch has no feature '" + name + "'",
                    "the features that hparams and model ask for");
  }
  return found->second;
}

// position: hparams' pos; table: of "emb"; name: "inputs" or "targets".
at::Tensor AddPositionTo(const at::Tensor& x, const TransformerConfig& config,
                         const at::Tensor& table, const Features& features,
                         const std::string& name, int64_t start) {
  const int64_t length = x.size(1);
  const int64_t channels = x.size(2);
  const auto packed = features.find(name + "_position");
  if (config.position == "timing") {
    if (packed != features.end()) {
      return x + TimingSignalAt(packed->second, channels);
    }
    return x + TimingSignal(length, channels, start);
  }
  if (config.position == "emb") {
    if (packed != features.end()) {
      return x + at::embedding(table, packed->second);
    }
    return x + PositionalEmbedding(table, length, start);
  }
  if (config.position == "timing_from_features") {
    std::vector<at::Tensor> positions;
    for (const std::string& feature : config.position_features) {
      positions.push_back(
          feature.empty()
              ? at::arange(start, start + length, OnDevice(at::kLong))
                    .unsqueeze(0)
                    .expand({x.size(0), length})
              : FeatureTensor(features, feature).reshape({x.size(0), -1}));
    }
    return x + TimingSignalsAt(positions, channels);
  }
  return x;
}

// For sequences without padding.
at::Tensor AddRaggedPosition(const at::Tensor& x,
                             const TransformerConfig& config,
                             const at::Tensor& table, const RaggedRows& rows) {
  if (config.position == "timing") {
    const int64_t length = rows.positions.max().item<int64_t>() + 1;
    return x + TimingSignal(length, x.size(2))
                   .squeeze(0)
                   .index_select(0, rows.positions.squeeze(0));
  }
  if (config.position == "emb") {
    const int64_t length = rows.positions.max().item<int64_t>() + 1;
    return x + at::embedding(PositionalEmbedding(table, length).squeeze(0),
                             rows.positions);
  }
  return x;
}

std::string LayerName(int64_t index) {
  return "layer_" + std::to_string(index);
}

// Area attention is the first layers' alone.
AttentionOptions WithAreas(AttentionOptions options, const AreaOptions& area,
                           int64_t layer, const TransformerConfig& config) {
  if (layer < config.area_layers) options.area = area;
  return options;
}

at::Tensor MakePositionTable(const Scope& body, const TransformerConfig& config,
                             const std::string& name) {
  if (config.position != "emb") return at::Tensor();
  if (config.max_length < 1) {
    throw UsageError(
        "pos=emb with max_length=" + std::to_string(config.max_length),
        "the number of positions to learn",
        "set --hparams=max_length=256, say");
  }
  return body.Param(name, {config.max_length, config.hidden_size});
}

}  // namespace

TransformerConfig TransformerConfig::FromHParams(const HParams& hparams) {
  NoteWithoutEffect(hparams);
  TransformerConfig config;
  config.hidden_size = hparams.GetInt("hidden_size");
  if (config.hidden_size < 1) {
    throw UsageError("hidden_size=" + std::to_string(config.hidden_size),
                     "at least 1", "change --hparams=hidden_size=...");
  }
  const int64_t layers = hparams.GetInt("num_hidden_layers");
  const auto layers_or = [&](const char* name) {
    const int64_t own = IntOr(hparams, name, 0);
    return own != 0 ? own : layers;
  };
  config.encoder_layers = layers_or("num_encoder_layers");
  config.decoder_layers = layers_or("num_decoder_layers");
  config.layer_dropout = hparams.GetDouble("layer_prepostprocess_dropout");

  config.preprocess.dropout = config.layer_dropout;
  config.preprocess.dropout_broadcast_dims =
      IntList(hparams, "layer_prepostprocess_dropout_broadcast_dims");
  config.preprocess.norm_type = hparams.GetString("norm_type");
  config.preprocess.norm_epsilon = hparams.GetDouble("norm_epsilon");
  config.preprocess.depth = config.hidden_size;
  config.postprocess = config.preprocess;
  config.preprocess.sequence = hparams.GetString("layer_preprocess_sequence");
  config.postprocess.sequence = hparams.GetString("layer_postprocess_sequence");

  AttentionOptions& attention = config.self_attention;
  const int64_t keys = IntOr(hparams, "attention_key_channels", 0);
  const int64_t values = IntOr(hparams, "attention_value_channels", 0);
  attention.input_size = config.hidden_size;
  attention.output_size = config.hidden_size;
  attention.key_channels = keys != 0 ? keys : config.hidden_size;
  attention.value_channels = values != 0 ? values : config.hidden_size;
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
  config.memory_attention = attention;
  attention.type = StringOr(hparams, "self_attention_type", "dot_product");

  config.area_layers = IntOr(hparams, "num_area_layers", 0);
  AreaOptions& area = config.encoder_area;
  area.max_width = IntOr(hparams, "max_area_width", 1);
  area.max_height = IntOr(hparams, "max_area_height", 1);
  area.height = IntOr(hparams, "memory_height", 1);
  area.key_mode = StringOr(hparams, "area_key_mode", "none");
  area.value_mode = StringOr(hparams, "area_value_mode", "none");
  config.decoder_area = area;
  // T2T's decoder does not know memory_height.
  config.decoder_area.height = area.max_height;

  FfnOptions& ffn = config.ffn;
  const int64_t ffn_keys =
      IntOr(hparams, "parameter_attention_key_channels", 0);
  const int64_t ffn_values =
      IntOr(hparams, "parameter_attention_value_channels", 0);
  ffn.type = StringOr(hparams, "ffn_layer", "dense_relu_dense");
  ffn.hidden_size = config.hidden_size;
  ffn.filter_size = hparams.GetInt("filter_size");
  ffn.dropout = hparams.GetDouble("relu_dropout");
  ffn.dropout_broadcast_dims = IntList(hparams, "relu_dropout_broadcast_dims");
  ffn.conv_first_kernel = IntOr(hparams, "conv_first_kernel", 3);
  ffn.key_channels = ffn_keys != 0 ? ffn_keys : config.hidden_size;
  ffn.value_channels = ffn_values != 0 ? ffn_values : config.hidden_size;
  ffn.heads = attention.heads;
  ffn.attention_dropout = attention.dropout;
  ffn.experts = IntOr(hparams, "moe_num_experts", 64);
  ffn.experts_per_token = IntOr(hparams, "moe_k", 1);
  ffn.gating = StringOr(hparams, "gating_type", "topk");

  config.position = StringOr(hparams, "pos", "timing");
  if (config.position.empty()) config.position = "none";
  static const std::set<std::string> kPositions = {
      "timing", "timing_from_features", "emb", "none"};
  if (kPositions.count(config.position) == 0) {
    throw UsageError("pos=" + config.position + " is not supported",
                     "timing, timing_from_features, emb or none",
                     "change --hparams=pos=...");
  }
  if (config.position == "timing_from_features") {
    config.position_features =
        Split(StringOr(hparams, "position_features", ""), ',');
    if (config.position_features.empty()) config.position_features = {""};
  }
  config.max_length = IntOr(hparams, "max_length", 0);
  config.proximity_bias = BoolOr(hparams, "proximity_bias", false);
  config.causal_decoder_self_attention =
      BoolOr(hparams, "causal_decoder_self_attention", true);
  config.use_target_space_embedding =
      BoolOr(hparams, "use_target_space_embedding", true);
  config.unidirectional_encoder =
      BoolOr(hparams, "unidirectional_encoder", false);
  const std::string prepend = StringOr(hparams, "prepend_mode", "none");
  if (prepend != "none" && prepend != "prepend_inputs_masked_attention" &&
      prepend != "prepend_inputs_full_attention") {
    throw UsageError("prepend_mode=" + prepend,
                     "none, prepend_inputs_masked_attention or "
                     "prepend_inputs_full_attention",
                     "change --hparams=prepend_mode=...");
  }
  config.prepend_full_attention = prepend == "prepend_inputs_full_attention";

  const std::string type = StringOr(hparams, "activation_dtype", "float32");
  if (type == "bfloat16") {
    config.activation_type = at::kBFloat16;
  } else if (type == "float16") {
    config.activation_type = at::kHalf;
  } else if (type != "float32") {
    throw UsageError("activation_dtype=" + type, "float32, bfloat16 or float16",
                     "change --hparams=activation_dtype=...");
  }
  return config;
}

bool TransformerConfig::CanBeRagged() const {
  static const std::set<std::string> kPointwise = {
      "dense_relu_dense", "conv_hidden_relu", "parameter_attention", "none"};
  return activation_type == at::kFloat && position != "timing_from_features" &&
         !proximity_bias && causal_decoder_self_attention &&
         !prepend_full_attention && !unidirectional_encoder &&
         preprocess.dropout_broadcast_dims.empty() &&
         self_attention.type == "dot_product" &&
         (area_layers == 0 || !encoder_area.enabled()) &&
         self_attention.hard_attention_k == 0 &&
         self_attention.dropout_broadcast_dims.empty() &&
         ffn.dropout_broadcast_dims.empty() && kPointwise.count(ffn.type) > 0;
}

Autocast::Autocast(at::ScalarType type)
    : active_(type != at::kFloat),
      device_(ComputeDevice().type()),
      was_enabled_(at::autocast::is_autocast_enabled(device_)),
      old_type_(at::autocast::get_autocast_dtype(device_)) {
  if (!active_) return;
  at::autocast::increment_nesting();
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, type);
}

Autocast::~Autocast() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, old_type_);
}

struct TransformerEncoderStack::Layer {
  Layer(const Scope& scope, int64_t index, const TransformerConfig& config)
      : unit(scope.prefix()),
        before_attention(scope.Sub("self_attention"), "layer_prepostprocess",
                         config.preprocess),
        attention(scope.Sub("self_attention"),
                  WithAreas(config.self_attention, config.encoder_area, index,
                            config)),
        after_attention(scope.Sub("self_attention"), "layer_postprocess",
                        config.postprocess),
        before_ffn(scope.Sub("ffn"), "layer_prepostprocess", config.preprocess),
        ffn(MakeFfn(scope.Sub("ffn"), config.ffn)),
        after_ffn(scope.Sub("ffn"), "layer_postprocess", config.postprocess) {}

  std::string unit;
  PrePost before_attention;
  MultiheadAttention attention;
  PrePost after_attention;
  PrePost before_ffn;
  std::unique_ptr<Ffn> ffn;
  PrePost after_ffn;
};

TransformerEncoderStack::TransformerEncoderStack(
    const Scope& body, const TransformerConfig& config)
    : config_(config), parallel_(ModelParallel::Current()) {
  if (config.use_target_space_embedding) {
    target_space_ = body.Sub("target_space_embedding")
                        .Param("kernel", {kTargetSpaces, config.hidden_size});
  }
  positions_ = MakePositionTable(body, config, "inputs_positional_embedding");
  const Scope own = body.Sub("encoder");
  for (int64_t i = 0; i < config.encoder_layers; ++i) {
    layers_.push_back(
        std::make_unique<Layer>(own.Sub(LayerName(i)), i, config));
  }
  final_ =
      std::make_unique<PrePost>(own, "layer_prepostprocess", config.preprocess);
}

TransformerEncoderStack::~TransformerEncoderStack() = default;

std::vector<std::string> TransformerEncoderStack::UnitNames() const {
  std::vector<std::string> names;
  for (const auto& layer : layers_) names.push_back(layer->unit);
  return names;
}

at::Tensor TransformerEncoderStack::AddTargetSpace(const at::Tensor& x,
                                                   int64_t id) const {
  if (!config_.use_target_space_embedding) return x;
  if (id < 0 || id >= kTargetSpaces) {
    throw UsageError("the problem's target_space_id is " + std::to_string(id),
                     "below " + std::to_string(kTargetSpaces),
                     "set --hparams=use_target_space_embedding=False");
  }
  return x + target_space_[id];
}

at::Tensor TransformerEncoderStack::Ragged(const at::Tensor& inputs,
                                           const RaggedRows& rows,
                                           int64_t target_space_id,
                                           bool training) const {
  at::Tensor x = AddRaggedPosition(AddTargetSpace(inputs, target_space_id),
                                   config_, positions_, rows);
  if (training) x = Dropout(x, config_.layer_dropout);
  const ModelParallel::SplitLength split(parallel_, x.size(1));
  x = split.Split(x);
  for (const auto& layer : layers_) {
    x = EnterUnit(layer->unit, x);
    at::Tensor y = layer->before_attention({}, x, training);
    y = layer->attention.RaggedSelf(y, rows.offsets, /*causal=*/false,
                                    training);
    x = layer->after_attention(x, y, training);
    y = layer->before_ffn({}, x, training);
    y = layer->ffn->Apply(y, {}, /*left=*/false, training);
    x = LeaveUnit(layer->unit, layer->after_ffn(x, y, training));
  }
  return split.Join((*final_)({}, x, training));
}

Encoded TransformerEncoderStack::operator()(const at::Tensor& inputs,
                                            int64_t target_space_id,
                                            const Features& features,
                                            bool training) const {
  const int64_t length = inputs.size(1);
  Encoded encoded;
  at::Tensor bias;
  at::Tensor nonpadding = Nonpadding(features, "inputs");
  if (nonpadding.defined()) {
    const at::Tensor& segments = FeatureTensor(features, "inputs_segmentation");
    bias = BiasSameSegment(segments, segments);
    const auto targets = features.find("targets_segmentation");
    if (targets != features.end()) {
      encoded.memory_bias = BiasSameSegment(targets->second, segments);
    }
  } else {
    const at::Tensor padding = EmbeddingToPadding(inputs);
    nonpadding = 1.0 - padding;
    bias = BiasIgnorePadding(padding);
    encoded.memory_bias = bias;
  }
  if (config_.unidirectional_encoder) bias = BiasLowerTriangle(length);
  if (config_.proximity_bias) bias = bias + BiasProximal(length);

  at::Tensor x = AddTargetSpace(inputs, target_space_id);
  x = AddPositionTo(x, config_, positions_, features, "inputs", 0);
  if (training) x = Dropout(x, config_.layer_dropout);

  const ModelParallel::SplitLength split(parallel_, length);
  x = split.Split(x);
  for (const auto& layer : layers_) {
    x = EnterUnit(layer->unit, x);
    at::Tensor y = layer->before_attention({}, x, training);
    y = layer->attention.SelfAttention(y, bias, training);
    x = layer->after_attention(x, y, training);
    y = layer->before_ffn({}, x, training);
    y = layer->ffn->Apply(y, nonpadding, /*left=*/false, training);
    if (config_.remove_padding) y = y * split.Own(nonpadding).unsqueeze(2);
    x = LeaveUnit(layer->unit, layer->after_ffn(x, y, training));
  }
  encoded.output = split.Join((*final_)({}, x, training));
  return encoded;
}

struct TransformerDecoderStack::Layer {
  Layer(const Scope& scope, int64_t index, const TransformerConfig& config,
        bool has_memory)
      : unit(scope.prefix()),
        before_attention(scope.Sub("self_attention"), "layer_prepostprocess",
                         config.preprocess),
        attention(scope.Sub("self_attention"),
                  WithAreas(config.self_attention, config.decoder_area, index,
                            config)),
        after_attention(scope.Sub("self_attention"), "layer_postprocess",
                        config.postprocess),
        before_ffn(scope.Sub("ffn"), "layer_prepostprocess", config.preprocess),
        ffn(MakeFfn(scope.Sub("ffn"), config.ffn)),
        after_ffn(scope.Sub("ffn"), "layer_postprocess", config.postprocess) {
    if (config.memory.enabled()) {
      recurrent = std::make_unique<RecurrentMemory>(
          scope.Sub("self_attention").Sub("multihead_attention"),
          LayerName(index), config.memory);
    }
    if (!has_memory) return;
    const Scope own = scope.Sub("encdec_attention");
    before_memory = std::make_unique<PrePost>(own, "layer_prepostprocess",
                                              config.preprocess);
    memory = std::make_unique<MultiheadAttention>(
        own,
        WithAreas(config.memory_attention, config.decoder_area, index, config));
    after_memory =
        std::make_unique<PrePost>(own, "layer_postprocess", config.postprocess);
  }

  std::string unit;
  PrePost before_attention;
  MultiheadAttention attention;
  std::unique_ptr<RecurrentMemory> recurrent;  // often none
  PrePost after_attention;
  std::unique_ptr<PrePost> before_memory;
  std::unique_ptr<MultiheadAttention> memory;
  std::unique_ptr<PrePost> after_memory;
  PrePost before_ffn;
  std::unique_ptr<Ffn> ffn;
  PrePost after_ffn;
};

TransformerDecoderStack::TransformerDecoderStack(
    const Scope& body, const TransformerConfig& config, bool has_memory)
    : config_(config), parallel_(ModelParallel::Current()) {
  if (parallel_ != nullptr && config_.memory.enabled()) {
    throw UsageError("transformer_memory in a model that --mesh_shape splits",
                     "a mesh without model, or the model transformer");
  }
  if (parallel_ != nullptr && parallel_->layout().length &&
      !config.preprocess.dropout_broadcast_dims.empty()) {
    throw UsageError(
        "layer_prepostprocess_dropout_broadcast_dims with length:model in "
        "--layout",
        "none", "set it to '' in --hparams, or leave length out of --layout");
  }
  positions_ = MakePositionTable(body, config, "targets_positional_embedding");
  const Scope own = body.Sub("decoder");
  for (int64_t i = 0; i < config.decoder_layers; ++i) {
    layers_.push_back(
        std::make_unique<Layer>(own.Sub(LayerName(i)), i, config, has_memory));
  }
  final_ =
      std::make_unique<PrePost>(own, "layer_prepostprocess", config.preprocess);
}

TransformerDecoderStack::~TransformerDecoderStack() = default;

std::vector<std::string> TransformerDecoderStack::UnitNames() const {
  std::vector<std::string> names;
  for (const auto& layer : layers_) names.push_back(layer->unit);
  return names;
}

TransformerDecoderStack::Memories TransformerDecoderStack::StartMemories(
    int64_t rows) const {
  Memories memories;
  for (const auto& layer : layers_) {
    memories.push_back(layer->recurrent->Start(rows));
  }
  return memories;
}

TransformerDecoderStack::Memories TransformerDecoderStack::MakeMemories(
    int64_t rows, ParamStore* params) const {
  Memories memories;
  for (const auto& layer : layers_) {
    memories.push_back(layer->recurrent->MakeBuffers(
        LayerName(static_cast<int64_t>(memories.size())), rows, params));
  }
  return memories;
}

at::Tensor TransformerDecoderStack::Chunk(
    const at::Tensor& targets, const at::Tensor& chunk, const Encoded& encoded,
    const Features& features, bool training, Memories* memories) const {
  const AtChunk at_chunk{chunk, memories};
  return Run(targets, encoded, features, training, &at_chunk);
}

at::Tensor TransformerDecoderStack::Run(const at::Tensor& targets,
                                        const Encoded& encoded,
                                        const Features& features, bool training,
                                        const AtChunk* at_chunk) const {
  const int64_t length = targets.size(1);
  at::Tensor bias;
  if (!config_.causal_decoder_self_attention) {
    bias = BiasIgnorePadding(EmbeddingToPadding(targets));
  } else if (config_.prepend_full_attention) {
    bias = BiasPrependInputsFull(EmbeddingToPadding(targets));
  } else {
    bias = BiasLowerTriangle(length);
  }
  const at::Tensor nonpadding = Nonpadding(features, "targets");
  if (nonpadding.defined()) {
    const at::Tensor& segments =
        FeatureTensor(features, "targets_segmentation");
    bias = bias + BiasSameSegment(segments, segments);
  }
  if (config_.proximity_bias) bias = bias + BiasProximal(length);

  at::Tensor x = AddPositionTo(ShiftRight(targets), config_, positions_,
                               features, "targets", 0);
  if (training) x = Dropout(x, config_.layer_dropout);

  const ModelParallel::SplitLength split(parallel_, length);
  x = split.Split(x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto& layer = layers_[i];
    x = EnterUnit(layer->unit, x);
    at::Tensor y = layer->before_attention({}, x, training);
    y = at_chunk == nullptr ? layer->attention.SelfAttention(y, bias, training)
                            : layer->recurrent->Attend(
                                  layer->attention, y, bias, at_chunk->chunk,
                                  training, &(*at_chunk->memories)[i]);
    x = layer->after_attention(x, y, training);
    if (layer->memory != nullptr) {
      y = (*layer->before_memory)({}, x, training);
      y = layer->memory->MemoryAttention(y, encoded.output, encoded.memory_bias,
                                         training);
      x = (*layer->after_memory)(x, y, training);
    }
    y = layer->before_ffn({}, x, training);
    y = layer->ffn->Apply(y, nonpadding, /*left=*/true, training);
    x = LeaveUnit(layer->unit, layer->after_ffn(x, y, training));
  }
  return split.Join((*final_)({}, x, training));
}

at::Tensor TransformerDecoderStack::Ragged(const at::Tensor& shifted,
                                           const RaggedRows& rows,
                                           const at::Tensor& memory,
                                           const RaggedRows& memory_rows,
                                           bool training) const {
  at::Tensor x = AddRaggedPosition(shifted, config_, positions_, rows);
  if (training) x = Dropout(x, config_.layer_dropout);
  const ModelParallel::SplitLength split(parallel_, x.size(1));
  x = split.Split(x);
  for (const auto& layer : layers_) {
    x = EnterUnit(layer->unit, x);
    at::Tensor y = layer->before_attention({}, x, training);
    y = layer->attention.RaggedSelf(y, rows.offsets, /*causal=*/true, training);
    x = layer->after_attention(x, y, training);
    if (layer->memory != nullptr) {
      y = (*layer->before_memory)({}, x, training);
      y = layer->memory->RaggedMemory(y, rows.offsets, memory,
                                      memory_rows.offsets, training);
      x = (*layer->after_memory)(x, y, training);
    }
    y = layer->before_ffn({}, x, training);
    y = layer->ffn->Apply(y, {}, /*left=*/true, training);
    x = LeaveUnit(layer->unit, layer->after_ffn(x, y, training));
  }
  return split.Join((*final_)({}, x, training));
}

void TransformerDecodeState::Select(const at::Tensor& rows) {
  const at::Tensor chosen = rows.to(at::kLong).contiguous();
  const int64_t* old = chosen.const_data_ptr<int64_t>();
  const int64_t count = chosen.numel();
  for (int64_t i = 0; i < count; ++i) {
    if (old[i] < 0 || old[i] >= rows_) {
      throw Error(ExitCode::kInternal, "row " + std::to_string(old[i]) +
                                           " of " + std::to_string(rows_) +
                                           " chosen in decoding");
    }
  }
  bool same = count == rows_;
  for (int64_t i = 0; same && i < count; ++i) same = old[i] == i;
  if (same) return;

  for (Layer& layer : layers_) {
    layer.self.Select(chosen);
    layer.recurrent.Select(chosen);
    if (layer.ffn_inputs.defined()) {
      layer.ffn_inputs = layer.ffn_inputs.index_select(
          0, chosen.to(layer.ffn_inputs.device()));
    }
  }
  rows_ = count;
  if (!memory_bias_.defined()) return;

  // Runs of rows of one source share its memory where all are of one length.
  std::vector<int64_t> sources;
  std::vector<int64_t> runs;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t source = old[i] / group_;
    if (sources.empty() || source != sources.back()) {
      sources.push_back(source);
      runs.push_back(0);
    }
    ++runs.back();
  }
  const bool regular = std::all_of(runs.begin(), runs.end(), [&](int64_t run) {
    return run == runs.front();
  });
  if (regular && !runs.empty()) {
    group_ = runs.front();
  } else {
    sources.clear();
    for (int64_t i = 0; i < count; ++i) sources.push_back(old[i] / group_);
    group_ = 1;
  }
  bool unchanged = static_cast<int64_t>(sources.size()) == memory_bias_.size(0);
  for (size_t i = 0; unchanged && i < sources.size(); ++i) {
    unchanged = sources[i] == static_cast<int64_t>(i);
  }
  if (unchanged) return;
  const at::Tensor kept =
      at::tensor(sources, at::kLong).to(memory_bias_.device());
  memory_bias_ = memory_bias_.index_select(0, kept);
  if (area_memory_bias_.defined()) {
    area_memory_bias_ = area_memory_bias_.index_select(0, kept);
  }
  for (Layer& layer : layers_) {
    layer.memory.keys = layer.memory.keys.index_select(0, kept);
    layer.memory.values = layer.memory.values.index_select(0, kept);
  }
}

std::unique_ptr<TransformerDecodeState> TransformerDecoderStack::Start(
    const Encoded& encoded, int64_t rows) const {
  if (config_.position == "timing_from_features") {
    for (const std::string& feature : config_.position_features) {
      if (!feature.empty()) {
        throw UsageError(
            "decoding with pos=timing_from_features and the "
            "feature '" +
                feature + "'",
            "position_features without names",
            "such a model can only be trained and evaluated");
      }
    }
  }
  if (!layers_.empty() && !layers_.front()->attention.CanDecode()) {
    throw UsageError("decoding with self_attention_type=" +
                         config_.self_attention.type + ", max_area_height=" +
                         std::to_string(config_.decoder_area.max_height),
                     "attention that sees only what was decoded already",
                     "such a model can only be trained and evaluated");
  }
  auto state = std::make_unique<TransformerDecodeState>();
  state->rows_ = rows;
  state->memory_bias_ = encoded.memory_bias;
  for (const auto& layer : layers_) {
    TransformerDecodeState::Layer cache;
    if (layer->memory != nullptr) {
      KeysValues memory = layer->memory->ProjectMemory(encoded.output);
      cache.memory = {memory.keys.contiguous(), memory.values.contiguous()};
      if (layer->memory->sees_areas() && !state->area_memory_bias_.defined()) {
        state->area_memory_bias_ =
            layer->memory->MemoryBias(encoded.memory_bias);
      }
    }
    state->layers_.push_back(std::move(cache));
  }
  return state;
}

at::Tensor TransformerDecoderStack::Step(const at::Tensor& embedding,
                                         TransformerDecodeState* state) const {
  // Each chunk begins anew: not with the symbol before it, as in T2T.
  const int64_t position = config_.memory.enabled()
                               ? state->position_ % config_.memory.chunk_length
                               : state->position_;
  const bool first = position == 0 && config_.memory.enabled();
  at::Tensor x = AddPositionTo(first ? at::zeros_like(embedding) : embedding,
                               config_, positions_, {}, "targets", position);
  at::Tensor bias;
  if (config_.proximity_bias) {
    bias = BiasProximal(position + 1).narrow(2, position, 1);
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = *layers_[i];
    TransformerDecodeState::Layer& cache = state->layers_[i];
    at::Tensor y = layer.before_attention({}, x, false);
    y = layer.recurrent == nullptr
            ? layer.attention.SelfAttentionStep(y, bias, &cache.self)
            : layer.recurrent->Step(layer.attention, y, bias, position,
                                    &cache.self, &cache.recurrent);
    x = layer.after_attention(x, y, false);
    if (layer.memory != nullptr) {
      y = (*layer.before_memory)({}, x, false);
      // The rows of one source are its queries.
      y = layer.memory->MemoryAttentionStep(
          y.reshape({-1, state->group_, y.size(-1)}), cache.memory,
          layer.memory->sees_areas() ? state->area_memory_bias_
                                     : state->memory_bias_);
      x = (*layer.after_memory)(x, y.reshape(x.sizes()), false);
    }
    y = layer.before_ffn({}, x, false);
    const int64_t context = layer.ffn->context();
    if (context == 0) {
      y = layer.ffn->Apply(y, {}, /*left=*/true, false);
    } else {
      at::Tensor& past = cache.ffn_inputs;
      past = past.defined() ? at::cat({past, y}, 1) : y;
      if (context > 0 && past.size(1) > context + 1) {
        past = past.narrow(1, past.size(1) - context - 1, context + 1);
      }
      y = layer.ffn->Apply(past, {}, /*left=*/true, false);
      y = y.narrow(1, y.size(1) - 1, 1);
    }
    x = layer.after_ffn(x, y, false);
  }
  ++state->position_;
  return (*final_)({}, x, false);
}

}  // namespace t2t
