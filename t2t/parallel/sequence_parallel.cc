#include "t2t/parallel/sequence_parallel.h"

namespace t2t {
namespace {

TensorParallel* WhereItSplits(TensorParallel* parallel, int64_t length) {
  return parallel != nullptr && parallel->layout().length &&
                 length >= parallel->size()
             ? parallel
             : nullptr;
}

}  // namespace

SequenceParallel::SequenceParallel(TensorParallel* parallel, int64_t length)
    : parallel_(WhereItSplits(parallel, length)),
      length_(length),
      before_(parallel_ == nullptr ? 0 : parallel_->length()) {
  if (parallel_ != nullptr) parallel_->set_length(length);
}

SequenceParallel::~SequenceParallel() {
  if (parallel_ != nullptr) parallel_->set_length(before_);
}

at::Tensor SequenceParallel::Split(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->TakeShard(x, 1);
}

at::Tensor SequenceParallel::Join(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->Gather(x, 1, length_);
}

at::Tensor SequenceParallel::Own(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->OwnLength(x);
}

}  // namespace t2t
