#include <algorithm>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/scheduled_sampling.h"
#include "models/transformer.h"
#include "t2t/base/error.h"
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
  if (!config.causal_decoder_self_attention || config.prepend_full_attention) {
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
  TransformerMemory(HParams hparams, ProblemInfo info, uint64_t seed)
      : Transformer("transformer_memory", ConfigOf(hparams), hparams,
                    WithoutInputs(hparams, std::move(info)), seed),
        training_(decoder().MakeMemories(RecurrentMemoryOptions::Rows(hparams_),
                                         &params_)) {}

 protected:
  at::Tensor Body(const Features& features, Mode mode) override {
    const Autocast autocast(config().activation_type);
    const auto found = features.find("targets");
    if (found == features.end()) throw DataError("the batch has no 'targets'");
    if (features.count("targets_segmentation") > 0) {
      throw UsageError("packed examples for the model transformer_memory",
                       "one example a row", "set --hparams=pack_dataset=false");
    }
    const at::Tensor& targets = found->second;
    const Encoded encoded = Encode(features, mode);
    const auto numbers = features.find("chunk_number");
    if (numbers == features.end()) {
      return Whole(targets, encoded, features, mode);
    }
    const at::Tensor chunk =
        numbers->second.reshape({targets.size(0), -1}).select(1, 0);
    TransformerDecoderStack::Memories* memories = &training_;
    if (mode != Mode::kTrain) {
      memories = &evaluated_;
      if (evaluated_.empty() || evaluated_[0].rows() != targets.size(0)) {
        evaluated_ = decoder().StartMemories(targets.size(0));
      }
    }
    return Chunk(targets, chunk, encoded, features, mode, memories);
  }

 private:
  at::Tensor Chunk(const at::Tensor& targets, const at::Tensor& chunk,
                   const Encoded& encoded, const Features& features, Mode mode,
                   TransformerDecoderStack::Memories* memories) const {
    return decoder().Chunk(EmbedTargets(targets, mode), chunk, encoded,
                           features, mode == Mode::kTrain, memories);
  }

  at::Tensor Whole(const at::Tensor& targets, const Encoded& encoded,
                   const Features& features, Mode mode) const {
    TransformerDecoderStack::Memories memories =
        decoder().StartMemories(targets.size(0));
    const int64_t step = config().memory.chunk_length;
    std::vector<at::Tensor> outputs;
    for (int64_t start = 0; start < targets.size(1); start += step) {
      const int64_t number = start / step;
      outputs.push_back(Chunk(
          targets.narrow(1, start, std::min(step, targets.size(1) - start)),
          at::full({targets.size(0)}, number, OnDevice(at::kLong)), encoded,
          features, mode, &memories));
    }
    return at::cat(outputs, 1);
  }

  TransformerDecoderStack::Memories training_;   // among the parameters
  TransformerDecoderStack::Memories evaluated_;  // since the last chunk 0
};

}  // namespace

void RegisterTransformerMemory(ModelRegistry& models) {
  AddModel<TransformerMemory>(models, "transformer_memory");
}

}  // namespace t2t
