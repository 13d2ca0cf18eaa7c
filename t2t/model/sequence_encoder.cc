#include "t2t/model/sequence_encoder.h"

#include <ATen/ATen.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/ops/dropout.h"
#include "t2t/parallel/sequence_parallel.h"

namespace t2t {
namespace {

constexpr int64_t kTargetSpaces = 32;

at::Tensor MakeTargetSpaces(const Scope& body, const SequenceOptions& options) {
  if (!options.use_target_space_embedding) return at::Tensor();
  return body.Sub("target_space_embedding")
      .Param("kernel", {kTargetSpaces, options.hidden_size});
}

}  // namespace

at::Tensor PackedNonpadding(const Features& features, const std::string& name) {
  const auto found = features.find(name + "_segmentation");
  if (found == features.end()) return at::Tensor();
  return found->second.clamp_max(1).to(at::kFloat);
}

SequenceEncoder::SequenceEncoder(const Scope& body,
                                 const SequenceOptions& options)
    : options_(options),
      parallel_(body.tensor_parallel()),
      target_space_(MakeTargetSpaces(body, options)),
      positions_(body, options, "inputs") {}

at::Tensor SequenceEncoder::AddTargetSpace(const at::Tensor& x,
                                           int64_t id) const {
  if (!options_.use_target_space_embedding) return x;
  if (id < 0 || id >= kTargetSpaces) {
    throw UsageError("the problem's target_space_id is " + std::to_string(id),
                     "below " + std::to_string(kTargetSpaces),
                     "set --hparams=use_target_space_embedding=False");
  }
  return x + target_space_[id];
}

Encoded SequenceEncoder::Whole(const at::Tensor& inputs_BLD,
                               int64_t target_space_id,
                               const Features& features, nn::Context& context,
                               const Layers& layers) const {
  Encoded encoded;
  nn::WholeRows rows;
  rows.length = inputs_BLD.size(1);
  rows.nonpadding_BL = PackedNonpadding(features, "inputs");
  if (rows.nonpadding_BL.defined()) {
    const at::Tensor& segments =
        RequiredFeature(features, "inputs_segmentation");
    rows.bias = BiasSameSegment(segments, segments);
    const auto targets = features.find("targets_segmentation");
    if (targets != features.end()) {
      encoded.memory_bias = BiasSameSegment(targets->second, segments);
    }
    const auto positions = features.find("inputs_position");
    if (positions != features.end()) rows.positions_BL = positions->second;
  } else {
    const at::Tensor padding = EmbeddingToPadding(inputs_BLD);
    rows.nonpadding_BL = 1.0 - padding;
    rows.bias = BiasIgnorePadding(padding);
    encoded.memory_bias = rows.bias;
  }
  if (options_.unidirectional_encoder) {
    rows.bias = BiasLowerTriangle(rows.length);
  }
  if (options_.proximity_bias) {
    rows.bias = rows.bias + BiasProximal(rows.length);
  }

  at::Tensor x = AddTargetSpace(inputs_BLD, target_space_id);
  x = positions_.Add(x, features);
  if (context.training) x = Dropout(x, options_.dropout, context.rng);

  const SequenceParallel sequence(parallel_, rows.length);
  rows.own_nonpadding_BL = sequence.Own(rows.nonpadding_BL);
  nn::Pass pass(&context, /*causal=*/false, &rows);
  encoded.output = sequence.Join(layers(sequence.Split(x), pass));
  return encoded;
}

at::Tensor SequenceEncoder::Ragged(const at::Tensor& inputs_1TD,
                                   const nn::RaggedRows& rows,
                                   int64_t target_space_id,
                                   nn::Context& context,
                                   const Layers& layers) const {
  at::Tensor x =
      positions_.AddRagged(AddTargetSpace(inputs_1TD, target_space_id), rows);
  if (context.training) x = Dropout(x, options_.dropout, context.rng);
  const SequenceParallel sequence(parallel_, x.size(1));
  nn::RaggedSequences sequences;
  sequences.rows = rows;
  nn::Pass pass(&context, /*causal=*/false, &sequences);
  return sequence.Join(layers(sequence.Split(x), pass));
}

}  // namespace t2t
