#include "t2t/distributed/collectives.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"

namespace t2t {

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

ProcessGroup::Work BackendCollectives::StartAllReduce(
    const at::Tensor& tensor) {
  std::vector<at::Tensor> tensors = {tensor};
  c10d::AllreduceOptions options;
  options.timeout = kNoLimit;
  return Keep([&] { return For(tensor)->allreduce(tensors, options); },
              tensors);
}

ProcessGroup::Work BackendCollectives::StartAllGather(
    const at::Tensor& input, const at::Tensor& output) {
  at::Tensor from = input;
  at::Tensor to = output;
  c10d::AllgatherOptions options;
  options.timeout = kNoLimit;
  return Keep([&] { return For(from)->_allgather_base(to, from, options); },
              {from, to});
}

ProcessGroup::Work BackendCollectives::StartAllToAll(
    const at::Tensor& input, const std::vector<int64_t>& input_counts,
    const at::Tensor& output, const std::vector<int64_t>& output_counts) {
  at::Tensor from = input;
  at::Tensor to = output;
  std::vector<int64_t> from_counts = input_counts;
  std::vector<int64_t> to_counts = output_counts;
  c10d::AllToAllOptions options;
  options.timeout = kNoLimit;
  return Keep(
      [&] {
        return For(from)->alltoall_base(to, from, to_counts, from_counts,
                                        options);
      },
      {from, to});
}

ProcessGroup::Work BackendCollectives::StartBroadcast(
    const at::Tensor& tensor) {
  std::vector<at::Tensor> tensors = {tensor};
  c10d::BroadcastOptions options;
  options.rootRank = 0;
  options.timeout = kNoLimit;
  return Keep([&] { return For(tensor)->broadcast(tensors, options); },
              tensors);
}

double BackendCollectives::under_way_seconds() const {
  return clock_ == nullptr ? 0 : clock_->Seconds(NowSeconds());
}

void BackendCollectives::ForgetBackends() {
  backend_.release();
  device_backend_.release();
}

c10d::Backend* BackendCollectives::For(const at::Tensor& tensor) const {
  return (tensor.device().is_cpu() ? backend_ : device_backend_).get();
}

void BackendCollectives::CheckDevices(
    const std::vector<at::Tensor>& tensors) const {
  const at::Device device = tensors[0].device();
  const bool same = std::all_of(
      tensors.begin(), tensors.end(),
      [&](const at::Tensor& tensor) { return tensor.device() == device; });
  if (same && For(tensors[0]) != nullptr) return;
  throw Error(ExitCode::kInternal,
              "a collective of tensors on " + device.str() +
                  (same ? ", which has no connection"
                        : " and on " + tensors.back().device().str()));
}

ProcessGroup::Work BackendCollectives::Keep(
    const std::function<c10::intrusive_ptr<c10d::Work>()>& start,
    std::vector<at::Tensor> tensors) {
  CheckDevices(tensors);
  auto pending = std::make_shared<Pending>();
  pending->tensors = std::move(tensors);
  pending->on_device = !pending->tensors[0].device().is_cpu();
  try {
    if (clock_ != nullptr) clock_->Begin(NowSeconds());
    pending->work = start();
    if (clock_ != nullptr) {
      pending->work->getFuture()->addCallback(
          [clock = clock_](c10::ivalue::Future&) { clock->End(NowSeconds()); });
    }
  } catch (const std::exception& error) {
    Lost("a collective", FirstLine(error.what()));
  }
  return pending;
}

void ProcessGroup::AllReduce(const at::Tensor& tensor,
                             const std::string& what) {
  Wait(StartAllReduce(tensor), what);
}

at::Tensor ProcessGroup::AllGather(const at::Tensor& input,
                                   const std::string& what) {
  std::vector<int64_t> shape = input.sizes().vec();
  shape.insert(shape.begin(), size());
  const at::Tensor output = at::empty(size() * input.numel(), input.options());
  Wait(StartAllGather(input.flatten(), output), what);
  return output.view(shape);
}

at::Tensor ProcessGroup::AllToAll(const at::Tensor& input,
                                  const std::vector<int64_t>& input_counts,
                                  const std::vector<int64_t>& output_counts,
                                  const std::string& what) {
  const at::Tensor output = at::empty(
      std::accumulate(output_counts.begin(), output_counts.end(), int64_t{0}),
      input.options());
  Wait(StartAllToAll(input, input_counts, output, output_counts), what);
  return output;
}

at::Tensor ProcessGroup::ReduceScatter(const at::Tensor& input,
                                       const std::string& what) {
  const int64_t shard_size = input.numel() / size();
  const std::vector<int64_t> counts(static_cast<size_t>(size()), shard_size);
  at::Tensor shards =
      AllToAll(input, counts, counts, what).view({size(), shard_size});
  at::Tensor sum = shards[0];
  for (int64_t i = 1; i < size(); ++i) sum.add_(shards[i]);
  return sum;
}

void ProcessGroup::Broadcast(const at::Tensor& tensor,
                             const std::string& what) {
  if (tensor.numel() > 0) Wait(StartBroadcast(tensor), what);
}

std::string ProcessGroup::BroadcastText(const std::string& text,
                                        const std::string& what) {
  const at::Tensor length = at::full(1, static_cast<int64_t>(text.size()),
                                     at::TensorOptions().dtype(at::kLong));
  Broadcast(length, what);
  const at::Tensor bytes = at::empty(length.item<int64_t>(), at::kByte);
  char* const data = reinterpret_cast<char*>(bytes.mutable_data_ptr<uint8_t>());
  if (rank() == 0) std::copy(text.begin(), text.end(), data);
  Broadcast(bytes, what);
  return std::string(data, static_cast<size_t>(bytes.numel()));
}

void ProcessGroup::Barrier(const std::string& what, Limit limit) {
  Wait(StartAllReduce(at::zeros(1)), what, limit);
}

}  // namespace t2t
