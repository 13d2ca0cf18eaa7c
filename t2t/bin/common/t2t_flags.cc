#include "t2t/bin/common/t2t_flags.h"

#include <vector>

namespace t2t {
namespace {

struct Group {
  const char* instead;
  std::vector<const char*> names;
};

const std::vector<Group>& GeneratorGroups() {
  static const auto* const groups = new std::vector<Group>{
      {"there is no problem that would read it",
       {"timit_paths", "parsing_path", "disable_ffmpeg"}},
      {"wiki_revision takes the dumps in --tmp_dir, and does what this flag's "
       "initial value says",
       {"wiki_revision_data_prefix", "wiki_revision_introduce_errors",
        "wiki_revision_max_equal_to_diff_ratio",
        "wiki_revision_max_examples_per_shard",
        "wiki_revision_max_page_size_exp", "wiki_revision_num_dev_shards",
        "wiki_revision_num_train_shards",
        "wiki_revision_percent_identical_examples",
        "wiki_revision_revision_skip_factor", "wiki_revision_vocab_file"}}};
  return *groups;
}

const std::vector<Group>& TrainerGroups() {
  static const auto* const groups = new std::vector<Group>{
      {"there is no TPU here",
       {"use_tpu", "use_tpu_estimator", "tpu_num_shards", "tpu_job_name",
        "iterations_per_loop", "tpu_infeed_sleep_secs", "cloud_tpu_name"}},
      {"it belongs to TensorFlow's graphs",
       {"xla_compile", "xla_jit_level", "enable_graph_rewriter",
        "disable_grappler_optimizations", "log_device_placement", "tfdbg",
        "dbgprofile", "optionally_use_dist_strat", "use_guarantee_const_getter",
        "inter_op_parallelism_threads"}},
      {"t2t-exporter writes what is served",
       {"export_saved_model", "export_saved_model_api_version", "export_dir"}},
      {"an export is weights, hparams and vocabulary; no graph",
       {"as_text", "export_as_tfhub"}},
      {"devices have no TensorFlow names here", {"worker_job", "ps_job"}},
      {"rank 0's address is that of TF_CONFIG, MASTER_ADDR or --rendezvous",
       {"master", "std_server_protocol"}},
      {"LibTorch takes of a GPU what it needs; ranks take GPUs in order",
       {"worker_gpu_memory_fraction", "gpu_order"}},
      {"--threads is the number of threads", {"intra_op_parallelism_threads"}},
      {"--hparams=activation_dtype=bfloat16 asks for mixed precision",
       {"gpu_automatic_mixed_precision"}},
      {"t2t-launch runs trainings on a cluster",
       {"cloud_mlengine", "cloud_mlengine_master_type", "job-dir", "job_dir"}},
      {"t2t-launch sweep tries values of hparams",
       {"hparams_range", "autotune_objective", "autotune_maximize",
        "autotune_max_trials", "autotune_parallel_trials"}},
      {"evaluation is teacher-forced; use t2t-decoder and t2t-bleu",
       {"eval_run_autoregressive"}},
      {"decoding is t2t-decoder's",
       {"decode_hparams", "decode_from_file", "decode_to_file",
        "decode_reference"}},
      {"t2t-trainer --registry_help lists what there is", {"registry_help"}},
      {"it is about evaluation",
       {"eval_steps", "eval_use_test_set", "eval_timeout_mins",
        "eval_throttle_seconds", "eval_early_stopping_metric",
        "eval_early_stopping_metric_delta", "eval_early_stopping_steps",
        "eval_early_stopping_metric_minimize", "local_eval_frequency"}},
      {"it is about training",
       {"train_steps", "schedule", "generate_data", "tmp_dir", "random_seed",
        "keep_checkpoint_max", "keep_checkpoint_every_n_hours",
        "save_checkpoints_secs", "warm_start_from", "log_step_count_steps",
        "sync", "worker_gpu", "worker_replicas", "worker_id", "ps_gpu",
        "ps_replicas", "profile"}}};
  return *groups;
}

void AddGroups(const std::vector<Group>& groups, Flags* flags) {
  for (const Group& group : groups) {
    for (const char* const name : group.names) {
      if (!flags->Has(name)) flags->AddIgnored(name, group.instead);
    }
  }
}

}  // namespace

void AddOtherT2TFlags(Flags* flags) {
  AddGroups(TrainerGroups(), flags);
  AddGeneratorT2TFlags(flags);
}

void AddGeneratorT2TFlags(Flags* flags) { AddGroups(GeneratorGroups(), flags); }

}  // namespace t2t
