#include "models/lstm_layers.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/ops/dropout.h"
#include "t2t/ops/lstm.h"

namespace t2t {
namespace {

// As TensorFlow makes the names of equal things apart: "x", "x_1", "x_2".
std::string Numbered(const std::string& name, int64_t index) {
  return index == 0 ? name : name + "_" + std::to_string(index);
}

// [time, batch]: whether a row has not ended yet.
at::Tensor Live(const at::Tensor& lengths, int64_t time) {
  return at::arange(time, lengths.options())
      .unsqueeze(1)
      .lt(lengths.unsqueeze(0));
}

// rows are on the CPU.
at::Tensor SelectRows(const at::Tensor& x, const at::Tensor& rows) {
  return x.index_select(0, rows.to(x.device()));
}

}  // namespace

void LstmState::Select(const at::Tensor& rows) {
  for (at::Tensor& layer : h) layer = SelectRows(layer, rows);
  for (at::Tensor& layer : c) layer = SelectRows(layer, rows);
}

LstmStack::LstmStack(const Scope& scope, int64_t input_size,
                     int64_t hidden_size, int64_t layers, double dropout)
    : hidden_size_(hidden_size), dropout_(dropout) {
  for (int64_t i = 0; i < layers; ++i) {
    const Scope cell = scope.Sub("cell_" + std::to_string(i)).Sub("lstm_cell");
    const int64_t in = i == 0 ? input_size : hidden_size;
    cells_.push_back({cell.Param("kernel", {in + hidden_size, 4 * hidden_size}),
                      cell.Param("bias", {4 * hidden_size}, ZerosInit())});
  }
}

LstmState LstmStack::ZeroState(int64_t batch) const {
  const at::Tensor zero =
      at::zeros({batch, hidden_size_}, cells_.front().kernel.options());
  return {std::vector<at::Tensor>(cells_.size(), zero),
          std::vector<at::Tensor>(cells_.size(), zero)};
}

at::Tensor LstmStack::operator()(const at::Tensor& x, const at::Tensor& lengths,
                                 const nn::Context& context,
                                 LstmState* state) const {
  at::Tensor outputs = x;
  for (size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    const at::Tensor inputs =
        context.training ? Dropout(outputs, dropout_, context.rng) : outputs;
    const int64_t in = inputs.size(-1);
    const at::Tensor gates =
        at::linear(inputs, cell.kernel.narrow(0, 0, in).t(), cell.bias);
    const LstmResult result =
        Lstm(gates, cell.kernel.narrow(0, in, hidden_size_), state->h[i],
             state->c[i], lengths);
    outputs = result.outputs;
    state->h[i] = result.h;
    state->c[i] = result.c;
  }
  return outputs;
}

at::Tensor ReverseSequence(const at::Tensor& x, const at::Tensor& lengths) {
  const at::Tensor places = at::arange(x.size(1), lengths.options())
                                .unsqueeze(0)
                                .expand({x.size(0), x.size(1)});
  const at::Tensor ends = lengths.unsqueeze(1);
  const at::Tensor from = at::where(places.lt(ends), ends - 1 - places, places);
  return x.gather(1, from.unsqueeze(2).expand(x.sizes()));
}

void LstmMemory::Select(const at::Tensor& rows) {
  keys = SelectRows(keys, rows);
  values = SelectRows(values, rows);
  if (bias.defined()) bias = SelectRows(bias, rows);
}

void LstmAttentionDecoder::State::Select(const at::Tensor& rows) {
  cells.Select(rows);
  attention = SelectRows(attention, rows);
}

LstmAttentionDecoder::LstmAttentionDecoder(const Scope& outer,
                                           int64_t input_size,
                                           int64_t memory_size,
                                           int64_t hidden_size, int64_t layers,
                                           double dropout,
                                           const LstmAttentionOptions& options)
    : options_(options),
      cells_(outer.Sub("decoder/rnn/attention_wrapper/multi_rnn_cell"),
             input_size + options.heads * options.layer_size, hidden_size,
             layers, dropout),
      memory_layer_(outer.Sub("memory_layer"), memory_size, hidden_size,
                    /*use_bias=*/false) {
  const Scope wrapper = outer.Sub("decoder/rnn/attention_wrapper");
  if (options_.mechanism == "bahdanau") {
    // One mechanism serves every head: the query's layer stands where the
    // first one made it, each head has its own v.
    query_layer_ = Dense(wrapper.Sub("bahdanau_attention/query_layer"),
                         hidden_size, hidden_size, /*use_bias=*/false);
    for (int64_t i = 0; i < options_.heads; ++i) {
      v_.push_back(wrapper.Sub(Numbered("bahdanau_attention", i))
                       .Param("attention_v", {hidden_size}));
    }
  } else if (options_.mechanism != "luong") {
    throw UsageError("attention_mechanism is '" + options_.mechanism + "'",
                     "bahdanau or luong",
                     "change --hparams=attention_mechanism=...");
  }
  if (options_.heads < 1 || options_.layer_size < 1) {
    throw UsageError(
        "num_heads=" + std::to_string(options_.heads) +
            " and attention_layer_size=" + std::to_string(options_.layer_size),
        "both above 0");
  }
  for (int64_t i = 0; i < options_.heads; ++i) {
    head_layers_.push_back(Dense(wrapper.Sub(Numbered("attention_layer", i)),
                                 hidden_size + memory_size, options_.layer_size,
                                 /*use_bias=*/false));
  }
  if (options_.area.enabled()) {
    area_.emplace(outer.Sub("decoder_encoder"), hidden_size, options_.area);
  }
  if (options_.output_attention && options_.heads > 1) {
    output_layer_ = Dense(outer.Sub("decoder/dense"),
                          options_.heads * options_.layer_size, hidden_size);
  }
}

int64_t LstmAttentionDecoder::output_size() const {
  return options_.output_attention && options_.heads == 1
             ? options_.layer_size
             : cells_.hidden_size();
}

LstmMemory LstmAttentionDecoder::Remember(const at::Tensor& outputs,
                                          const at::Tensor& lengths,
                                          const nn::Context& context) const {
  LstmMemory memory;
  memory.values = outputs;
  memory.keys = memory_layer_(outputs);
  if (area_ || options_.masks_padding) {
    at::Tensor hidden = Live(lengths, outputs.size(1)).t().logical_not();
    if (area_) hidden = area_->Masked(hidden);
    memory.bias = hidden.to(outputs.scalar_type()) * -1e9;
  }
  if (area_) {
    memory.keys = area_->Keys(memory.keys, context);
    memory.values = area_->Values(memory.values);
  }
  return memory;
}

LstmAttentionDecoder::State LstmAttentionDecoder::Start(LstmState cells) const {
  State state;
  const at::Tensor& like = cells.h.front();
  state.attention = at::zeros(
      {like.size(0), options_.heads * options_.layer_size}, like.options());
  state.cells = std::move(cells);
  return state;
}

at::Tensor LstmAttentionDecoder::Attend(const at::Tensor& output,
                                        const LstmMemory& memory) const {
  at::Tensor query = output;
  if (!v_.empty()) query = query_layer_(output);
  std::vector<at::Tensor> heads;
  at::Tensor seen;
  for (int64_t i = 0; i < options_.heads; ++i) {
    // Luong's score is the same for every head.
    if (i == 0 || !v_.empty()) {
      at::Tensor score =
          v_.empty()
              ? at::bmm(memory.keys, query.unsqueeze(2)).squeeze(2)
              : at::matmul(at::tanh(memory.keys + query.unsqueeze(1)), v_[i]);
      if (memory.bias.defined()) score = score + memory.bias;
      const at::Tensor weights = at::softmax(score, 1);
      seen = at::bmm(weights.unsqueeze(1), memory.values).squeeze(1);
    }
    heads.push_back(head_layers_[i](at::cat({output, seen}, 1)));
  }
  return heads.size() == 1 ? heads[0] : at::cat(heads, 1);
}

at::Tensor LstmAttentionDecoder::operator()(const at::Tensor& x,
                                            const LstmMemory& memory,
                                            const at::Tensor& lengths,
                                            const nn::Context& context,
                                            State* state) const {
  std::vector<at::Tensor> outputs;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const at::Tensor inputs =
        at::cat({x.narrow(0, t, 1), state->attention.unsqueeze(0)}, 2);
    const at::Tensor output =
        cells_(inputs, {}, context, &state->cells).squeeze(0);
    state->attention = Attend(output, memory);
    outputs.push_back(options_.output_attention ? state->attention : output);
  }
  at::Tensor all = at::stack(outputs);
  if (lengths.defined()) {
    all = all * Live(lengths, x.size(0)).unsqueeze(2).to(all.scalar_type());
  }
  return options_.output_attention && options_.heads > 1 ? output_layer_(all)
                                                         : all;
}

}  // namespace t2t
