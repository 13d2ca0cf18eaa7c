#include "t2t/ops/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/ops/label_smoothing.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Logits in memory at a time.
constexpr int64_t kChunkElements = int64_t{1} << 21;
constexpr int64_t kMinChunkRows = 64;

template <typename T>
double RowsLoss(at::Tensor* logits, const at::Tensor& targets,
                const at::Tensor& weights, const LabelSmoothing& smoothing,
                bool want_gradient) {
  const int64_t rows = logits->size(0);
  const int64_t classes = logits->size(1);
  T* const z = logits->mutable_data_ptr<T>();
  const int64_t* const target = targets.const_data_ptr<int64_t>();
  const T* const weight = weights.const_data_ptr<T>();
  std::vector<double> losses(rows);
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* const values = z + row * classes;
      const double at_target = values[target[row]];
      const RowSums sums = RowExpSums(values, classes);
      const double log_sum = std::log(sums.exp_sum) + sums.max;
      losses[row] = weight[row] *
                    (log_sum - (smoothing.high - smoothing.low) * at_target -
                     smoothing.low * sums.sum - smoothing.entropy);
      if (!want_gradient) continue;
      ScaleRow(values, classes, static_cast<T>(weight[row] / sums.exp_sum),
               static_cast<T>(weight[row] * smoothing.low));
      values[target[row]] -=
          static_cast<T>(weight[row] * (smoothing.high - smoothing.low));
    }
  });
  double total = 0.0;
  for (const double loss : losses) total += loss;
  return total;
}

// The weighted loss of a chunk; where a gradient is wanted it takes the
// logits' place.
at::Tensor ChunkLoss(at::Tensor* logits, const at::Tensor& targets,
                     const at::Tensor& weights, const LabelSmoothing& smoothing,
                     bool want_gradient) {
  if (logits->device().is_cpu()) {
    const double total = logits->scalar_type() == at::kDouble
                             ? RowsLoss<double>(logits, targets, weights,
                                                smoothing, want_gradient)
                             : RowsLoss<float>(logits, targets, weights,
                                               smoothing, want_gradient);
    return at::scalar_tensor(total, logits->options());
  }
  const at::Tensor index = targets.unsqueeze(1);
  const at::Tensor log_sum = at::logsumexp(*logits, 1);
  const at::Tensor losses =
      log_sum -
      (smoothing.high - smoothing.low) * logits->gather(1, index).squeeze(1) -
      smoothing.low * logits->sum(1) - smoothing.entropy;
  if (want_gradient) {
    logits->sub_(log_sum.unsqueeze(1)).exp_().sub_(smoothing.low);
    logits->scatter_add_(1, index,
                         at::full_like(index, smoothing.low - smoothing.high,
                                       logits->options()));
    logits->mul_(weights.unsqueeze(1));
  }
  return (losses * weights).sum();
}

// The loss of all rows, chunk by chunk, so that the logits of one chunk alone
// are in memory. Fills those gradients that are defined: grad_x in the type of
// x, grad_softmax in the type that sums are made in.
at::Tensor ChunkedLoss(const at::Tensor& x, const at::Tensor& kernel,
                       const at::Tensor& targets, const at::Tensor& weights,
                       const LabelSmoothing& smoothing, at::Tensor* grad_x,
                       at::Tensor* grad_softmax) {
  const int64_t rows = x.size(0);
  const int64_t classes = kernel.size(0);
  const at::ScalarType product_type = x.scalar_type();
  const at::ScalarType work_type = weights.scalar_type();
  const bool want_gradient = grad_x->defined() || grad_softmax->defined();
  const int64_t chunk_rows = CrossEntropyChunkRows(classes);
  at::Tensor buffer =
      at::empty({std::min(chunk_rows, rows), classes}, x.options());
  at::Tensor loss = at::zeros({}, weights.options());
  for (int64_t begin = 0; begin < rows; begin += chunk_rows) {
    const int64_t count = std::min(chunk_rows, rows - begin);
    const at::Tensor part = x.narrow(0, begin, count);
    at::Tensor product = buffer.narrow(0, 0, count);
    at::mm_out(product, part, kernel.t());
    at::Tensor logits = product.to(work_type);  // itself unless bf16
    loss +=
        ChunkLoss(&logits, targets.narrow(0, begin, count),
                  weights.narrow(0, begin, count), smoothing, want_gradient);
    if (!want_gradient) continue;
    const at::Tensor gradient = logits.to(product_type);
    if (grad_x->defined()) {
      at::Tensor to = grad_x->narrow(0, begin, count);
      at::mm_out(to, gradient, kernel);
    }
    if (!grad_softmax->defined()) continue;
    if (product_type == work_type) {
      grad_softmax->addmm_(gradient.t(), part);
    } else {
      *grad_softmax += at::mm(gradient.t(), part);
    }
  }
  return loss;
}

class FusedCrossEntropyFunction
    : public torch::autograd::Function<FusedCrossEntropyFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_all,
                            const at::Tensor& softmax,
                            const at::Tensor& targets_all,
                            const at::Tensor& weights_all,
                            double smoothing_rate, bool x_gradient,
                            bool softmax_gradient) {
    const int64_t classes = softmax.size(0);
    const int64_t hidden = softmax.size(1);
    const LabelSmoothing smoothing(smoothing_rate, classes);
    const auto work_type =
        softmax.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto product_type =
        x_all.scalar_type() == at::kBFloat16 ? at::kBFloat16 : work_type;

    const at::Tensor used = weights_all.ne(0).nonzero().squeeze(1);
    const int64_t rows = used.size(0);
    const bool all_used = rows == x_all.size(0);
    const auto pick = [&](const at::Tensor& t) {
      return all_used ? t.contiguous() : t.index_select(0, used);
    };
    const at::Tensor x = pick(x_all).to(product_type);
    const at::Tensor targets = pick(targets_all).to(at::kLong);
    const at::Tensor weights = pick(weights_all).to(work_type);
    CheckTargets(targets, classes);

    const at::Tensor kernel = softmax.to(product_type);
    at::Tensor grad_x, grad_softmax;
    if (x_gradient) grad_x = at::empty({rows, hidden}, x.options());
    if (softmax_gradient) {
      grad_softmax =
          at::zeros({classes, hidden}, softmax.options().dtype(work_type));
    }
    const at::Tensor loss = ChunkedLoss(x, kernel, targets, weights, smoothing,
                                        &grad_x, &grad_softmax);
    context->save_for_backward(
        {grad_x, grad_softmax, all_used ? at::Tensor() : used});
    context->saved_data["rows"] = x_all.size(0);
    context->saved_data["x_type"] = static_cast<int64_t>(x_all.scalar_type());
    return loss;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& scale = gradients[0];
    at::Tensor grad_x, grad_softmax;
    if (saved[0].defined()) {
      const auto type =
          static_cast<at::ScalarType>(context->saved_data["x_type"].toInt());
      grad_x = saved[0].mul(scale.to(saved[0].scalar_type())).to(type);
      if (saved[2].defined()) {
        const int64_t rows = context->saved_data["rows"].toInt();
        grad_x = at::zeros({rows, grad_x.size(1)}, grad_x.options())
                     .index_copy_(0, saved[2], grad_x);
      }
    }
    if (saved[1].defined()) grad_softmax = saved[1].mul(scale);
    return {grad_x,       grad_softmax, at::Tensor(), at::Tensor(),
            at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

int64_t CrossEntropyChunkRows(int64_t classes) {
  return std::max(kMinChunkRows,
                  kChunkElements / std::max<int64_t>(classes, 1));
}

void CheckTargets(const at::Tensor& targets, int64_t classes) {
  if (targets.numel() == 0) return;
  const int64_t least = targets.min().item<int64_t>();
  const int64_t most = targets.max().item<int64_t>();
  if (least >= 0 && most < classes) return;
  throw MismatchError(
      "a target is " + std::to_string(least < 0 ? least : most),
      "from 0 to " + std::to_string(classes - 1) + ", by the vocabulary's size",
      "check that data and vocabulary are of the same --problem and "
      "--data_dir");
}

at::Tensor SmoothedCrossEntropy(const at::Tensor& logits,
                                const at::Tensor& targets, double smoothing) {
  const int64_t classes = logits.size(-1);
  const LabelSmoothing wanted(smoothing, classes);
  CheckTargets(targets, classes);
  const at::Tensor z =
      logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  at::Tensor loss =
      at::logsumexp(z, -1) -
      (wanted.high - wanted.low) *
          z.gather(-1, targets.to(at::kLong).unsqueeze(-1)).squeeze(-1);
  if (wanted.low > 0) loss = loss - wanted.low * z.sum(-1);
  return loss - wanted.entropy;
}

at::Tensor FusedCrossEntropy(const at::Tensor& x, const at::Tensor& softmax,
                             const at::Tensor& targets,
                             const at::Tensor& weights, double smoothing) {
  const bool gradients = at::GradMode::is_enabled();
  return FusedCrossEntropyFunction::apply(
      x, softmax, targets.reshape({-1}), weights.reshape({-1}), smoothing,
      gradients && x.requires_grad(), gradients && softmax.requires_grad());
}

}  // namespace t2t
