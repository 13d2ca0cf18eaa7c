#ifndef T2T_CHECKPOINT_AVERAGE_H_
#define T2T_CHECKPOINT_AVERAGE_H_

#include <cstdint>
#include <string>

namespace t2t {

struct AverageOptions {
  std::string model_dir;
  std::string output_dir = "avg/";
  int64_t n = 8;
  int64_t min_steps = 0;
  int64_t wait_minutes = 0;  // for a new checkpoint
  bool use_ema = true;       // the moving averages, where there are any
};

// Writes, for each checkpoint that has n - 1 before it, the mean of the n
// under its step in output_dir (weights alone, no optimizer's state), with
// hparams.json and flags.txt beside. Returns how many it wrote; throws where
// there are too few.
int64_t AverageCheckpoints(const AverageOptions& options);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_AVERAGE_H_
