#ifndef T2T_TRAIN_FULL_BATCH_H_
#define T2T_TRAIN_FULL_BATCH_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/problem/problem.h"
#include "t2t/train/cost.h"

namespace t2t {

// The batch that hparams say, as large as it gets, made up where there is no
// data: no padding, every sequence of one length. That is max_length, or 256,
// for language models, else what a sentence has (32 subwords, 128 bytes), or
// max_length where that is less.
struct FullBatch {
  int64_t examples = 0;
  int64_t length = 0;  // of its sequences; 1 where it has none

  static FullBatch Of(const Problem& problem, const ProblemInfo& info,
                      const HParams& hparams);
  // The same of fewer examples.
  Features Make(const ProblemInfo& info, const HParams& hparams,
                int64_t examples_made) const;
};

struct FullBatchCost {
  FullBatch batch;
  // None: the model is too large to be run here (some 10^12 FLOPs).
  std::optional<StepCost> step;
  // The examples of the batches that were run for it.
  std::vector<int64_t> examples_run;
};

// What a step over the full batch costs. It is run whole where that takes
// little (10^11 FLOPs, a GB). Else two smaller batches are run, the second
// with twice the examples of the first, and what the second costs more than the
// first counts for every further example: the examples of a batch do not meet
// but in fixed buffers, such as the loss's, which the first batch fills.
// `most_flops` is for tests.
FullBatchCost MeasureFullBatch(const Problem& problem, Model* model,
                               double most_flops = 1e11);

}  // namespace t2t

#endif  // T2T_TRAIN_FULL_BATCH_H_
