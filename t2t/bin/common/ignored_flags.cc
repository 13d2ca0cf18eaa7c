#include "t2t/bin/common/ignored_flags.h"

namespace t2t {

void AddIgnoredTensorFlowFlags(Flags* flags) {
  for (const char* name : {"t2t_usr_dir",
                           "registry_help",
                           "tfdbg",
                           "export_saved_model",
                           "dbgprofile",
                           "enable_graph_rewriter",
                           "log_device_placement",
                           "disable_grappler_optimizations",
                           "use_tpu",
                           "use_tpu_estimator",
                           "tpu_num_shards",
                           "tpu_job_name",
                           "iterations_per_loop",
                           "tpu_infeed_sleep_secs",
                           "cloud_tpu_name",
                           "xla_compile",
                           "xla_jit_level",
                           "use_guarantee_const_getter",
                           "export_saved_model_api_version",
                           "master",
                           "std_server_protocol",
                           "cloud_mlengine",
                           "cloud_mlengine_master_type",
                           "job-dir",
                           "inter_op_parallelism_threads",
                           "intra_op_parallelism_threads",
                           "optionally_use_dist_strat",
                           "gpu_automatic_mixed_precision",
                           "gpu_order",
                           "worker_gpu_memory_fraction",
                           "profile"}) {
    flags->AddIgnored(name, "it names a mechanism of TensorFlow alone");
  }
}

void AddIgnoredTrainingFlags(Flags* flags) {
  for (const char* name : {"train_steps",
                           "eval_early_stopping_metric",
                           "eval_early_stopping_metric_delta",
                           "eval_early_stopping_steps",
                           "eval_early_stopping_metric_minimize",
                           "eval_throttle_seconds",
                           "keep_checkpoint_max",
                           "keep_checkpoint_every_n_hours",
                           "save_checkpoints_secs",
                           "warm_start_from",
                           "local_eval_frequency",
                           "sync",
                           "worker_job",
                           "worker_gpu",
                           "worker_replicas",
                           "ps_gpu",
                           "ps_job",
                           "ps_replicas",
                           "schedule",
                           "generate_data",
                           "tmp_dir",
                           "hparams_range",
                           "autotune_objective",
                           "autotune_maximize",
                           "autotune_max_trials",
                           "autotune_parallel_trials",
                           "log_step_count_steps"}) {
    flags->AddIgnored(name, "it is about training");
  }
}

}  // namespace t2t
