#ifndef T2T_TRAIN_EVAL_METRICS_H_
#define T2T_TRAIN_EVAL_METRICS_H_

#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
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

  // What a batch adds: numbers alone, so that those of other ranks' batches can
  // be added here. Results are the same bits where they are added in one order.
  enum Sum : size_t {
    kLoss,
    kTokens,
    kCorrect,
    kTop5,
    kSequences,
    kRightSequences,
    kEdits,
    kRouge2,
    kRougeL,
    kBleuLengths,                     // of outputs and references
    kBleuCorrect = kBleuLengths + 2,  // by n-gram order
    kBleuTotal = kBleuCorrect + 4,
    kNumSums = kBleuTotal + 4
  };
  using Sums = std::array<double, kNumSums>;

  // logits: [batch, ..., classes]; targets: [batch, ...], ids.
  Sums SumsOf(const at::Tensor& logits, const at::Tensor& targets) const;
  // For targets that are no ids: the loss alone.
  Sums SumsOf(const LossParts& loss) const;

  void Add(const Sums& sums);

  // By name; "loss" is there always: the mean cross entropy.
  std::map<std::string, double> Results() const;

  // Whether the targets are ids: what to give to SumsOf().
  bool targets_are_ids() const { return ids_; }

 private:
  void AddSequences(const at::Tensor& predictions, const at::Tensor& targets,
                    const at::Tensor& weights, Sums* sums) const;
  bool Wants(const std::string& name) const;

  std::vector<std::string> names_;
  bool ids_ = true;
  bool weights_nonzero_ = true;  // weight 0 on id 0
  bool prepended_ = false;       // inputs stand before the targets
  Sums sums_{};
};

}  // namespace t2t

#endif  // T2T_TRAIN_EVAL_METRICS_H_
