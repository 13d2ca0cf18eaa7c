#include "t2t/decode/step_logits.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "t2t/base/error.h"
#include "t2t/ops/row_kernels.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

void TopK(const float* logits, int64_t size, int64_t k, Candidate* top) {
  constexpr int64_t kBlock = 128;
  int64_t count = 0;
  float threshold = -std::numeric_limits<float>::infinity();
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    const int64_t end = std::min(size, begin + kBlock);
    if (count == k && RowMax(logits + begin, end - begin) <= threshold)
      continue;
    for (int64_t id = begin; id < end; ++id) {
      const float logit = logits[id];
      if (count == k && logit <= threshold) continue;
      int64_t at = count < k ? count++ : k - 1;
      while (at > 0 && top[at - 1].logit < logit) {
        top[at] = top[at - 1];
        --at;
      }
      top[at] = {logit, id};
      threshold = top[count - 1].logit;
    }
  }
}

StepLogits::StepLogits(const at::Tensor& logits, double eos_penalty)
    : logits_(logits.to(at::kCPU, at::kFloat).contiguous()),
      norms_(static_cast<size_t>(logits_.size(0))),
      eos_penalty_(static_cast<float>(eos_penalty)) {
  if (logits_.size(1) < 2) {
    throw MismatchError("the model's vocabulary has " +
                            std::to_string(logits_.size(1)) + " symbols",
                        "two at least (padding and end of sentence)");
  }
  at::parallel_for(0, logits_.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      norms_[i] = RowLogSumExp(row(i), vocab_size());
    }
  });
  for (const float norm : norms_) {
    if (!std::isfinite(norm)) {
      throw Error(ExitCode::kDiverged,
                  "the model's logits are not finite numbers", "finite weights",
                  "decode from an earlier checkpoint");
    }
  }
}

void StepLogits::PenaliseEos(int64_t row, bool forbid) {
  if (!forbid && eos_penalty_ == 0) return;
  if (!owned_) {
    logits_ = logits_.clone();  // the model may keep the tensor
    owned_ = true;
  }
  float& logit = logits_.mutable_data_ptr<float>()[row * vocab_size() + kEosId];
  logit = forbid ? -1e9F : logit - eos_penalty_;
}

at::Tensor ToTensor(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}

void SelectRows(DecodeState* state, const std::vector<int64_t>& parents,
                int64_t old_rows) {
  bool same = static_cast<int64_t>(parents.size()) == old_rows;
  for (size_t i = 0; same && i < parents.size(); ++i) {
    same = parents[i] == static_cast<int64_t>(i);
  }
  if (!same) state->Select(ToTensor(parents));
}

}  // namespace t2t
