#ifndef T2T_MODEL_SCHEDULED_SAMPLING_H_
#define T2T_MODEL_SCHEDULED_SAMPLING_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

namespace t2t {

// T2T's parallel scheduled sampling: the loss is of the gold targets, given
// targets that are in part what the model itself made of gold ones.
struct ScheduledSampling {
  int64_t passes = 0;  // 0: none
  double most = 0;     // the share of sampled targets after warming up
  int64_t warmup_steps = 1;
  std::string schedule;  // exp, linear or sigmoid

  // Throws a usage error on values that are not supported.
  static ScheduledSampling FromHParams(const HParams& hparams,
                                       const ProblemInfo& info);

  // The share of sampled targets at a training step.
  double Share(int64_t step) const;
};

// What pass number `pass` is given: gold [batch, length] with a share drawn
// from logits [batch, length, vocab]; positions before `pass` are as in the
// pass before.
at::Tensor MixSampled(const at::Tensor& gold, const at::Tensor& previous,
                      const at::Tensor& logits, double share, int64_t pass,
                      const at::Generator& rng);

// For models that have none of it: throws a usage error where it is asked for.
void RefuseScheduledSampling(const HParams& hparams);

}  // namespace t2t

#endif  // T2T_MODEL_SCHEDULED_SAMPLING_H_
