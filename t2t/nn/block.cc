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

}  // namespace t2t::nn
