#ifndef T2T_NN_RECURRENT_MEMORY_H_
#define T2T_NN_RECURRENT_MEMORY_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t {

// What a layer keeps of the chunks of a sequence that came before.
struct RecurrentMemoryOptions {
  // Checks T2T's hparams; says what is wrong with them.
  static RecurrentMemoryOptions FromHParams(const HParams& hparams);
  // The sequences that training remembers: no batch has more rows.
  static int64_t Rows(const HParams& hparams);

  bool enabled() const { return chunk_length > 0; }

  bool neural = false;       // neural_memory, else transformer_xl
  int64_t chunk_length = 0;  // split_targets_chunk_length
  int64_t items = 0;         // positions that are kept, or slots
  int64_t depth = 0;
};

// A row for each sequence.
struct MemoryState {
  at::Tensor values;  // [rows, items, depth]
  // Of transformer_xl the items' bias in attention, of neural_memory how much
  // the slots are used: [rows, items].
  at::Tensor weights;
  at::Tensor chunk;  // [rows]: the last chunk's number; of neural_memory alone

  int64_t rows() const { return values.defined() ? values.size(0) : 0; }
  MemoryState First(int64_t rows) const;
  void Select(const at::Tensor& rows);
};

// What decoding keeps besides: the layer's inputs of the chunk so far.
struct MemorySteps {
  MemoryState state;
  at::Tensor inputs;

  void Select(const at::Tensor& rows);
};

// A chunk of the targets, and what each layer remembers of those before it.
struct MemoryChunk {
  at::Tensor number_B;  // 0 begins anew
  std::vector<MemoryState>* memories =
      nullptr;  // one a layer, changed in place
};

// T2T's RecentTokensMemory (Transformer-XL's) or its TransformerMemory (a
// neural Turing machine's) around the self-attention of a layer.
class RecurrentMemory {
 public:
  // attention: the scope of the layer's multihead_attention. layer: its name,
  // which T2T repeats there.
  RecurrentMemory(const Scope& attention, const std::string& layer,
                  const RecurrentMemoryOptions& options);

  MemoryState Start(int64_t rows) const;
  // The state that training keeps with the model: saved, not trained.
  MemoryState MakeBuffers(const std::string& layer, int64_t rows,
                          ParamStore* params) const;

  // Self-attention over a chunk x [rows, length, depth] and what is remembered,
  // which then is this chunk too. chunk [rows]: the chunks' numbers; 0 begins
  // anew. state is changed in place and has no fewer rows.
  at::Tensor Attend(const MultiheadAttention& attention, const at::Tensor& x,
                    const at::Tensor& bias, const at::Tensor& chunk,
                    const nn::Context& context, MemoryState* state) const;

  // The same position by position. offset: in the chunk.
  at::Tensor Step(const MultiheadAttention& attention, const at::Tensor& x,
                  const at::Tensor& bias, int64_t offset, KeyValueCache* cache,
                  const nn::Context& context, MemorySteps* steps) const;

 private:
  at::Tensor AttendRecent(const MultiheadAttention& attention,
                          const at::Tensor& x, const at::Tensor& bias,
                          const at::Tensor& chunk, const nn::Context& context,
                          MemoryState* state) const;
  // Of each position the slots' logits [rows, length, items].
  at::Tensor Address(const at::Tensor& x, const at::Tensor& values) const;
  at::Tensor Combine(const at::Tensor& attended, const at::Tensor& logits,
                     const at::Tensor& values) const;
  void Write(const at::Tensor& x, const at::Tensor& logits,
             MemoryState* state) const;

  RecurrentMemoryOptions options_;
  Dense key_, query_, gamma_, candidate_, erase_, from_attention_, from_memory_;
};

}  // namespace t2t

#endif  // T2T_NN_RECURRENT_MEMORY_H_
