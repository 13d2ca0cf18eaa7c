#ifndef T2T_TRAIN_EVAL_METRICS_H_
#define T2T_TRAIN_EVAL_METRICS_H_

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Those of the names that are metrics here (t2t/metrics/metric_registry.h).
std::vector<std::string> SupportedMetrics(
    const std::vector<std::string>& names);

// T2T's metrics of teacher-forced predictions, over a whole evaluation: every
// token counts alike, and padding counts nothing (T2T's approx_bleu_score and
// per-batch means depend on how examples fall into batches; these do not).
class EvalMetrics {
 public:
  // names: T2T's; those that are not supported are left out.
  EvalMetrics(const std::vector<std::string>& names, const ProblemInfo& info,
              const HParams& hparams);

  // What a batch adds: numbers alone, so that those of other ranks' batches can
  // be added here; as many for every batch. Results are the same bits where
  // they are added in one order.
  using Sums = std::vector<double>;
  // Those of no batch.
  Sums NoSums() const;

  // logits: [batch, ..., classes]; targets: [batch, ...], ids; inputs: ids, or
  // undefined where no metric needs them.
  Sums SumsOf(const at::Tensor& logits, const at::Tensor& targets,
              const at::Tensor& inputs = {}) const;
  // For targets that are no ids: the loss.
  Sums SumsOf(const LossParts& loss) const;
  // The same with the metrics of numbers: outputs [batch, ..., classes].
  Sums SumsOf(const LossParts& loss, const at::Tensor& outputs,
              const at::Tensor& targets) const;

  void Add(const Sums& sums);

  // By name; "loss" is there always: the mean cross entropy.
  std::map<std::string, double> Results() const;

  // Whether the targets are ids: what to give to SumsOf().
  bool targets_are_ids() const { return ids_; }
  // Whether a metric is of numbers, and whether one looks at the inputs.
  bool needs_outputs() const { return !ids_ && !metrics_.empty(); }
  bool needs_inputs() const;

 private:
  // Before the sums of each metric.
  enum Sum : size_t { kLoss, kTokens, kRows, kFirstMetric };

  std::vector<const Metric*> metrics_;
  bool ids_ = true;
  bool weights_nonzero_ = true;  // weight 0 on id 0
  bool prepended_ = false;       // inputs stand before the targets
  std::vector<TaskInfo> tasks_;  // what stands behind their ids counts
  Sums sums_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_EVAL_METRICS_H_
