#include "t2t/nn/block.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "t2t/nn/fsdp.h"

namespace t2t::nn {

at::Tensor PositionMixer::operator()(const at::Tensor& x, Pass& pass) const {
  if (pass.whole() != nullptr) return Whole(x, pass);
  return pass.ragged() != nullptr ? Ragged(x, pass) : Step(x, pass);
}

at::Tensor PositionMixer::Ragged(const at::Tensor&, Pass&) const {
  TORCH_CHECK(false, "a sublayer that can't be ragged runs over ragged rows");
}

at::Tensor Residual::operator()(const at::Tensor& x, Pass& pass) const {
  const at::Tensor y = (*sublayer_)(before_({}, x, pass.context()), pass);
  return after_(x, y, pass.context());
}

bool Residual::CanBeRagged() const {
  return before_.CanBeRagged() && sublayer_->CanBeRagged() &&
         after_.CanBeRagged();
}

Block::Block(const Scope& unit, std::vector<Residual> residuals)
    : store_(unit.store()),
      unit_(unit.prefix()),
      residuals_(std::move(residuals)) {
  unit.store()->AddFsdpUnit(unit_);
}

at::Tensor Block::operator()(const at::Tensor& input, Pass& pass) const {
  FsdpHooks* const fsdp =
      store_ != nullptr && pass.step() == nullptr ? store_->fsdp() : nullptr;
  at::Tensor x = fsdp != nullptr ? fsdp->Enter(unit_, input) : input;
  for (const Residual& residual : residuals_) x = residual(x, pass);
  return fsdp != nullptr ? fsdp->Leave(unit_, x) : x;
}

bool Block::CanBeRagged() const {
  return std::all_of(residuals_.begin(), residuals_.end(),
                     [](const Residual& r) { return r.CanBeRagged(); });
}

bool Block::CanStep() const {
  return std::all_of(residuals_.begin(), residuals_.end(),
                     [](const Residual& r) { return r.CanStep(); });
}

at::Tensor Stack::operator()(const at::Tensor& input, Pass& pass) const {
  at::Tensor x = input;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (trained_from == i) x = x.detach();
    x = blocks[i](x, pass);
  }
  if (last) x = (*last)({}, x, pass.context());
  return trained_from == blocks.size() ? x.detach() : x;
}

bool Stack::CanBeRagged() const {
  return (!last || last->CanBeRagged()) &&
         std::all_of(blocks.begin(), blocks.end(),
                     [](const Block& b) { return b.CanBeRagged(); });
}

bool Stack::CanStep() const {
  return std::all_of(blocks.begin(), blocks.end(),
                     [](const Block& b) { return b.CanStep(); });
}

namespace {

struct SelfState : State {
  void Select(const at::Tensor& rows) override {
    keys_values.Select(rows);
    memory.Select(rows);
  }

  KeyValueCache keys_values;
  MemorySteps memory;  // of recurrent memory alone
};

// The memory's keys and values, of each source.
struct SourceState : State {
  void Select(const at::Tensor&) override {}
  void SelectSources(const at::Tensor& sources) override {
    memory.keys = memory.keys.index_select(0, sources);
    memory.values = memory.values.index_select(0, sources);
    if (area_bias.defined()) area_bias = area_bias.index_select(0, sources);
  }

  KeysValues memory;
  at::Tensor area_bias;  // where areas are seen, not positions
};

SelfState& SelfStateOf(Pass& pass) {
  return pass.Kept([] { return std::make_unique<SelfState>(); });
}

}  // namespace

at::Tensor SelfAttention::Whole(const at::Tensor& x_BLD, Pass& pass) const {
  return attention_.SelfAttention(x_BLD, pass.whole()->bias, pass.context());
}

at::Tensor SelfAttention::Ragged(const at::Tensor& x_1TD, Pass& pass) const {
  return attention_.RaggedSelf(x_1TD, pass.ragged()->rows.offsets,
                               pass.causal(), pass.context());
}

at::Tensor SelfAttention::Step(const at::Tensor& x_R1D, Pass& pass) const {
  return attention_.SelfAttentionStep(
      x_R1D, pass.bias(), &SelfStateOf(pass).keys_values, pass.context());
}

at::Tensor RecurrentSelfAttention::Whole(const at::Tensor& x_BLD,
                                         Pass& pass) const {
  const MemoryChunk* const chunk = pass.whole()->chunk;
  TORCH_CHECK(chunk != nullptr, "recurrent memory without a chunk's number");
  return memory_.Attend(attention_, x_BLD, pass.whole()->bias, chunk->number_B,
                        pass.context(), &chunk->memories->at(layer_));
}

at::Tensor RecurrentSelfAttention::Step(const at::Tensor& x_R1D,
                                        Pass& pass) const {
  SelfState& state = SelfStateOf(pass);
  return memory_.Step(attention_, x_R1D, pass.bias(), pass.position(),
                      &state.keys_values, pass.context(), &state.memory);
}

at::Tensor MemoryAttention::Whole(const at::Tensor& x_BLD, Pass& pass) const {
  return attention_.MemoryAttention(x_BLD, pass.whole()->memory_BMD,
                                    pass.whole()->memory_bias, pass.context());
}

at::Tensor MemoryAttention::Ragged(const at::Tensor& x_1TD, Pass& pass) const {
  const RaggedSequences& ragged = *pass.ragged();
  return attention_.RaggedMemory(x_1TD, ragged.rows.offsets, ragged.memory_1SD,
                                 ragged.memory_rows.offsets, pass.context());
}

at::Tensor MemoryAttention::Step(const at::Tensor& x_R1D, Pass& pass) const {
  const StepCache& cache = *pass.step();
  const SourceState& state = pass.Kept([&] {
    auto made = std::make_unique<SourceState>();
    const KeysValues seen =
        attention_.ProjectMemory(cache.memory_BMD(), pass.context());
    made->memory = {seen.keys.contiguous(), seen.values.contiguous()};
    if (attention_.sees_areas()) {
      made->area_bias = attention_.MemoryBias(cache.memory_bias());
    }
    return made;
  });
  // The rows of one source are its queries, and so are a row's positions, where
  // a step has several.
  const at::Tensor y = attention_.MemoryAttentionStep(
      x_R1D.reshape({-1, cache.group() * x_R1D.size(1), x_R1D.size(-1)}),
      state.memory,
      attention_.sees_areas() ? state.area_bias : cache.memory_bias(),
      pass.context());
  return y.reshape(x_R1D.sizes());
}

at::Tensor Transition::operator()(const at::Tensor& x, Pass& pass) const {
  const WholeRows* const whole = pass.whole();
  const at::Tensor nonpadding =
      whole != nullptr ? whole->nonpadding_BL : at::Tensor();
  const at::Tensor y =
      RunCausally(x, ffn_->reach(), pass, [&](const at::Tensor& seen) {
        return ffn_->Apply(seen, nonpadding, /*left=*/pass.causal(),
                           pass.context());
      });
  if (!remove_padding_ || whole == nullptr) return y;
  return y * whole->own_nonpadding_BL.unsqueeze(2);
}

}  // namespace t2t::nn
