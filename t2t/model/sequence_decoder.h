#ifndef T2T_MODEL_SEQUENCE_DECODER_H_
#define T2T_MODEL_SEQUENCE_DECODER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "t2t/model/model.h"
#include "t2t/model/positions.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/model/sequence_options.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// The decoder's caches, one row per hypothesis.
class CachedDecodeState : public DecodeState {
 public:
  CachedDecodeState(const Encoded& encoded, int64_t rows)
      : cache_(rows, encoded.output, encoded.memory_bias) {}

  void Select(const at::Tensor& rows) override;
  int64_t rows() const { return cache_.rows(); }

  // After SequenceDecoder::StepBlock(): row i keeps the first counts[i] of the
  // positions, and nothing ever looks at the others. Returns the decoder's
  // output at the last position that is kept, [rows, hidden].
  at::Tensor Keep(const std::vector<int64_t>& counts);

 private:
  friend class SequenceDecoder;

  nn::StepCache cache_;
  // Of blocks of positions alone. A block's positions that are not kept stay
  // in the layers' caches, so that rows may keep different numbers of them; the
  // bias hides them.
  at::Tensor seen_RC_;     // which cached positions count; undefined: no block
  at::Tensor lengths_R_;   // how many of them do
  at::Tensor output_RND_;  // of the last block
};

// T2T's transformer_prepare_decoder around a family's layers: targets shifted,
// positions added, what may be looked at, and the passes.
class SequenceDecoder {
 public:
  // Makes the parameters that come before the layers', under the scope
  // "<model>/body".
  SequenceDecoder(const Scope& body, const SequenceOptions& options)
      : options_(options),
        parallel_(body.tensor_parallel()),
        positions_(body, options, "targets") {}

  // targets_BLD: out of the modality's bottom, not yet shifted. chunk: where
  // layers have recurrent memory. Returns [batch, length, hidden].
  at::Tensor Whole(const at::Tensor& targets_BLD, const Encoded& encoded,
                   const Features& features, nn::Context& context,
                   const Layers& layers,
                   const MemoryChunk* chunk = nullptr) const;
  // The same without padding, where all of it can be ragged. shifted_1TD: the
  // embedding of what stands before each target.
  at::Tensor Ragged(const at::Tensor& shifted_1TD,
                    const nn::RaggedSequences& sequences, nn::Context& context,
                    const Layers& layers) const;

  // Decoding step by step. encoded.output may be undefined.
  std::unique_ptr<CachedDecodeState> Start(const Encoded& encoded,
                                           int64_t rows) const;
  // embedding_R1D: the last symbol's (zero at the start).
  at::Tensor Step(const at::Tensor& embedding_R1D, CachedDecodeState* state,
                  nn::Context& context, const Layers& layers) const;
  // One step over n positions of each row, those after the ones that it keeps:
  // [rows, n, hidden]. embedding_RND: of the symbols before each. For layers
  // that know nothing of positions but by their input and the bias (those that
  // can be ragged), and where CanStepInBlocks(). state->Keep() comes next.
  at::Tensor StepBlock(const at::Tensor& embedding_RND,
                       CachedDecodeState* state, nn::Context& context,
                       const Layers& layers) const;
  bool CanStepInBlocks() const;

 private:
  at::Tensor SelfBias(const at::Tensor& targets_BLD,
                      const Features& features) const;

  SequenceOptions options_;
  TensorParallel* parallel_;  // null: the model is whole
  Positions positions_;
};

}  // namespace t2t

#endif  // T2T_MODEL_SEQUENCE_DECODER_H_
