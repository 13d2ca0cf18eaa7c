#include "t2t/nn/recurrent_memory.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr double kHidden = -1e9;

int64_t IntOr(const HParams& hparams, const char* name, int64_t other) {
  return hparams.Has(name) ? hparams.GetInt(name) : other;
}

// T2T's, where a row of zeros has one too.
at::Tensor NormOf(const at::Tensor& x) {
  return (x.square().sum(-1, /*keepdim=*/true) + 1e-7).sqrt();
}

// A layer whose bias begins at 1.
Dense WithOnes(const Scope& scope, int64_t in, int64_t out) {
  scope.Param("bias", {out}, OnesInit());
  return Dense(scope, in, out);
}

std::string BufferName(const std::string& layer, const char* name) {
  return layer + "/recurrent_memory/" + name;
}

}  // namespace

RecurrentMemoryOptions RecurrentMemoryOptions::FromHParams(
    const HParams& hparams) {
  if (!hparams.Has("memory_type")) {
    throw UsageError("the hparams set has no memory_type",
                     "a set for the model transformer_memory",
                     "use --hparams_set=transformer_wikitext103_l4k_memory_v0");
  }
  const std::string& type = hparams.GetString("memory_type");
  if (type != "transformer_xl" && type != "neural_memory") {
    throw UsageError("memory_type=" + type, "transformer_xl or neural_memory",
                     "change --hparams=memory_type=...");
  }
  RecurrentMemoryOptions options;
  options.neural = type == "neural_memory";
  options.depth = hparams.GetInt("hidden_size");
  options.chunk_length = hparams.GetInt("split_targets_chunk_length");
  if (options.chunk_length < 1) {
    throw UsageError(
        "split_targets_chunk_length=" + std::to_string(options.chunk_length) +
            " with the model transformer_memory",
        "the length of a chunk",
        "set --hparams=split_targets_chunk_length=64, say");
  }
  options.items = options.chunk_length;
  if (!options.neural && IntOr(hparams, "num_memory_items", 0) > 0) {
    options.items = hparams.GetInt("num_memory_items");
  }
  return options;
}

int64_t RecurrentMemoryOptions::Rows(const HParams& hparams) {
  const int64_t given = IntOr(hparams, "recurrent_memory_batch_size", 0);
  if (given > 0 && hparams.GetString("memory_type") != "neural_memory") {
    return given;
  }
  const int64_t max_length = hparams.GetInt("max_length");
  return std::max<int64_t>(
      1, max_length > 0 ? hparams.GetInt("batch_size") / max_length : 1);
}

MemoryState MemoryState::First(int64_t rows) const {
  MemoryState first;
  first.values = values.narrow(0, 0, rows);
  first.weights = weights.narrow(0, 0, rows);
  if (chunk.defined()) first.chunk = chunk.narrow(0, 0, rows);
  return first;
}

void MemoryState::Select(const at::Tensor& chosen) {
  if (!values.defined()) return;
  const at::Tensor rows = chosen.to(values.device());
  values = values.index_select(0, rows);
  weights = weights.index_select(0, rows);
  if (chunk.defined()) chunk = chunk.index_select(0, rows);
}

void MemorySteps::Select(const at::Tensor& rows) {
  state.Select(rows);
  if (inputs.defined()) {
    inputs = inputs.index_select(0, rows.to(inputs.device()));
  }
}

RecurrentMemory::RecurrentMemory(const Scope& attention,
                                 const std::string& layer,
                                 const RecurrentMemoryOptions& options)
    : options_(options) {
  if (!options.neural) return;
  const Scope own = attention.Sub(layer).Sub("recurrent_memory");
  const Scope before = own.Sub("pre_attention");
  const Scope after = own.Sub("post_attention");
  const int64_t depth = options.depth;
  key_ = WithOnes(before.Sub("mem_key"), depth, depth);
  query_ = WithOnes(before.Sub("mem_query"), depth, depth);
  from_attention_ = Dense(after.Sub("dense"), depth, depth, /*use_bias=*/false);
  from_memory_ = Dense(after.Sub("dense_1"), depth, depth);
  gamma_ = Dense(after.Sub("gamma"), depth, 1);
  candidate_ = Dense(after.Sub("candidate_value"), depth, depth);
  erase_ = Dense(after.Sub("erase"), depth, options.items);
}

MemoryState RecurrentMemory::Start(int64_t rows) const {
  MemoryState state;
  const at::TensorOptions type = OnDevice(at::kFloat);
  state.values = at::zeros({rows, options_.items, options_.depth}, type);
  state.weights =
      at::full({rows, options_.items}, options_.neural ? 0.0 : kHidden, type);
  if (options_.neural) state.chunk = at::zeros({rows}, type);
  return state;
}

MemoryState RecurrentMemory::MakeBuffers(const std::string& layer, int64_t rows,
                                         ParamStore* params) const {
  const auto make = [&](const char* name, at::IntArrayRef shape, double value) {
    return params->CreateBuffer(BufferName(layer, name), shape,
                                ConstantInit(value));
  };
  MemoryState state;
  state.values = make("memvals", {rows, options_.items, options_.depth}, 0.0);
  state.weights = make(options_.neural ? "meanlogits" : "membias",
                       {rows, options_.items}, options_.neural ? 0.0 : kHidden);
  if (options_.neural) state.chunk = make("segment_number", {rows}, 0.0);
  return state;
}

at::Tensor RecurrentMemory::AttendRecent(const MultiheadAttention& attention,
                                         const at::Tensor& x,
                                         const at::Tensor& bias,
                                         const at::Tensor& chunk,
                                         const nn::Context& context,
                                         MemoryState* state) const {
  const int64_t rows = x.size(0);
  const int64_t length = x.size(1);
  // What a sequence's first chunk finds is another's.
  const at::Tensor before =
      state->weights + chunk.eq(0).to(at::kFloat).unsqueeze(1) * kHidden;
  const at::Tensor all = at::cat({state->values.to(x.scalar_type()), x}, 1);
  const at::Tensor all_bias =
      at::cat({before.view({rows, 1, 1, options_.items})
                   .expand({rows, 1, length, options_.items}),
               bias.expand({rows, 1, length, length})},
              3);
  const at::Tensor output =
      attention.SelfAttentionOver(x, all, all_bias, context);
  // A position is remembered where any of the chunk's sees it.
  const at::Tensor seen = bias.amax(2).expand({rows, 1, length}).squeeze(1);
  const at::NoGradGuard no_grad;
  state->values.copy_(all.narrow(1, length, options_.items));
  state->weights.copy_(
      at::cat({before, seen}, 1).narrow(1, length, options_.items));
  return output;
}

at::Tensor RecurrentMemory::Address(const at::Tensor& x,
                                    const at::Tensor& values) const {
  const at::Tensor keys = key_(values);
  const at::Tensor queries = query_(x);
  const at::Tensor norms =
      at::matmul(NormOf(queries), NormOf(keys).transpose(1, 2));
  return at::matmul(queries, keys.transpose(1, 2)) / (norms + 1e-7);
}

at::Tensor RecurrentMemory::Combine(const at::Tensor& attended,
                                    const at::Tensor& logits,
                                    const at::Tensor& values) const {
  return from_attention_(attended) +
         from_memory_(at::matmul(at::softmax(logits, -1), values));
}

void RecurrentMemory::Write(const at::Tensor& x, const at::Tensor& logits,
                            MemoryState* state) const {
  const at::NoGradGuard no_grad;
  const double length = static_cast<double>(x.size(1));
  const at::Tensor writing =
      logits - at::sigmoid(gamma_(x)) * state->weights.unsqueeze(1);
  const at::Tensor shares = at::softmax(writing, -1);
  const at::Tensor kept =
      (1.0 - at::sigmoid(erase_(x)) * shares).mean(1).unsqueeze(2);
  const at::Tensor added =
      at::matmul(shares.transpose(1, 2), at::relu(candidate_(x))) / length;
  state->values.copy_(kept * state->values + added);
  state->weights.copy_(state->weights * 0.1 + writing.mean(1) * 0.9);
}

at::Tensor RecurrentMemory::Attend(const MultiheadAttention& attention,
                                   const at::Tensor& x, const at::Tensor& bias,
                                   const at::Tensor& chunk,
                                   const nn::Context& context,
                                   MemoryState* state) const {
  if (x.size(0) > state->rows()) {
    throw UsageError(
        std::to_string(x.size(0)) + " sequences in a batch and a memory for " +
            std::to_string(state->rows()),
        "no more than are remembered",
        "change recurrent_memory_batch_size, batch_size or max_length in "
        "--hparams");
  }
  MemoryState used = state->First(x.size(0));
  if (!options_.neural) {
    return AttendRecent(attention, x, bias, chunk, context, &used);
  }
  {
    const at::NoGradGuard no_grad;
    const at::Tensor number = chunk.to(at::kFloat);
    const at::Tensor anew =
        at::logical_or(number.eq(0), number.lt(used.chunk)).unsqueeze(1);
    used.values.masked_fill_(anew.unsqueeze(2), 0.0);
    used.weights.masked_fill_(anew, 0.0);
    used.chunk.copy_(number);
  }
  // The gradient is of what is read now, not of what is written later.
  const at::Tensor values = used.values.clone();
  const at::Tensor logits = Address(x, values);
  const at::Tensor output =
      Combine(attention.SelfAttention(x, bias, context), logits, values);
  Write(x.detach(), logits.detach(), &used);
  return output;
}

at::Tensor RecurrentMemory::Step(const MultiheadAttention& attention,
                                 const at::Tensor& x, const at::Tensor& bias,
                                 int64_t offset, KeyValueCache* cache,
                                 const nn::Context& context,
                                 MemorySteps* steps) const {
  const bool first = offset == 0;
  if (!options_.neural) {
    // What the chunk before left, by its keys and values.
    if (first) cache->KeepLast(options_.items);
    at::Tensor whole = bias;
    const int64_t before = cache->length() - offset;
    if (bias.defined() && before > 0) {
      whole = at::constant_pad_nd(bias, {before, 0});
    }
    return attention.SelfAttentionStep(x, whole, cache, context);
  }
  if (!steps->state.values.defined()) steps->state = Start(x.size(0));
  MemoryState& state = steps->state;
  if (first) {
    if (steps->inputs.defined()) {
      Write(steps->inputs, Address(steps->inputs, state.values), &state);
    }
    steps->inputs = at::Tensor();
    cache->KeepLast(0);
  }
  steps->inputs = steps->inputs.defined() ? at::cat({steps->inputs, x}, 1) : x;
  return Combine(attention.SelfAttentionStep(x, bias, cache, context),
                 Address(x, state.values), state.values);
}

}  // namespace t2t
