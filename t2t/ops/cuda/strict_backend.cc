#include "t2t/ops/cuda/strict_backend.h"

#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>
#include <vector>

#include "t2t/ops/cuda/strict_device.h"

namespace t2t {
namespace {

using std::chrono::milliseconds;

at::Tensor Bytes(const at::Tensor& tensor) {
  return tensor.contiguous().view(-1).view(at::kByte);
}

// A collective's tensor: the device's, and what goes by Gloo.
class Staged {
 public:
  enum class Use { kRead, kWritten };

  Staged(const at::Tensor& tensor, Use use)
      : tensor_(tensor), use_(use), memory_(tensor.storage().data()) {
    if (tensor.device() != StrictDevice() || !tensor.is_contiguous()) {
      throw std::runtime_error(
          "a contiguous tensor of the device is wanted, but one is on " +
          tensor.device().str());
    }
    cpu_ = tensor.cpu().clone();
    seen_ = cpu_.clone();
    if (use == Use::kRead || tensor.numel() == 0) return;
    at::isFloatingType(tensor.scalar_type())
        ? seen_.fill_(std::numeric_limits<double>::quiet_NaN())
        : seen_.fill_(-1);
    tensor_.copy_(seen_);
  }

  const at::Tensor& cpu() const { return cpu_; }

  void Finish() {
    if (tensor_.numel() == 0) return;
    if (tensor_.storage().data() != memory_) {
      throw std::logic_error("its memory was freed while it was under way");
    }
    // -1 in unsigned types, and NaNs, are compared by their bytes.
    if (!at::equal(Bytes(tensor_.cpu()), Bytes(seen_))) {
      throw std::logic_error("it was changed while it was under way");
    }
    if (use_ == Use::kWritten) tensor_.copy_(cpu_);
  }

 private:
  at::Tensor tensor_;
  const Use use_;
  const void* const memory_;
  at::Tensor cpu_;
  at::Tensor seen_;  // what is in the device's until the end
};

class StrictWork : public c10d::Work {
 public:
  StrictWork(c10::intrusive_ptr<c10d::Work> work, std::vector<Staged> tensors)
      : work_(std::move(work)), tensors_(std::move(tensors)) {}

  bool isCompleted() override { return work_->isCompleted(); }
  std::exception_ptr exception() const override { return work_->exception(); }
  bool wait(milliseconds timeout) override {
    work_->wait(timeout);
    const at::NoGradGuard no_grad;
    for (Staged& tensor : tensors_) tensor.Finish();
    tensors_.clear();
    return true;
  }

 private:
  const c10::intrusive_ptr<c10d::Work> work_;
  std::vector<Staged> tensors_;
};

class StrictBackend : public c10d::Backend {
 public:
  StrictBackend(c10::intrusive_ptr<c10d::Backend> gloo, int rank, int size)
      : Backend(rank, size), gloo_(std::move(gloo)) {}

  c10::intrusive_ptr<c10d::Work> allreduce(
      std::vector<at::Tensor>& tensors,
      const c10d::AllreduceOptions& options) override {
    Staged tensor(tensors.at(0), Staged::Use::kWritten);
    std::vector<at::Tensor> cpu = {tensor.cpu()};
    return Started(gloo_->allreduce(cpu, options), {tensor});
  }

  c10::intrusive_ptr<c10d::Work> broadcast(
      std::vector<at::Tensor>& tensors,
      const c10d::BroadcastOptions& options) override {
    Staged tensor(tensors.at(0), options.rootRank == getRank()
                                     ? Staged::Use::kRead
                                     : Staged::Use::kWritten);
    std::vector<at::Tensor> cpu = {tensor.cpu()};
    return Started(gloo_->broadcast(cpu, options), {tensor});
  }

  c10::intrusive_ptr<c10d::Work> _allgather_base(
      at::Tensor& output, at::Tensor& input,
      const c10d::AllgatherOptions& options) override {
    Staged from(input, Staged::Use::kRead);
    Staged to(output, Staged::Use::kWritten);
    at::Tensor cpu_from = from.cpu();
    at::Tensor cpu_to = to.cpu();
    return Started(gloo_->_allgather_base(cpu_to, cpu_from, options),
                   {from, to});
  }

  c10::intrusive_ptr<c10d::Work> alltoall_base(
      at::Tensor& output, at::Tensor& input, std::vector<int64_t>& to_counts,
      std::vector<int64_t>& from_counts,
      const c10d::AllToAllOptions& options) override {
    Staged from(input, Staged::Use::kRead);
    Staged to(output, Staged::Use::kWritten);
    at::Tensor cpu_from = from.cpu();
    at::Tensor cpu_to = to.cpu();
    return Started(
        gloo_->alltoall_base(cpu_to, cpu_from, to_counts, from_counts, options),
        {from, to});
  }

 private:
  static c10::intrusive_ptr<c10d::Work> Started(
      c10::intrusive_ptr<c10d::Work> work, std::vector<Staged> tensors) {
    return c10::make_intrusive<StrictWork>(std::move(work), std::move(tensors));
  }

  const c10::intrusive_ptr<c10d::Backend> gloo_;
};

}  // namespace

c10::intrusive_ptr<c10d::Backend> MakeStrictBackend(
    const c10::intrusive_ptr<c10d::Store>& store, int64_t rank, int64_t size) {
  auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(60'000));
  options->devices = {
      c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")};
  auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(
      store, static_cast<int>(rank), static_cast<int>(size), options);
  return c10::make_intrusive<StrictBackend>(
      std::move(gloo), static_cast<int>(rank), static_cast<int>(size));
}

}  // namespace t2t
