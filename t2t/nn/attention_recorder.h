#ifndef T2T_NN_ATTENTION_RECORDER_H_
#define T2T_NN_ATTENTION_RECORDER_H_

#include <ATen/ATen.h>

#include <utility>
#include <vector>

namespace t2t {

// While it lives, keeps what this thread's MultiheadAttention layers make of
// their memory (the decoder's looks at the inputs), in the order they run.
class AttentionRecorder {
 public:
  AttentionRecorder();
  ~AttentionRecorder();
  AttentionRecorder(const AttentionRecorder&) = delete;
  AttentionRecorder& operator=(const AttentionRecorder&) = delete;

  // This thread's; nullptr where none lives.
  static AttentionRecorder* Current();

  // [batch, heads, queries, keys]; each query's weights sum to 1.
  void Add(at::Tensor weights) { weights_.push_back(std::move(weights)); }
  const std::vector<at::Tensor>& weights() const { return weights_; }

 private:
  AttentionRecorder* const outer_;
  std::vector<at::Tensor> weights_;
};

}  // namespace t2t

#endif  // T2T_NN_ATTENTION_RECORDER_H_
