#include "t2t/model/sequence_decoder.h"

#include <ATen/ATen.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/dropout.h"
#include "t2t/parallel/sequence_parallel.h"

namespace t2t {

at::Tensor SequenceDecoder::SelfBias(const at::Tensor& targets_BLD,
                                     const Features& features) const {
  at::Tensor bias;
  if (!options_.causal_decoder_self_attention) {
    bias = BiasIgnorePadding(EmbeddingToPadding(targets_BLD));
  } else if (options_.prepend_full_attention) {
    bias = BiasPrependInputsFull(EmbeddingToPadding(targets_BLD));
  } else {
    bias = BiasLowerTriangle(targets_BLD.size(1));
  }
  const auto segments = features.find("targets_segmentation");
  if (segments != features.end()) {
    bias = bias + BiasSameSegment(segments->second, segments->second);
  }
  if (options_.proximity_bias) bias = bias + BiasProximal(targets_BLD.size(1));
  return bias;
}

at::Tensor SequenceDecoder::Whole(const at::Tensor& targets_BLD,
                                  const Encoded& encoded,
                                  const Features& features,
                                  nn::Context& context, const Layers& layers,
                                  const MemoryChunk* chunk) const {
  nn::WholeRows rows;
  rows.length = targets_BLD.size(1);
  rows.bias = SelfBias(targets_BLD, features);
  rows.nonpadding_BL = PackedNonpadding(features, "targets");
  const auto positions = features.find("targets_position");
  if (positions != features.end()) rows.positions_BL = positions->second;
  rows.memory_BMD = encoded.output;
  rows.memory_bias = encoded.memory_bias;
  rows.chunk = chunk;

  at::Tensor x = positions_.Add(ShiftRight(targets_BLD), features);
  if (context.training) x = Dropout(x, options_.dropout, context.rng);

  const SequenceParallel sequence(parallel_, rows.length);
  nn::Pass pass(&context, /*causal=*/true, &rows);
  return sequence.Join(layers(sequence.Split(x), pass));
}

at::Tensor SequenceDecoder::Ragged(const at::Tensor& shifted_1TD,
                                   const nn::RaggedSequences& sequences,
                                   nn::Context& context,
                                   const Layers& layers) const {
  at::Tensor x = positions_.AddRagged(shifted_1TD, sequences.rows);
  if (context.training) x = Dropout(x, options_.dropout, context.rng);
  const SequenceParallel sequence(parallel_, x.size(1));
  nn::Pass pass(&context, /*causal=*/true, &sequences);
  return sequence.Join(layers(sequence.Split(x), pass));
}

std::unique_ptr<CachedDecodeState> SequenceDecoder::Start(
    const Encoded& encoded, int64_t rows) const {
  for (const std::string& feature : options_.position_features) {
    if (!feature.empty()) {
      throw UsageError(
          "decoding with pos=timing_from_features and the feature '" + feature +
              "'",
          "position_features without names",
          "such a model can only be trained and evaluated");
    }
  }
  return std::make_unique<CachedDecodeState>(encoded, rows);
}

at::Tensor SequenceDecoder::Step(const at::Tensor& embedding_R1D,
                                 CachedDecodeState* state, nn::Context& context,
                                 const Layers& layers) const {
  nn::StepCache& cache = state->cache_;
  // Each chunk begins anew: not with the symbol before it, as in T2T.
  const int64_t chunk_length = options_.chunk_length;
  const int64_t position =
      chunk_length > 0 ? cache.position() % chunk_length : cache.position();
  const bool anew = chunk_length > 0 && position == 0;
  const at::Tensor x = positions_.Add(
      anew ? at::zeros_like(embedding_R1D) : embedding_R1D, {}, position);
  at::Tensor bias;
  if (options_.proximity_bias) {
    bias = BiasProximal(position + 1).narrow(2, position, 1);
  }
  nn::Pass pass(&context, &cache, position, bias);
  const at::Tensor y = layers(x, pass);
  cache.Advance();
  return y;
}

}  // namespace t2t
