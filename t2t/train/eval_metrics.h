#ifndef T2T_TRAIN_EVAL_METRICS_H_
#define T2T_TRAIN_EVAL_METRICS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/hparams.h"
#include "t2t/metrics/bleu.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"

namespace t2t {

// Those of T2T's metrics' names that EvalMetrics knows.
std::vector<std::string> SupportedMetrics(
    const std::vector<std::string>& names);
// Whether a smaller value of this metric is a better one.
bool LowerIsBetter(const std::string& metric);

// T2T's metrics of teacher-forced predictions, over a whole evaluation: every
// token counts alike, and padding counts nothing (T2T's approx_bleu_score and
// per-batch means depend on how examples fall into batches; these do not).
class EvalMetrics {
 public:
  // names: T2T's; those that are not supported are left out.
  EvalMetrics(const std::vector<std::string>& names, const ProblemInfo& info,
              const HParams& hparams);

  // logits: [batch, ..., classes]; targets: [batch, ...], ids.
  void Add(const at::Tensor& logits, const at::Tensor& targets);
  // For targets that are no ids: the loss alone.
  void AddLoss(const LossParts& loss);

  // By name; "loss" is there always: the mean cross entropy.
  std::map<std::string, double> Results() const;

  // Whether the targets are ids, so that Add() is the one to call.
  bool targets_are_ids() const { return ids_; }

 private:
  void AddSequences(const at::Tensor& predictions, const at::Tensor& targets,
                    const at::Tensor& weights);
  bool Wants(const std::string& name) const;

  std::vector<std::string> names_;
  bool ids_ = true;
  bool weights_nonzero_ = true;  // weight 0 on id 0
  bool prepended_ = false;       // inputs stand before the targets
  double loss_ = 0;
  double tokens_ = 0;
  double correct_ = 0;
  double top5_ = 0;
  double sequences_ = 0;
  double right_sequences_ = 0;
  double edits_ = 0;
  double rouge_2_ = 0;
  double rouge_l_ = 0;
  BleuCounts bleu_;
};

}  // namespace t2t

#endif  // T2T_TRAIN_EVAL_METRICS_H_
