// Tokens to their experts and back, where the experts are sharded over ranks.

#include <cstdint>
#include <vector>

#include "t2t/parallel/tensor_parallel_group.h"

namespace t2t {
namespace {

std::vector<int64_t> ToVector(const at::Tensor& counts) {
  const at::Tensor whole = counts.to(at::kCPU, at::kLong).contiguous();
  const int64_t* const data = whole.const_data_ptr<int64_t>();
  return {data, data + whole.numel()};
}

// How many rows go where.
struct Dispatch {
  std::vector<int64_t> sent;      // to each rank
  std::vector<int64_t> received;  // from each rank
  // Which of the rows received stands where once they are sorted by expert,
  // then by rank; and how many each expert here has.
  std::vector<int64_t> order;
  std::vector<int64_t> by_expert;
};

// experts: of each rank. counts: this rank's rows for each expert of all.
// arriving: how many rows each rank sends to each expert here, by rank.
Dispatch PlanDispatch(const std::vector<int64_t>& experts, int64_t own,
                      const std::vector<int64_t>& counts,
                      const std::vector<int64_t>& arriving) {
  Dispatch plan;
  const auto ranks = static_cast<int64_t>(experts.size());
  const auto arrives = [&](int64_t rank, int64_t expert) {
    return arriving[static_cast<size_t>(rank * own + expert)];
  };
  size_t expert = 0;
  for (int64_t r = 0; r < ranks; ++r) {
    int64_t sent = 0;
    for (int64_t i = 0; i < experts[static_cast<size_t>(r)]; ++i) {
      sent += counts[expert++];
    }
    plan.sent.push_back(sent);
    int64_t received = 0;
    for (int64_t i = 0; i < own; ++i) received += arrives(r, i);
    plan.received.push_back(received);
  }
  for (int64_t i = 0; i < own; ++i) {
    int64_t start = 0;
    int64_t count = 0;
    for (int64_t r = 0; r < ranks; ++r) {
      for (int64_t e = 0; e < own; ++e) {
        const int64_t rows = arrives(r, e);
        for (int64_t row = 0; e == i && row < rows; ++row) {
          plan.order.push_back(start + row);
        }
        if (e == i) count += rows;
        start += rows;
      }
    }
    plan.by_expert.push_back(count);
  }
  return plan;
}

}  // namespace

at::Tensor TensorParallelGroup::RunExperts(const at::Tensor& rows,
                                           const std::vector<int64_t>& counts,
                                           const Experts& own_experts) const {
  std::vector<int64_t> experts;
  for (int64_t r = 0; r < size(); ++r) {
    experts.push_back(
        ShardRangeOf(static_cast<int64_t>(counts.size()), size(), r).size());
  }
  const int64_t own = experts[static_cast<size_t>(rank())];
  const at::Tensor arriving =
      group_->AllToAll(at::tensor(counts, at::kLong), experts,
                       std::vector<int64_t>(static_cast<size_t>(size()), own),
                       "the tokens' experts");
  const Dispatch plan = PlanDispatch(experts, own, counts, ToVector(arriving));
  const at::Tensor index = at::tensor(plan.order, at::kLong).to(rows.device());
  const at::Tensor arrived = ExchangeRows(rows, plan.sent, plan.received);
  const at::Tensor outputs =
      own_experts(arrived.index_select(0, index), plan.by_expert);
  return ExchangeRows(at::zeros_like(outputs).index_copy(0, index, outputs),
                      plan.received, plan.sent);
}

}  // namespace t2t
