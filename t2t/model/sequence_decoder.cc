#include "t2t/model/sequence_decoder.h"

#include <ATen/ATen.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"
#include "t2t/parallel/sequence_parallel.h"

namespace t2t {

void CachedDecodeState::Select(const at::Tensor& rows) {
  cache_.Select(rows);
  if (!seen_RC_.defined()) return;
  for (at::Tensor* const kept : {&seen_RC_, &lengths_R_, &output_RND_}) {
    *kept = kept->index_select(0, rows.to(kept->device()));
  }
}

at::Tensor CachedDecodeState::Keep(const std::vector<int64_t>& counts) {
  const int64_t length = output_RND_.size(1);
  const at::Tensor counts_R =
      at::tensor(counts, at::kLong).to(lengths_R_.device());
  lengths_R_ = lengths_R_ + counts_R;
  seen_RC_.narrow(1, seen_RC_.size(1) - length, length)
      .copy_(at::arange(length, counts_R.options()).lt(counts_R.unsqueeze(1)));
  return output_RND_
      .gather(
          1,
          (counts_R - 1).view({-1, 1, 1}).expand({-1, 1, output_RND_.size(2)}))
      .squeeze(1);
}

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
  TORCH_CHECK(!state->seen_RC_.defined(), "a step after blocks of positions");
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

bool SequenceDecoder::CanStepInBlocks() const {
  return options_.position != PositionKind::kTimingFromFeatures &&
         !options_.proximity_bias && options_.chunk_length == 0;
}

at::Tensor SequenceDecoder::StepBlock(const at::Tensor& embedding_RND,
                                      CachedDecodeState* state,
                                      nn::Context& context,
                                      const Layers& layers) const {
  nn::StepCache& cache = state->cache_;
  const int64_t rows = embedding_RND.size(0);
  const int64_t length = embedding_RND.size(1);
  if (!state->seen_RC_.defined()) {
    TORCH_CHECK(cache.position() == 0, "a block of positions after steps");
    state->seen_RC_ = at::zeros({rows, 0}, OnDevice(at::kBool));
    state->lengths_R_ = at::zeros({rows}, OnDevice(at::kLong));
  }
  const at::Tensor hidden_RC =
      state->seen_RC_.logical_not().to(at::kFloat) * -1e9;
  const int64_t columns = hidden_RC.size(1);
  const at::Tensor bias = at::cat(
      {hidden_RC.view({rows, 1, 1, columns}).expand({rows, 1, length, columns}),
       BiasLowerTriangle(length).expand({rows, 1, length, length})},
      3);
  const at::Tensor positions_RN =
      state->lengths_R_.unsqueeze(1) + at::arange(length, OnDevice(at::kLong));
  nn::Pass pass(&context, &cache, cache.position(), bias);
  state->output_RND_ =
      layers(positions_.AddAt(embedding_RND, positions_RN), pass);
  cache.Advance();
  state->seen_RC_ = at::cat(
      {state->seen_RC_, at::ones({rows, length}, OnDevice(at::kBool))}, 1);
  return state->output_RND_;
}

}  // namespace t2t
