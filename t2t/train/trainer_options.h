#ifndef T2T_TRAIN_TRAINER_OPTIONS_H_
#define T2T_TRAIN_TRAINER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "t2t/checkpoint/run_identity.h"
#include "t2t/distributed/process_group.h"
#include "t2t/nn/params.h"
#include "t2t/train/profiler.h"
#include "t2t/train/step_monitor.h"
#include "t2t/train/tensor_parallel_mesh.h"

namespace t2t {

struct TrainerOptions {
  std::string output_dir;
  // Written into the checkpoints; a checkpoint of another run is refused.
  RunIdentity identity;
  int64_t train_steps = 250000;
  // Checkpoints every so many steps, or where save_seconds > 0 seconds.
  int64_t save_steps = 1000;
  int64_t save_seconds = 0;
  int64_t keep_checkpoint_max = 20;
  // One checkpoint every so many seconds of training stays for good; 0: none.
  double keep_every_seconds = 0;
  int64_t log_steps = 100;
  uint64_t seed = 0;
  int threads = 0;       // 0: every core
  double ema_decay = 0;  // 0: no moving average
  // Parameters to start a new run from: a checkpoint or a folder of them.
  std::string warm_start_from;
  // The job's ranks, or null: this process alone. Rank 0 writes.
  ProcessGroup* group = nullptr;
  // The micro-batches of a step, each one batch of the stream, spread over the
  // ranks; 0: those the run began with, at first as many as ranks.
  int64_t micro_batches = 0;
  // The same bits with any number of ranks.
  bool deterministic = false;
  int64_t bucket_bytes = 4 << 20;
  // ZeRO (Rajbhandari et al. 2019, arXiv:1910.02054): each rank holds a shard
  // of 1: the optimizer state; 2: and of the gradients; 3: and of the
  // parameters. With one rank nothing changes.
  int zero_stage = 0;
  // ZeRO stage 3 with meta tensors: how to draw each parameter's initial
  // value, by name. Empty: rank 0 has the values in memory.
  std::map<std::string, DrawParameter> initial_values;
  // With ZeRO or tensor parallelism: each rank writes and reads its own shard
  // of a checkpoint. All ranks see the same output_dir.
  bool sharded_checkpoints = false;
  bool bf16_gradients = false;  // while they are sent
  // What the progress line holds the speed against.
  StepMonitor::Options monitor;
  // Measures the machine's peak again, now and then, and returns the best of
  // all times; null: monitor's is stated.
  std::function<double()> measure_peak;
  // A trace of some steps is written there, where it is not empty.
  std::string profile;
  ProfileSteps profile_steps;
  // Tensor parallelism, or null where every rank has whole parameters.
  TensorParallelMesh* tensor_parallel = nullptr;
};

// Rank 0 writes and logs; a process without a group is rank 0.
inline bool IsFirst(const ProcessGroup* group) {
  return group == nullptr || group->rank() == 0;
}

}  // namespace t2t

#endif  // T2T_TRAIN_TRAINER_OPTIONS_H_
