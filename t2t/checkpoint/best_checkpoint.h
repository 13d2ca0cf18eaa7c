#ifndef T2T_CHECKPOINT_BEST_CHECKPOINT_H_
#define T2T_CHECKPOINT_BEST_CHECKPOINT_H_

#include <cstdint>
#include <string>

namespace t2t {

// Keeps the checkpoint that was evaluated best, whatever becomes of the newer
// ones, in <model_dir>/best: a model folder like any other, and best.json,
// which says metric, value and step.
class BestCheckpoint {
 public:
  // Takes up what an earlier run left there, unless it went by another metric.
  BestCheckpoint(std::string model_dir, std::string metric,
                 bool lower_is_better);

  // Whether the checkpoint of this step, which model_dir holds, is better than
  // any before it; then it is kept in place of the one before. A value that is
  // not a number never is.
  bool Offer(int64_t step, double value);

  bool found() const { return step_ >= 0; }
  int64_t step() const { return step_; }
  double value() const { return value_; }

 private:
  void Load();
  // Makes the folder hold what best.json says. False where that checkpoint is
  // nowhere any more.
  bool Complete() const;

  const std::string model_dir_;
  const std::string dir_;
  const std::string metric_;
  const bool lower_is_better_;
  int64_t step_ = -1;
  double value_ = 0;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_BEST_CHECKPOINT_H_
