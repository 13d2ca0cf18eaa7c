#ifndef T2T_NN_BATCH_NORM_H_
#define T2T_NN_BATCH_NORM_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "t2t/nn/context.h"
#include "t2t/nn/params.h"

namespace t2t::nn {

// Whether a buffer of this name is one of a batch norm's: what it learns
// without gradients, and not what a model remembers of the batch before.
bool IsRunningAverage(const std::string& name);

struct BatchNormOptions {
  double momentum = 0.9;  // of the running averages
  double epsilon = 1e-5;
  bool starts_at_zero = false;  // gamma, and so all that comes out
};

// Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167: each channel
// (the last dimension) is normalised over the batch in training, and by the
// running averages of that otherwise. Parameters "gamma" and "beta"; buffers
// "moving_mean" and "moving_variance", which checkpoints have, too, and which
// each training pass moves. The averages are of this process' own batches.
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels,
            const BatchNormOptions& options = {});

  // moves: whether a training pass moves the averages. Where a backward pass
  // computes a layer once more, it does not.
  at::Tensor operator()(const at::Tensor& x, const Context& context,
                        bool moves = true) const;

 private:
  BatchNormOptions options_;
  at::Tensor gamma_, beta_, mean_, variance_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_BATCH_NORM_H_
