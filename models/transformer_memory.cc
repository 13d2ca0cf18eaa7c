#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer.h"
#include "t2t/base/error.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

ProblemInfo WithoutInputs(const HParams& hparams, ProblemInfo info) {
  if (hparams.Has("unconditional") && hparams.GetBool("unconditional")) {
    info.features.erase("inputs");
  }
  return info;
}

TransformerConfig ConfigOf(const HParams& hparams) {
  RefuseScheduledSampling(hparams);
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  config.memory = RecurrentMemoryOptions::FromHParams(hparams);
  config.sequence.chunk_length = config.memory.chunk_length;
  const std::string& type = config.self_attention.type;
  if (type != "dot_product" && type != "dot_product_relative") {
    throw UsageError(
        "self_attention_type=" + type + " with the model transformer_memory",
        "dot_product or dot_product_relative",
        "change --hparams=self_attention_type=...");
  }
  if (config.self_attention.variables_3d) {
    throw UsageError("attention_variables_3d with the model transformer_memory",
                     "False", "set --hparams=attention_variables_3d=False");
  }
  if (!config.sequence.causal_decoder_self_attention ||
      config.sequence.prepend_full_attention) {
    throw UsageError(
        "a decoder that is not causal with the model transformer_memory",
        "causal_decoder_self_attention=True and no "
        "prepend_inputs_full_attention");
  }
  if (config.area_layers > 0 && config.decoder_area.enabled()) {
    throw UsageError("area attention with the model transformer_memory",
                     "num_area_layers=0", "set --hparams=num_area_layers=0");
  }
  if (config.ffn.type != "dense_relu_dense" &&
      config.ffn.type != "conv_hidden_relu" &&
      config.ffn.type != "parameter_attention" && config.ffn.type != "none") {
    throw UsageError(
        "ffn_layer=" + config.ffn.type + " with the model transformer_memory",
        "one that sees a position alone: dense_relu_dense, conv_hidden_relu, "
        "parameter_attention or none",
        "change --hparams=ffn_layer=...");
  }
  return config;
}

// T2T's language model that reads its targets in chunks and remembers those
// before. A batch of chunks ("chunk_number" is among the features) goes on from
// the batch before; in training what is remembered is saved with the weights.
// Whole targets are cut here and remembered from their start.
class TransformerMemory : public Transformer {
 public:
  TransformerMemory(HParams hparams, ProblemInfo info,
                    const ParamOptions& params)
      : Transformer("transformer_memory", ConfigOf(hparams), hparams,
                    WithoutInputs(hparams, std::move(info)), params),
        training_(MakeMemories(RecurrentMemoryOptions::Rows(hparams_))) {
    if (params_.tensor_parallel() == nullptr) return;
    throw UsageError("transformer_memory in a model that --mesh_shape splits",
                     "a mesh without model, or the model transformer");
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets = RequiredFeature(features, "targets");
    if (features.count("targets_segmentation") > 0) {
      throw UsageError("packed examples for the model transformer_memory",
                       "one example a row", "set --hparams=pack_dataset=false");
    }
    const Encoded encoded = EncodeInputs(features, context);
    const auto numbers = features.find("chunk_number");
    if (numbers == features.end()) {
      return Whole(targets, encoded, features, context);
    }
    const at::Tensor number_B =
        numbers->second.reshape({targets.size(0), -1}).select(1, 0);
    Memories* memories = &training_;
    if (!context.training) {
      memories = &evaluated_;
      if (evaluated_.empty() || evaluated_[0].rows() != targets.size(0)) {
        evaluated_ = StartMemories(targets.size(0));
      }
    }
    return Chunk(targets, {number_B, memories}, encoded, features, context);
  }

 private:
  using Memories = std::vector<MemoryState>;  // one a layer

  Memories StartMemories(int64_t rows) const {
    Memories memories;
    for (const auto& layer : recurrent_layers()) {
      memories.push_back(layer->memory().Start(rows));
    }
    return memories;
  }

  // The memories that are saved with the model.
  Memories MakeMemories(int64_t rows) {
    Memories memories;
    for (const auto& layer : recurrent_layers()) {
      memories.push_back(layer->memory().MakeBuffers(
          LayerName(static_cast<int64_t>(memories.size())), rows, &params_));
    }
    return memories;
  }

  at::Tensor Chunk(const at::Tensor& targets, const MemoryChunk& chunk,
                   const Encoded& encoded, const Features& features,
                   nn::Context& context) const {
    return DecodeTargets(AsSequence(EmbedTargets(targets, context)), encoded,
                         features, context, &chunk);
  }

  at::Tensor Whole(const at::Tensor& targets, const Encoded& encoded,
                   const Features& features, nn::Context& context) const {
    Memories memories = StartMemories(targets.size(0));
    const int64_t step = config().memory.chunk_length;
    std::vector<at::Tensor> outputs;
    for (int64_t start = 0; start < targets.size(1); start += step) {
      const at::Tensor number_B =
          at::full({targets.size(0)}, start / step, OnDevice(at::kLong));
      outputs.push_back(Chunk(
          targets.narrow(1, start, std::min(step, targets.size(1) - start)),
          {number_B, &memories}, encoded, features, context));
    }
    return at::cat(outputs, 1);
  }

  Memories training_;   // among the parameters
  Memories evaluated_;  // since the last chunk 0
};

}  // namespace

void RegisterTransformerMemory(ModelRegistry& models) {
  AddModel<TransformerMemory>(models, "transformer_memory");
}

}  // namespace t2t
