#include "t2t/parallel/sharded_parameters.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kGathering[] = "gathering the parameters";
constexpr char kSharing[] = "sharing the parameters";

// A pass' way into a unit and out of it: x itself. Nodes of the backward pass
// run in the reverse order in which the forward pass made them.
template <bool kEnters>
class Border : public torch::autograd::Function<Border<kEnters>> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            ShardedParameters* parameters, int64_t unit) {
    context->saved_data["parameters"] = reinterpret_cast<int64_t>(parameters);
    context->saved_data["unit"] = unit;
    return x.view_as(x);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    auto* const parameters = reinterpret_cast<ShardedParameters*>(
        context->saved_data["parameters"].toInt());
    const auto unit = static_cast<size_t>(context->saved_data["unit"].toInt());
    if (kEnters) {
      parameters->BackwardLeaves(unit);
    } else {
      parameters->BackwardEnters(unit);
    }
    return {gradients[0], at::Tensor(), at::Tensor()};
  }
};

std::vector<int64_t> Counts(size_t ranks, size_t rank, int64_t count) {
  std::vector<int64_t> counts(ranks, 0);
  counts[rank] = count;
  return counts;
}

std::vector<int64_t> EveryRank(int64_t ranks) {
  std::vector<int64_t> all(static_cast<size_t>(ranks));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

std::vector<int64_t> ShardedParameters::Groups(
    const std::vector<std::string>& names,
    const std::vector<std::string>& units) {
  std::vector<int64_t> groups;
  for (const std::string& name : names) {
    int64_t group = 0;
    for (size_t i = 0; i < units.size(); ++i) {
      if (StartsWith(name, units[i] + "/")) group = static_cast<int64_t>(i) + 1;
    }
    groups.push_back(group);
  }
  return groups;
}

ShardedParameters::ShardedParameters(std::vector<at::Tensor> parameters,
                                     const std::vector<int64_t>& groups,
                                     std::vector<std::string> units,
                                     std::shared_ptr<const Partition> partition,
                                     ProcessGroup* group)
    : parameters_(std::move(parameters)),
      names_(std::move(units)),
      partition_(std::move(partition)),
      group_(group->Sub(EveryRank(group->size()), "parameters")),
      buckets_(partition_->buckets().size()),
      device_(parameters_.empty() ? at::kCPU : parameters_[0].device()),
      units_(names_.size() + 1),
      whole_(group->rank() == 0 &&
             (parameters_.empty() || HasMemory(parameters_[0]))) {
  const at::NoGradGuard no_grad;
  const auto options = at::TensorOptions(device_).dtype(at::kFloat);
  for (size_t i = 0; i < buckets_.size(); ++i) {
    const Partition::Bucket& place = partition_->buckets()[i];
    Bucket& bucket = buckets_[i];
    bucket.all = MappedFloats(place.size, device_);
    if (!whole_) DropMemory(bucket.all);
    for (const size_t p : place.parameters) {
      const at::Tensor& parameter = parameters_[p];
      const at::Tensor here =
          bucket.all
              .narrow(0, partition_->offset(p) - place.begin, parameter.numel())
              .view(parameter.sizes());
      if (whole_) here.copy_(parameter);
      parameter.set_data(here);
    }
    bucket.own = at::zeros(ShardSize(i, group_->rank()), options);
    Count(static_cast<int64_t>(bucket.own.nbytes()));
    const int64_t of = groups[place.parameters.front()];
    units_[static_cast<size_t>(of)].buckets.push_back(i);
  }
  for (Unit& unit : units_) {
    unit.state = whole_ ? State::kHere : State::kAway;
  }
  for (const Partition::Run& run : partition_->RunsOf(group_->rank())) {
    const size_t index = partition_->bucket_of(run.parameter);
    const Partition::Bucket& place = partition_->buckets()[index];
    const int64_t begin = partition_->offset(run.parameter) + run.begin -
                          place.begin -
                          place.bounds[static_cast<size_t>(group_->rank())];
    own_.push_back(buckets_[index].own.narrow(0, begin, run.size));
  }
}

ShardedParameters::~ShardedParameters() = default;

void ShardedParameters::DrawOwn(const Draw& draw) {
  const at::NoGradGuard no_grad;
  const std::vector<Partition::Run> runs = partition_->RunsOf(group_->rank());
  for (size_t i = 0; i < runs.size(); ++i) {
    own_[i].copy_(draw(runs[i].parameter)
                      .flatten()
                      .narrow(0, runs[i].begin, runs[i].size));
  }
}

void ShardedParameters::MakeWhole(const Draw& draw) {
  if (group_->rank() > 0 || whole_) return;
  const at::NoGradGuard no_grad;
  whole_ = true;
  for (const Bucket& bucket : buckets_) {
    if (!HasMemory(bucket.all)) RestoreMemory(bucket.all);
  }
  for (Unit& unit : units_) unit.state = State::kHere;
  if (draw == nullptr) return;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].detach().copy_(draw(i));
  }
}

int64_t ShardedParameters::own_bytes() const {
  int64_t bytes = 0;
  for (const Bucket& bucket : buckets_) {
    bytes += static_cast<int64_t>(bucket.own.nbytes());
  }
  return bytes;
}

void ShardedParameters::Count(int64_t bytes) {
  bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, bytes_);
}

void ShardedParameters::Restore(const at::Tensor& tensor) {
  RestoreMemory(tensor);
  Count(static_cast<int64_t>(tensor.nbytes()));
}

void ShardedParameters::Drop(const at::Tensor& tensor) {
  if (!HasMemory(tensor)) return;
  DropMemory(tensor);
  Count(-static_cast<int64_t>(tensor.nbytes()));
}

void ShardedParameters::Scatter() {
  const auto ranks = static_cast<size_t>(group_->size());
  const bool first = group_->rank() == 0;
  const at::Tensor nothing = MappedFloats(0, device_);
  for (size_t i = 0; i < buckets_.size(); ++i) {
    std::vector<int64_t> sent(ranks, 0);
    for (size_t r = 0; first && r < ranks; ++r) {
      sent[r] = ShardSize(i, static_cast<int64_t>(r));
    }
    group_->Wait(group_->StartAllToAll(
                     first ? buckets_[i].all : nothing, sent, buckets_[i].own,
                     Counts(ranks, 0, buckets_[i].own.numel())),
                 kSharing);
  }
}

void ShardedParameters::GatherToFirst() {
  const auto ranks = static_cast<size_t>(group_->size());
  const bool first = group_->rank() == 0;
  const at::Tensor nothing = MappedFloats(0, device_);
  for (size_t i = 0; i < buckets_.size(); ++i) {
    std::vector<int64_t> received(ranks, 0);
    for (size_t r = 0; first && r < ranks; ++r) {
      received[r] = ShardSize(i, static_cast<int64_t>(r));
    }
    if (first && !HasMemory(buckets_[i].all)) RestoreMemory(buckets_[i].all);
    group_->Wait(group_->StartAllToAll(
                     buckets_[i].own, Counts(ranks, 0, buckets_[i].own.numel()),
                     first ? buckets_[i].all : nothing, received),
                 kGathering);
  }
  whole_ = first;
  for (Unit& unit : units_) unit.state = first ? State::kHere : State::kAway;
}

void ShardedParameters::DropWhole() {
  if (!whole_) return;
  whole_ = false;
  for (const Bucket& bucket : buckets_) DropMemory(bucket.all);
  for (Unit& unit : units_) unit.state = State::kAway;
}

void ShardedParameters::Start(Unit* unit) {
  if (unit->state != State::kAway) return;
  unit->state = State::kComing;
  for (const size_t i : unit->buckets) {
    Bucket& bucket = buckets_[i];
    std::vector<int64_t> received;
    for (int64_t r = 0; r < group_->size(); ++r)
      received.push_back(ShardSize(i, r));
    Restore(bucket.all);
    bucket.sent = MappedFloats(bucket.own.numel() * group_->size(), device_);
    bucket.sent.view({group_->size(), bucket.own.numel()})
        .copy_(bucket.own.unsqueeze(0));
    Count(static_cast<int64_t>(bucket.sent.nbytes()));
    bucket.work = group_->StartAllToAll(
        bucket.sent, std::vector<int64_t>(received.size(), bucket.own.numel()),
        bucket.all, received);
  }
}

void ShardedParameters::Need(Unit* unit) {
  Start(unit);
  if (unit->state == State::kHere) return;
  for (const size_t i : unit->buckets) {
    Bucket& bucket = buckets_[i];
    group_->Wait(bucket.work, kGathering);
    Count(-static_cast<int64_t>(bucket.sent.nbytes()));
    bucket.work = nullptr;
    bucket.sent = at::Tensor();
  }
  unit->state = State::kHere;
}

void ShardedParameters::Free(Unit* unit) {
  if (unit->state == State::kAway) return;
  Need(unit);
  for (const size_t i : unit->buckets) Drop(buckets_[i].all);
  for (const Joined& joined : unit->joined) Drop(joined.tensor);
  unit->state = State::kAway;
}

void ShardedParameters::DropJoined(Unit* unit) {
  for (const Joined& joined : unit->joined) Drop(joined.tensor);
  unit->joined.clear();
}

void ShardedParameters::BeginStep() {
  DropWhole();
  Need(&units_[0]);
}

void ShardedParameters::EndPass() {
  for (size_t i = 1; i < units_.size(); ++i) {
    Free(&units_[i]);
    DropJoined(&units_[i]);
  }
}

void ShardedParameters::EndStep() {
  EndPass();
  Free(&units_[0]);
}

size_t ShardedParameters::IndexOf(const std::string& unit) const {
  const auto found = std::find(names_.begin(), names_.end(), unit);
  if (found == names_.end()) {
    throw Error(ExitCode::kInternal,
                "the model enters '" + unit + "', which is no unit of it");
  }
  return static_cast<size_t>(found - names_.begin()) + 1;
}

at::Tensor ShardedParameters::Enter(const std::string& unit,
                                    const at::Tensor& x) {
  entered_ = IndexOf(unit);
  Need(&units_[entered_]);
  if (entered_ + 1 < units_.size()) Start(&units_[entered_ + 1]);
  if (!at::GradMode::is_enabled()) return x;
  return Border<true>::apply(x, this, static_cast<int64_t>(entered_));
}

at::Tensor ShardedParameters::Leave(const std::string& unit,
                                    const at::Tensor& x) {
  const size_t index = IndexOf(unit);
  entered_ = 0;
  const bool backward = at::GradMode::is_enabled();
  // The backward pass begins with the last one.
  if (!backward || index + 1 < units_.size()) Free(&units_[index]);
  if (!backward) return x;
  return Border<false>::apply(x, this, static_cast<int64_t>(index));
}

void ShardedParameters::BackwardEnters(size_t index) {
  const at::NoGradGuard no_grad;
  Unit& unit = units_[index];
  Need(&unit);
  for (Joined& joined : unit.joined) {
    if (HasMemory(joined.tensor)) continue;
    Restore(joined.tensor);
    at::cat_out(joined.tensor, joined.parts, joined.dim);
  }
  if (index > 1) Start(&units_[index - 1]);
}

void ShardedParameters::BackwardLeaves(size_t index) {
  Unit& unit = units_[index];
  Free(&unit);
  DropJoined(&unit);
  if (done_ != nullptr) done_(unit.buckets);
}

at::Tensor ShardedParameters::Join(const std::vector<at::Tensor>& parameters,
                                   int64_t dim) {
  const at::Tensor joined = at::cat(parameters, dim);
  if (!at::GradMode::is_enabled() || entered_ == 0) return joined;
  std::vector<at::Tensor> parts;
  for (const at::Tensor& parameter : parameters) {
    parts.push_back(parameter.detach());
  }
  // With a version of its own: what the backward pass has kept is filled again,
  // not changed.
  units_[entered_].joined.push_back(
      {joined.variable_data(), std::move(parts), dim});
  Count(static_cast<int64_t>(joined.nbytes()));
  return joined;
}

}  // namespace t2t
