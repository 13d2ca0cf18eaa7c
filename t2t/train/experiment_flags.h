#ifndef T2T_TRAIN_EXPERIMENT_FLAGS_H_
#define T2T_TRAIN_EXPERIMENT_FLAGS_H_

#include <cstdint>
#include <string>

#include "t2t/base/flags.h"
#include "t2t/distributed/cluster.h"
#include "t2t/train/t2t_names.h"

namespace t2t {

// t2t-trainer's flags, with T2T's default values.
struct ExperimentFlags {
  std::string problem;
  std::string model;
  std::string hparams_set;
  std::string hparams;
  std::string data_dir;
  std::string output_dir;
  std::string tmp_dir = "/tmp/t2t_datagen";
  std::string schedule = "continuous_train_and_eval";
  int64_t train_steps = 250000;
  int64_t eval_steps = 100;
  int64_t local_eval_frequency = 1000;
  int64_t eval_throttle_seconds = 0;
  int64_t eval_early_stopping_steps = 0;
  std::string eval_early_stopping_metric = "loss";
  double eval_early_stopping_metric_delta = 0.1;
  bool eval_early_stopping_metric_minimize = true;
  int64_t eval_timeout_mins = 240;
  bool eval_use_test_set = false;
  int64_t keep_checkpoint_max = 20;
  int64_t keep_checkpoint_every_n_hours = 0;
  bool keep_best = false;
  std::string keep_best_metric = "loss";
  int64_t save_checkpoints_secs = 0;
  int64_t preemption_grace_seconds = 25;
  std::string warm_start_from;
  int64_t random_seed = 1234;
  int64_t log_step_count_steps = 100;
  bool generate_data = false;
  std::string registry_help = "false";  // or "true", or a filter
  bool dry_run = false;
  bool measure = false;
  bool json = false;  // of a dry run; the data may be missing then
  int64_t threads = 0;
  int64_t intra_op_parallelism_threads = 0;
  double ema_decay = 0;
  bool t2t_batching = false;
  std::string train_src, train_tgt, dev_src, dev_tgt;
  ClusterFlags cluster;
  T2TNames t2t_names;
  bool deterministic = false;
  int64_t virtual_ranks = 0;
  int64_t max_restarts = 0;
  double rendezvous_timeout_seconds = 300;
  double collective_timeout_seconds = 600;
  double rank_silence_seconds = 5;
  double writer_silence_seconds = 15;
  int64_t bucket_mb = 4;
  int64_t zero_stage = 0;
  bool sharded_checkpoints = false;
  std::string gradient_compression = "none";
  std::string device = "auto";
  std::string backend = "gloo";
  std::string profile;
  std::string profile_steps = "11-15";
  double peak_tflops = 0;
  double one_rank_tokens_per_second = 0;
  std::string mesh_shape;
  std::string layout;

  void AddTo(Flags* flags);

 private:
  void AddRunTo(Flags* flags);
  void AddEvaluationTo(Flags* flags);
  void AddCheckpointsTo(Flags* flags);
  void AddDataTo(Flags* flags);
  void AddRanksTo(Flags* flags);
  void AddSharingTo(Flags* flags);
  void AddMeasuringTo(Flags* flags);
};

}  // namespace t2t

#endif  // T2T_TRAIN_EXPERIMENT_FLAGS_H_
