#include "t2t/checkpoint/checkpoint_writer.h"

#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"

namespace t2t {

namespace {

// Copies a tensor into the memory of the copy before, where that fits.
at::Tensor Copy(const at::Tensor& tensor, at::Tensor before) {
  at::Tensor copy = std::move(before);
  if (!copy.defined() || copy.sizes() != tensor.sizes() ||
      copy.scalar_type() != tensor.scalar_type()) {
    copy = at::empty(tensor.sizes(),
                     tensor.options().device(at::kCPU).requires_grad(false));
  }
  if (tensor.numel() == 0) return copy;
  if (tensor.is_cpu() && tensor.is_contiguous()) {
    // On one thread: nobody is waited for.
    std::memcpy(copy.mutable_data_ptr(), tensor.const_data_ptr(),
                tensor.nbytes());
  } else {
    copy.copy_(tensor.detach());
  }
  return copy;
}

// The other ranks' shards come at about the same time.
constexpr double kAwaitSeconds = 600;

}  // namespace

CheckpointWriter::CheckpointWriter(std::string model_dir, int64_t keep_max)
    : model_dir_(std::move(model_dir)), keep_max_(keep_max) {
  RemoveLeftovers(model_dir_);
  RemoveLoneShards(model_dir_);
}

CheckpointWriter::CheckpointWriter(std::string model_dir)
    : model_dir_(std::move(model_dir)), keep_max_(0) {}

void CheckpointWriter::Save(const Checkpoint& checkpoint,
                            const std::vector<int64_t>& keep_always,
                            const Shard* own,
                            const std::function<void()>& while_waiting) {
  const double start = NowSeconds();
  Wait();
  const double copying = NowSeconds();
  const at::NoGradGuard no_grad;
  copy_.step = checkpoint.step;
  copy_.meta = checkpoint.meta;
  copy_.shards = checkpoint.shards;
  keep_always_ = keep_always;
  while_waiting_ = while_waiting;
  std::map<std::string, at::Tensor> old;
  old.swap(copy_.tensors);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    copy_.tensors[name] = Copy(tensor, std::move(old[name]));
  }
  CopyShard(own != nullptr ? *own : Shard());
  wait_seconds_ = copying - start;
  copy_seconds_ = NowSeconds() - copying;
  job_.Start([this] {
    const double begin = NowSeconds();
    if (!shard_.name.empty()) {
      WriteShard(model_dir_, shard_.name, shard_.tensors);
    }
    AwaitShards();
    SaveCheckpoint(model_dir_, copy_, keep_max_, keep_always_);
    NoteSavedStep(copy_.step);
    write_seconds_ = NowSeconds() - begin;
  });
}

void CheckpointWriter::SaveShard(const Shard& own) {
  Wait();
  const at::NoGradGuard no_grad;
  CopyShard(own);
  job_.Start([this] { WriteShard(model_dir_, shard_.name, shard_.tensors); });
}

void CheckpointWriter::CopyShard(const Shard& own) {
  std::map<std::string, TensorShard> old;
  old.swap(shard_.tensors);
  shard_.name = own.name;
  for (const auto& [name, shard] : own.tensors) {
    shard_.tensors[name] = {Copy(shard.tensor, std::move(old[name].tensor)),
                            shard.place};
  }
}

void CheckpointWriter::AwaitShards() const {
  const double end = NowSeconds() + kAwaitSeconds;
  for (const std::string& name : copy_.shards) {
    const std::string path = JoinPath(model_dir_, name);
    while (!Exists(path)) {
      if (while_waiting_ != nullptr) while_waiting_();
      if (NowSeconds() > end) {
        throw Error(ExitCode::kIo,
                    path + " has not come within " +
                        DoubleToString(kAwaitSeconds) + " s",
                    "each rank's shard of the checkpoint",
                    "see that all ranks have the same output_dir");
      }
      ::usleep(10'000);
    }
  }
}

}  // namespace t2t
