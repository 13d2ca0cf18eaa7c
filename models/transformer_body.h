#ifndef MODELS_TRANSFORMER_BODY_H_
#define MODELS_TRANSFORMER_BODY_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/model_parallel.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/params.h"
#include "t2t/nn/recurrent_memory.h"

namespace t2t {

// The hparams of T2T's transformer module, read and checked once.
struct TransformerConfig {
  // Throws a usage error on values that are not supported; says once which of
  // the values given have no effect here.
  static TransformerConfig FromHParams(const HParams& hparams);

  // Whether padding can be left out of training's computations: attention
  // sees sequences, the other layers single positions.
  bool CanBeRagged() const;

  int64_t hidden_size = 0;
  int64_t encoder_layers = 0;
  int64_t decoder_layers = 0;
  double layer_dropout = 0.0;  // layer_prepostprocess_dropout
  PrePostOptions preprocess;
  PrePostOptions postprocess;
  AttentionOptions self_attention;
  AttentionOptions memory_attention;
  int64_t area_layers = 0;  // the first so many have area attention
  AreaOptions encoder_area;
  AreaOptions decoder_area;
  FfnOptions ffn;
  std::string position;  // timing, timing_from_features, emb, none
  std::vector<std::string> position_features;
  int64_t max_length = 0;
  bool proximity_bias = false;
  bool causal_decoder_self_attention = true;
  bool use_target_space_embedding = true;
  bool unidirectional_encoder = false;
  bool prepend_full_attention = false;
  RecurrentMemoryOptions memory;  // the decoder's; transformer_memory sets it
  // The encoder's feed-forward layers give 0 on padding, as with T2T's pad
  // remover: it shows where an output is averaged over all positions.
  bool remove_padding = false;
  // at::kFloat, or what autocast computes in.
  at::ScalarType activation_type = at::kFloat;
};

// While it lives, matrix products run in `type` (at::kFloat: nothing changes).
class Autocast {
 public:
  explicit Autocast(at::ScalarType type);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool active_;
  at::DeviceType device_;
  bool was_enabled_;
  at::ScalarType old_type_;
};

// Sequences of a batch without their padding, one after the other.
struct RaggedRows {
  std::vector<int64_t> offsets;  // of each sequence's first token, and the end
  at::Tensor positions;          // [1, tokens]: where each stood in its row
};

// What the decoder sees of the inputs.
struct Encoded {
  at::Tensor output;       // [batch, length, hidden]
  at::Tensor memory_bias;  // [batch, 1, 1 or target length, length]
};

// transformer_prepare_encoder and transformer_encoder: target space and
// position added to embedded inputs, then the stack. Parameters under the
// given scope ("transformer/body").
class TransformerEncoderStack {
 public:
  TransformerEncoderStack(const Scope& body, const TransformerConfig& config);
  ~TransformerEncoderStack();

  // inputs: [batch, length, hidden] out of the modality's bottom. features:
  // for packed batches and timing_from_features.
  Encoded operator()(const at::Tensor& inputs, int64_t target_space_id,
                     const Features& features, bool training) const;

  // The same without padding, where config.CanBeRagged(): inputs and result
  // are [1, tokens, hidden].
  at::Tensor Ragged(const at::Tensor& inputs, const RaggedRows& rows,
                    int64_t target_space_id, bool training) const;

  // The layers', as in ParameterUnits.
  std::vector<std::string> UnitNames() const;

 private:
  struct Layer;

  at::Tensor AddTargetSpace(const at::Tensor& x, int64_t id) const;

  TransformerConfig config_;
  ModelParallel* parallel_;  // null: the model is whole
  at::Tensor target_space_;
  at::Tensor positions_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::unique_ptr<PrePost> final_;
};

// The decoder's caches, one row per hypothesis.
class TransformerDecodeState : public DecodeState {
 public:
  void Select(const at::Tensor& rows) override;
  int64_t position() const { return position_; }
  int64_t rows() const { return rows_; }

 private:
  friend class TransformerDecoderStack;

  struct Layer {
    KeyValueCache self;
    KeysValues memory;      // one row per source
    at::Tensor ffn_inputs;  // where the feed-forward layer looks back
    MemorySteps recurrent;
  };

  int64_t position_ = 0;
  int64_t rows_ = 0;
  // Row i looks at memory i / group_.
  int64_t group_ = 1;
  at::Tensor memory_bias_;
  at::Tensor area_memory_bias_;  // of the layers with area attention
  std::vector<Layer> layers_;
};

// transformer_prepare_decoder and transformer_decoder.
class TransformerDecoderStack {
 public:
  // has_memory: there is an encoder to look at.
  TransformerDecoderStack(const Scope& body, const TransformerConfig& config,
                          bool has_memory);
  ~TransformerDecoderStack();

  // targets: [batch, length, hidden], not yet shifted. Returns the last
  // layer's output, [batch, length, hidden].
  at::Tensor operator()(const at::Tensor& targets, const Encoded& encoded,
                        const Features& features, bool training) const {
    return Run(targets, encoded, features, training, nullptr);
  }

  // With config.memory: what the layers keep from chunk to chunk.
  using Memories = std::vector<MemoryState>;
  Memories StartMemories(int64_t rows) const;
  // The memories that are saved with the model.
  Memories MakeMemories(int64_t rows, ParamStore* params) const;
  // targets are chunks, chunk [batch] their numbers; features as in
  // operator().
  at::Tensor Chunk(const at::Tensor& targets, const at::Tensor& chunk,
                   const Encoded& encoded, const Features& features,
                   bool training, Memories* memories) const;

  // Without padding, where config.CanBeRagged(): shifted [1, tokens, hidden]
  // is the embedding of what stands before each target; memory is the
  // encoder's output, undefined without one.
  at::Tensor Ragged(const at::Tensor& shifted, const RaggedRows& rows,
                    const at::Tensor& memory, const RaggedRows& memory_rows,
                    bool training) const;

  // Decoding. encoded.output may be undefined.
  std::unique_ptr<TransformerDecodeState> Start(const Encoded& encoded,
                                                int64_t rows) const;
  // One position: [rows, 1, hidden] of the last symbol's embedding (zero at
  // the start) to the stack's output.
  at::Tensor Step(const at::Tensor& embedding,
                  TransformerDecodeState* state) const;

  std::vector<std::string> UnitNames() const;

 private:
  struct Layer;
  struct AtChunk {
    const at::Tensor& chunk;
    Memories* memories;
  };

  at::Tensor Run(const at::Tensor& targets, const Encoded& encoded,
                 const Features& features, bool training,
                 const AtChunk* at_chunk) const;

  TransformerConfig config_;
  ModelParallel* parallel_;  // null: the model is whole
  at::Tensor positions_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::unique_ptr<PrePost> final_;
};

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_BODY_H_
