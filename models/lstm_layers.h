#ifndef MODELS_LSTM_LAYERS_H_
#define MODELS_LSTM_LAYERS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/nn/area_attention.h"
#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

namespace t2t {

// Of every layer, [batch, hidden].
struct LstmState {
  std::vector<at::Tensor> h;
  std::vector<at::Tensor> c;

  void Select(const at::Tensor& rows);
};

// TensorFlow's MultiRNNCell of LSTMCells with dropout on what goes into each:
// parameters under "<scope>/cell_0/lstm_cell". Sequences are [time, batch,
// depth].
class LstmStack {
 public:
  LstmStack(const Scope& scope, int64_t input_size, int64_t hidden_size,
            int64_t layers, double dropout);

  LstmState ZeroState(int64_t batch) const;
  // The last layer's outputs, zero from a row's length on (lengths may be
  // undefined); state goes from the first to that at the rows' lengths.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& lengths,
                        const nn::Context& context, LstmState* state) const;

  int64_t hidden_size() const { return hidden_size_; }

 private:
  struct Cell {
    at::Tensor kernel;  // [input + hidden, 4 hidden]
    at::Tensor bias;
  };

  int64_t hidden_size_;
  double dropout_;
  std::vector<Cell> cells_;
};

// Turns each row's first lengths[row] steps around: [batch, time, depth].
at::Tensor ReverseSequence(const at::Tensor& x, const at::Tensor& lengths);

// What one looks at while decoding: the encoder's outputs, or areas of them.
struct LstmMemory {
  at::Tensor keys;    // [batch, time, depth]
  at::Tensor values;  // [batch, time, depth]
  at::Tensor bias;    // [batch, time], or undefined

  void Select(const at::Tensor& rows);
};

struct LstmAttentionOptions {
  std::string mechanism = "bahdanau";  // or luong
  int64_t heads = 1;
  int64_t layer_size = 0;        // attention_layer_size, of each head
  bool output_attention = true;  // the output is the attention, not the cell's
  // T2T lets attention see the padding after an input, but for areas.
  bool masks_padding = false;
  AreaOptions area;
};

// TensorFlow's AttentionWrapper around an LstmStack.
class LstmAttentionDecoder {
 public:
  struct State {
    LstmState cells;
    at::Tensor attention;  // [batch, heads * layer_size]

    void Select(const at::Tensor& rows);
  };

  // outer: where T2T makes the memory layer; the rest is under
  // "<outer>/decoder".
  LstmAttentionDecoder(const Scope& outer, int64_t input_size,
                       int64_t memory_size, int64_t hidden_size, int64_t layers,
                       double dropout, const LstmAttentionOptions& options);

  // outputs: [batch, time, depth] of the encoder.
  LstmMemory Remember(const at::Tensor& outputs, const at::Tensor& lengths,
                      const nn::Context& context) const;
  State Start(LstmState cells) const;
  // As LstmStack's, but the state is of no use past a row's length.
  at::Tensor operator()(const at::Tensor& x, const LstmMemory& memory,
                        const at::Tensor& lengths, const nn::Context& context,
                        State* state) const;

  int64_t output_size() const;

 private:
  at::Tensor Attend(const at::Tensor& output, const LstmMemory& memory) const;

  LstmAttentionOptions options_;
  LstmStack cells_;
  Dense memory_layer_;
  std::optional<AreaFeatures> area_;
  Dense query_layer_;          // bahdanau's
  std::vector<at::Tensor> v_;  // bahdanau's, by head
  std::vector<Dense> head_layers_;
  Dense output_layer_;  // of several heads
};

}  // namespace t2t

#endif  // MODELS_LSTM_LAYERS_H_
