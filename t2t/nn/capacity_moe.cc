// Shapes: B batch, L length, D hidden_size, E experts, C capacity (positions of
// a sequence that an expert takes), P B * L.

#include "t2t/nn/capacity_moe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/moe.h"

namespace t2t {
namespace {

// One choice of an expert by each position.
struct Choice {
  at::Tensor gate_BL;  // 0 where the expert had no room
  at::Tensor expert_BL;
  at::Tensor slot_BL;    // the position's place among its expert's
  at::Tensor taken_BLE;  // 1 at the expert that takes it
};

// The expert with the greatest gate, of equal ones the last; `before_B1E` of
// each sequence are its already.
Choice Choose(const at::Tensor& gates_BLE, const at::Tensor& before_B1E,
              int64_t capacity) {
  const int64_t experts = gates_BLE.size(2);
  Choice choice;
  choice.expert_BL = experts - 1 - gates_BLE.detach().flip(2).argmax(2);
  const at::Tensor chosen_BLE =
      at::one_hot(choice.expert_BL, experts).to(at::kFloat);
  const at::Tensor place_BLE =
      (chosen_BLE.cumsum(1) - chosen_BLE + before_B1E) * chosen_BLE;
  choice.taken_BLE = chosen_BLE * place_BLE.lt(static_cast<double>(capacity));
  choice.slot_BL = place_BLE.sum(2).to(at::kLong);
  choice.gate_BL =
      gates_BLE.gather(2, choice.expert_BL.unsqueeze(2)).squeeze(2) *
      choice.taken_BLE.sum(2);
  return choice;
}

// What each position's second expert is chosen by: its first is out, and so is
// what is expected to be full by then.
at::Tensor WithoutFirst(const at::Tensor& gates_BLE, const Choice& first,
                        const at::Tensor& count_B1E, int64_t capacity) {
  const int64_t length = gates_BLE.size(1);
  const at::Tensor full_from_B1E = (static_cast<double>(capacity) - count_B1E) *
                                   static_cast<double>(length) /
                                   (count_B1E + 1.0);
  const at::Tensor full_BLE = at::arange(length, gates_BLE.options())
                                  .view({1, length, 1})
                                  .gt(full_from_B1E)
                                  .to(at::kFloat);
  return gates_BLE - first.taken_BLE - full_BLE;
}

Initializer OfInputSize(int64_t size) {
  return NormalInit(0.0, std::pow(static_cast<double>(size), -0.5));
}

}  // namespace

CapacityMixture::CapacityMixture(const Scope& scope,
                                 const CapacityMixtureOptions& options)
    : options_(options),
      gate_(scope.Sub("logits"), options.hidden_size, options.experts),
      in_(scope.Sub("x0").Param(
          "w", {options.experts, options.hidden_size, options.filter_size},
          OfInputSize(options.hidden_size))),
      out_(scope.Sub("x1").Param(
          "w", {options.experts, options.filter_size, options.hidden_size},
          OfInputSize(options.filter_size))) {
  if (options.experts < 2 || options.filter_size < 1) {
    throw UsageError("ffn_layer=local_moe_tpu with moe_num_experts=" +
                         std::to_string(options.experts) + " of " +
                         std::to_string(options.filter_size) + " numbers",
                     "at least two experts, of half the filter_size each",
                     "change moe_num_experts or filter_size in --hparams");
  }
}

at::Tensor CapacityMixture::operator()(const at::Tensor& x_BLD,
                                       nn::Context& context) const {
  const int64_t batch = x_BLD.size(0);
  const int64_t length = x_BLD.size(1);
  const int64_t experts = options_.experts;
  const double overhead =
      context.training ? options_.overhead_train : options_.overhead_eval;
  const int64_t capacity = std::min(
      length, static_cast<int64_t>(static_cast<double>(length) * 2.0 *
                                   overhead / static_cast<double>(experts)));
  const at::Tensor gates_BLE = at::softmax(gate_(x_BLD).to(at::kFloat), 2);
  const Choice first =
      Choose(gates_BLE, gates_BLE.new_zeros({batch, 1, experts}), capacity);
  const at::Tensor count_B1E = first.taken_BLE.sum(1, /*keepdim=*/true);
  const Choice second = Choose(
      WithoutFirst(gates_BLE, first, count_B1E, capacity), count_B1E, capacity);
  context.losses.Add(
      "extra", VariationSquared(
                   (gates_BLE * (first.taken_BLE + second.taken_BLE)).sum(1)) *
                   options_.loss_weight);

  const at::Tensor all_BL = first.gate_BL + second.gate_BL + 1e-9;
  const at::Tensor sequence_BL =
      at::arange(batch, first.expert_BL.options()).view({batch, 1});
  const at::Tensor tokens_PD = x_BLD.flatten(0, 1);
  at::Tensor y_PD = at::zeros_like(tokens_PD);
  std::vector<at::Tensor> position, place, weight;
  for (const Choice* const choice : {&first, &second}) {
    const at::Tensor taken =
        choice->taken_BLE.sum(2).flatten().nonzero().squeeze(1);
    position.push_back(taken);
    place.push_back((choice->expert_BL * (batch * capacity) +
                     sequence_BL * capacity + choice->slot_BL)
                        .flatten()
                        .index_select(0, taken));
    weight.push_back(
        (choice->gate_BL / all_BL).flatten().index_select(0, taken));
  }
  if (capacity == 0) return x_BLD * 0.0;
  const at::Tensor from = at::cat(position);
  const at::Tensor to = at::cat(place);
  const at::Tensor arrived =
      tokens_PD.new_zeros({experts * batch * capacity, tokens_PD.size(1)})
          .index_copy(0, to, tokens_PD.index_select(0, from))
          .view({experts, batch * capacity, -1});
  const at::Tensor made = at::bmm(at::relu(at::bmm(arrived, in_)), out_)
                              .flatten(0, 1)
                              .index_select(0, to);
  return y_PD
      .index_add(
          0, from,
          (made * at::cat(weight).unsqueeze(1)).to(tokens_PD.scalar_type()))
      .view(x_BLD.sizes());
}

}  // namespace t2t
