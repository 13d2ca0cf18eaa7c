#ifndef T2T_DECODE_STEP_LOGITS_H_
#define T2T_DECODE_STEP_LOGITS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "t2t/model/model.h"

// What beam and greedy search have in common.
namespace t2t {

struct Candidate {
  float logit;
  int64_t id;
};

// The k largest of logits[0, size), largest first, the lower id first among
// equals.
void TopK(const float* logits, int64_t size, int64_t k, Candidate* top);

// One step's logits with each row's log of the sum of exponentials.
class StepLogits {
 public:
  // logits: [rows, vocab]. Throws where one is not finite, or with fewer than
  // two symbols.
  StepLogits(const at::Tensor& logits, double eos_penalty);

  int64_t vocab_size() const { return logits_.size(1); }
  float norm(int64_t row) const { return norms_[row]; }
  const float* row(int64_t row) const {
    return logits_.const_data_ptr<float>() + row * vocab_size();
  }
  // Changes the end symbol's logit but not the norm: the other symbols keep
  // their log probabilities.
  void PenaliseEos(int64_t row, bool forbid);

 private:
  at::Tensor logits_;
  std::vector<float> norms_;
  float eos_penalty_;
  bool owned_ = false;
};

// int64 [values].
at::Tensor ToTensor(const std::vector<int64_t>& values);

// Keeps parents' rows, where that changes anything.
void SelectRows(DecodeState* state, const std::vector<int64_t>& parents,
                int64_t old_rows);

}  // namespace t2t

#endif  // T2T_DECODE_STEP_LOGITS_H_
