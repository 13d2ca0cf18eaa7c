#ifndef T2T_TRAIN_RUN_EVALUATION_H_
#define T2T_TRAIN_RUN_EVALUATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "t2t/checkpoint/best_checkpoint.h"
#include "t2t/formats/events.h"
#include "t2t/train/run_parts.h"

namespace t2t {

class Trainer;

// The evaluations of a run: rank 0 writes and says what comes of them.
class RunEvaluation {
 public:
  // eval_steps: batches of each at most; 0: the whole split.
  RunEvaluation(const RunParts* run, int64_t eval_steps);

  // Of the model, or by all ranks of the trainer's, with averages. folder: of
  // the events in output_dir.
  std::map<std::string, double> Evaluate(DataSplit split,
                                         const std::string& folder,
                                         int64_t step,
                                         Trainer* trainer = nullptr);
  // Of the newest checkpoint; throws a missing error where there is none.
  void EvaluateNewest(DataSplit split, const std::string& folder);
  // Each checkpoint as it comes, until none has come for --eval_timeout_mins or
  // training is complete.
  void EvaluateContinuously(DataSplit split, const std::string& folder);

 private:
  const RunParts& run_;
  const int64_t eval_steps_;
  std::map<std::string, std::unique_ptr<EventWriter>> events_;  // by folder
  std::string best_metric_;
  std::unique_ptr<BestCheckpoint> best_;  // null: not kept
};

}  // namespace t2t

#endif  // T2T_TRAIN_RUN_EVALUATION_H_
