#include "t2t/parallel/vocab_parallel.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/label_smoothing.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What a rank tells of each row.
enum Told : int64_t { kMax, kExpSum, kSum, kAtTarget, kTold };

// The sums over this rank's classes, [rows, kTold] in fp64; the logits become
// exp(logit - max).
at::Tensor OwnSums(at::Tensor* logits, const at::Tensor& targets,
                   ShardRange own) {
  const int64_t rows = logits->size(0);
  const int64_t classes = logits->size(1);
  const at::Tensor told =
      at::zeros({rows, kTold}, at::TensorOptions().dtype(at::kDouble));
  double* const to = told.mutable_data_ptr<double>();
  float* const z = logits->mutable_data_ptr<float>();
  const int64_t* const target = targets.const_data_ptr<int64_t>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* const values = z + row * classes;
      double* const numbers = to + row * kTold;
      const int64_t at = target[row] - own.begin;
      if (at >= 0 && at < classes) numbers[kAtTarget] = values[at];
      const RowSums sums = RowExpSums(values, classes);
      numbers[kMax] = sums.max;
      numbers[kExpSum] = sums.exp_sum;
      numbers[kSum] = sums.sum;
    }
  });
  return told;
}

// The same on a device.
at::Tensor OwnSumsOnDevice(at::Tensor* logits, const at::Tensor& targets,
                           ShardRange own) {
  const at::Tensor max = logits->amax(1, /*keepdim=*/true);
  const at::Tensor here =
      targets.ge(own.begin).logical_and(targets.lt(own.end)).unsqueeze(1);
  const at::Tensor at = (targets - own.begin).unsqueeze(1).mul(here);
  const at::Tensor at_target = logits->gather(1, at).mul(here);
  const at::Tensor sum = logits->sum(1, /*keepdim=*/true, at::kDouble);
  logits->sub_(max).exp_();
  // In the order of Told.
  return at::cat({max.to(at::kDouble), logits->sum(1, true, at::kDouble), sum,
                  at_target.to(at::kDouble)},
                 1);
}

// The weighted loss of some rows out of what all ranks told [ranks, rows,
// kTold]. Where a gradient is wanted it takes the place of this rank's logits.
double RowsLoss(const at::Tensor& all, int64_t rank, at::Tensor* logits,
                const at::Tensor& targets, const at::Tensor& weights,
                const LabelSmoothing& smoothing, ShardRange own,
                bool want_gradient) {
  const int64_t ranks = all.size(0);
  const int64_t rows = all.size(1);
  const int64_t classes = logits->size(1);
  const double* const from = all.const_data_ptr<double>();
  float* const z = logits->mutable_data_ptr<float>();
  const int64_t* const target = targets.const_data_ptr<int64_t>();
  const float* const weight = weights.const_data_ptr<float>();
  std::vector<double> losses(static_cast<size_t>(rows));
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const auto told = [&](int64_t r) {
        return from + (r * rows + row) * kTold;
      };
      double max = told(0)[kMax];
      for (int64_t r = 1; r < ranks; ++r) max = std::max(max, told(r)[kMax]);
      double exp_sum = 0;
      double sum = 0;
      double at_target = 0;
      for (int64_t r = 0; r < ranks; ++r) {
        exp_sum += told(r)[kExpSum] * std::exp(told(r)[kMax] - max);
        sum += told(r)[kSum];
        at_target += told(r)[kAtTarget];
      }
      losses[static_cast<size_t>(row)] =
          weight[row] * (std::log(exp_sum) + max -
                         (smoothing.high - smoothing.low) * at_target -
                         smoothing.low * sum - smoothing.entropy);
      if (!want_gradient) continue;
      float* const values = z + row * classes;
      ScaleRow(values, classes,
               static_cast<float>(weight[row] *
                                  std::exp(told(rank)[kMax] - max) / exp_sum),
               static_cast<float>(weight[row] * smoothing.low));
      const int64_t at = target[row] - own.begin;
      if (at >= 0 && at < classes) {
        values[at] -=
            static_cast<float>(weight[row] * (smoothing.high - smoothing.low));
      }
    }
  });
  double total = 0;
  for (const double loss : losses) total += loss;
  return total;
}

// The same on a device.
at::Tensor RowsLossOnDevice(const at::Tensor& all, int64_t rank,
                            at::Tensor* logits, const at::Tensor& targets,
                            const at::Tensor& weights,
                            const LabelSmoothing& smoothing, ShardRange own,
                            bool want_gradient) {
  const auto told = [&](Told what) { return all.select(2, what); };
  const at::Tensor max = told(kMax).amax(0);
  const at::Tensor exp_sum = (told(kExpSum) * (told(kMax) - max).exp()).sum(0);
  const at::Tensor losses =
      exp_sum.log() + max -
      (smoothing.high - smoothing.low) * told(kAtTarget).sum(0) -
      smoothing.low * told(kSum).sum(0) - smoothing.entropy;
  if (want_gradient) {
    const at::Tensor scale =
        ((told(kMax)[rank] - max).exp() / exp_sum).to(at::kFloat);
    const at::Tensor here =
        targets.ge(own.begin).logical_and(targets.lt(own.end)).unsqueeze(1);
    logits->mul_(scale.unsqueeze(1)).sub_(smoothing.low);
    logits->scatter_add_(
        1, (targets - own.begin).unsqueeze(1).mul(here),
        here.to(at::kFloat).mul_(smoothing.low - smoothing.high));
    logits->mul_(weights.unsqueeze(1));
  }
  return (losses * weights).sum();
}

// x comes through CopyIn(): its gradient here is this rank's alone.
class CrossEntropyFunction
    : public torch::autograd::Function<CrossEntropyFunction> {
 public:
  // Long, since a chunk's logits are there for its loss and gradients alone.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_all,
                            const at::Tensor& softmax,
                            const TensorParallel* parallel, ShardRange own,
                            int64_t classes, const at::Tensor& targets_all,
                            const at::Tensor& weights_all,
                            double smoothing_rate, bool want_gradient) {
    const LabelSmoothing smoothing(smoothing_rate, classes);
    const at::Tensor used = weights_all.ne(0).nonzero().squeeze(1);
    const int64_t rows = used.size(0);
    const auto product_type =
        x_all.scalar_type() == at::kBFloat16 ? at::kBFloat16 : at::kFloat;
    const at::Tensor x = x_all.index_select(0, used).to(product_type);
    const at::Tensor targets = targets_all.index_select(0, used).to(at::kLong);
    const at::Tensor weights = weights_all.index_select(0, used).to(at::kFloat);
    CheckTargets(targets, classes);
    const at::Tensor kernel = softmax.to(product_type);
    at::Tensor grad_x, grad_softmax;
    if (want_gradient) {
      grad_x = at::empty({rows, x.size(1)}, x.options());
      grad_softmax = at::zeros_like(softmax);
    }
    // The same chunks on all ranks.
    const int64_t most = (classes + parallel->size() - 1) / parallel->size();
    const int64_t chunk_rows = CrossEntropyChunkRows(most);
    const bool on_cpu = x.device().is_cpu();
    double loss = 0;
    at::Tensor device_loss;
    for (int64_t begin = 0; begin < rows; begin += chunk_rows) {
      const int64_t count = std::min(chunk_rows, rows - begin);
      const at::Tensor part = x.narrow(0, begin, count);
      const at::Tensor own_targets = targets.narrow(0, begin, count);
      at::Tensor logits = at::mm(part, kernel.t()).to(at::kFloat);
      const at::Tensor all = parallel->AllGather(
          on_cpu ? OwnSums(&logits, own_targets, own)
                 : OwnSumsOnDevice(&logits, own_targets, own),
          "the loss of the vocabulary's shards");
      const at::Tensor own_weights = weights.narrow(0, begin, count);
      if (on_cpu) {
        loss += RowsLoss(all, parallel->rank(), &logits, own_targets,
                         own_weights, smoothing, own, want_gradient);
      } else {
        const at::Tensor part_loss =
            RowsLossOnDevice(all, parallel->rank(), &logits, own_targets,
                             own_weights, smoothing, own, want_gradient);
        device_loss =
            device_loss.defined() ? device_loss + part_loss : part_loss;
      }
      if (!want_gradient) continue;
      const at::Tensor gradient = logits.to(product_type);
      at::Tensor to = grad_x.narrow(0, begin, count);
      at::mm_out(to, gradient, kernel);
      if (product_type == at::kFloat) {
        grad_softmax.addmm_(gradient.t(), part);
      } else {
        grad_softmax += at::mm(gradient.t(), part);
      }
    }
    context->save_for_backward({grad_x, grad_softmax, used});
    context->saved_data["rows"] = x_all.size(0);
    context->saved_data["x_type"] = static_cast<int64_t>(x_all.scalar_type());
    return device_loss.defined()
               ? device_loss.to(at::kFloat)
               : at::scalar_tensor(loss, x.options().dtype(at::kFloat));
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& scale = gradients[0];
    const auto type =
        static_cast<at::ScalarType>(context->saved_data["x_type"].toInt());
    const at::Tensor grad_x =
        at::zeros({context->saved_data["rows"].toInt(), saved[0].size(1)},
                  saved[0].options().dtype(type))
            .index_copy_(
                0, saved[2],
                saved[0].mul(scale.to(saved[0].scalar_type())).to(type));
    return {grad_x,       saved[1].mul(scale), at::Tensor(),
            at::Tensor(), at::Tensor(),        at::Tensor(),
            at::Tensor(), at::Tensor(),        at::Tensor()};
  }
};

}  // namespace

at::Tensor VocabParallelEmbedding(const TensorParallel& parallel,
                                  const at::Tensor& table, ShardRange own,
                                  const at::Tensor& ids) {
  const at::Tensor here = ids.ge(own.begin).logical_and(ids.lt(own.end));
  const at::Tensor rows = (ids - own.begin).mul(here);
  return parallel.SumOut(at::embedding(table, rows) *
                         here.to(table.scalar_type()).unsqueeze(-1));
}

at::Tensor VocabParallelCrossEntropy(const TensorParallel& parallel,
                                     const at::Tensor& x,
                                     const at::Tensor& softmax, ShardRange own,
                                     int64_t classes, const at::Tensor& targets,
                                     const at::Tensor& weights,
                                     double smoothing) {
  const bool gradients = at::GradMode::is_enabled() &&
                         (x.requires_grad() || softmax.requires_grad());
  return CrossEntropyFunction::apply(
      parallel.CopyIn(x), softmax, &parallel, own, classes,
      targets.reshape({-1}), weights.reshape({-1}), smoothing, gradients);
}

}  // namespace t2t
