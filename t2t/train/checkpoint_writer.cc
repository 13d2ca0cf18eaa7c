#include "t2t/train/checkpoint_writer.h"

#include <ATen/core/grad_mode.h>

#include <cstring>
#include <map>
#include <utility>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/train/stop.h"

namespace t2t {

CheckpointWriter::CheckpointWriter(std::string model_dir, int64_t keep_max)
    : model_dir_(std::move(model_dir)), keep_max_(keep_max) {
  RemoveLeftovers(model_dir_);
}

void CheckpointWriter::Save(const Checkpoint& checkpoint,
                            const std::vector<int64_t>& keep_always) {
  const double start = NowSeconds();
  Wait();
  const double copying = NowSeconds();
  const at::NoGradGuard no_grad;
  copy_.step = checkpoint.step;
  copy_.meta = checkpoint.meta;
  keep_always_ = keep_always;
  std::map<std::string, at::Tensor> old;
  old.swap(copy_.tensors);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    // The memory of the copy before, where it fits.
    at::Tensor& copy = copy_.tensors[name];
    const auto found = old.find(name);
    if (found != old.end() && found->second.sizes() == tensor.sizes() &&
        found->second.scalar_type() == tensor.scalar_type()) {
      copy = std::move(found->second);
    } else {
      copy = at::empty(tensor.sizes(),
                       tensor.options().device(at::kCPU).requires_grad(false));
    }
    if (tensor.numel() == 0) continue;
    if (tensor.is_cpu() && tensor.is_contiguous()) {
      // On one thread: nobody is waited for.
      std::memcpy(copy.mutable_data_ptr(), tensor.const_data_ptr(),
                  tensor.nbytes());
    } else {
      copy.copy_(tensor.detach());
    }
  }
  wait_seconds_ = copying - start;
  copy_seconds_ = NowSeconds() - copying;
  job_.Start([this] {
    const double begin = NowSeconds();
    SaveCheckpoint(model_dir_, copy_, keep_max_, keep_always_);
    NoteSavedStep(copy_.step);
    write_seconds_ = NowSeconds() - begin;
  });
}

}  // namespace t2t
