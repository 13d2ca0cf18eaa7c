#include "t2t/train/experiment_flags.h"

namespace t2t {
namespace {

constexpr double kDay = 86'400;
constexpr double kMostRanks = 1 << 20;

}  // namespace

// (In the order of --help.)
void ExperimentFlags::AddTo(Flags* flags) {
  AddRunTo(flags);
  AddEvaluationTo(flags);
  AddCheckpointsTo(flags);
  AddDataTo(flags);
  AddRanksTo(flags);
  AddSharingTo(flags);
  AddMeasuringTo(flags);
}

void ExperimentFlags::AddRunTo(Flags* flags) {
  flags->Add("problem", &problem, "The problem's name.");
  flags->AddAlias("problems", "problem");
  flags->Add("model", &model, "The model's name.");
  flags->Add("hparams_set", &hparams_set, "The hparams set's name.");
  flags->Add("hparams", &hparams,
             "Changes of the set: name=value,name=value (--hp_name value too).",
             Flags::Kind::kSettings);
  flags->AddPrefix("hp_", "hparams");
  flags->Add("data_dir", &data_dir, "Where t2t-datagen wrote the data.");
  flags->Add("output_dir", &output_dir,
             "Checkpoints and events; a run found there goes on.");
  flags->Add("tmp_dir", &tmp_dir, "For --generate_data: raw files.");
  flags->AddChoice(
      "schedule", &schedule,
      {"train", "evaluate", "continuous_train_and_eval", "train_and_evaluate",
       "continuous_eval", "evaluate_on_train_data",
       "continuous_eval_on_train_data", "test", "run_std_server"},
      "train, evaluate, continuous_train_and_eval, train_and_evaluate, "
      "continuous_eval, evaluate_on_train_data, continuous_eval_on_train_data "
      "or test.");
  flags->Add("train_steps", &train_steps, "Steps in all.", Range::AtLeast(1));
}

void ExperimentFlags::AddEvaluationTo(Flags* flags) {
  flags->Add("eval_steps", &eval_steps,
             "Batches of an evaluation at most; 0: the whole split.",
             Range::AtLeast(0));
  flags->Add("local_eval_frequency", &local_eval_frequency,
             "A checkpoint, and an evaluation, every so many steps.",
             Range::AtLeast(1));
  flags->Add("eval_throttle_seconds", &eval_throttle_seconds,
             "At least so many seconds from one evaluation to the next.",
             Range::AtLeast(0));
  flags->Add("eval_early_stopping_steps", &eval_early_stopping_steps,
             "Stop where the metric has not changed for so many steps; 0: "
             "never.",
             Range::AtLeast(0));
  flags->Add("eval_early_stopping_metric", &eval_early_stopping_metric,
             "The metric that early stopping goes by.");
  flags->Add("eval_early_stopping_metric_delta",
             &eval_early_stopping_metric_delta,
             "A change smaller than this is none.", Range::AtLeast(0));
  flags->Add("eval_early_stopping_metric_minimize",
             &eval_early_stopping_metric_minimize,
             "Whether the metric is to go down.");
  flags->Add("eval_timeout_mins", &eval_timeout_mins,
             "continuous_eval ends where no checkpoint has come for so long; "
             "-1: never.",
             Range::AtLeast(-1));
  flags->Add("eval_use_test_set", &eval_use_test_set,
             "Evaluate on the test split.");
}

void ExperimentFlags::AddCheckpointsTo(Flags* flags) {
  flags->Add("keep_checkpoint_max", &keep_checkpoint_max,
             "So many of the newest checkpoints stay; 0: all.",
             Range::AtLeast(0));
  flags->Add("keep_checkpoint_every_n_hours", &keep_checkpoint_every_n_hours,
             "Besides these, one checkpoint for every so many hours of "
             "training stays for good; 0: none.",
             Range::AtLeast(0));
  flags->Add("keep_best", &keep_best,
             "Besides these, the checkpoint evaluated best stays, in "
             "output_dir/best.");
  flags->Add("keep_best_metric", &keep_best_metric,
             "The metric that --keep_best goes by.");
  flags->Add("save_checkpoints_secs", &save_checkpoints_secs,
             "A checkpoint every so many seconds, not by steps; 0: by steps.",
             Range::AtLeast(0));
  flags->Add("preemption_grace_seconds", &preemption_grace_seconds,
             "After SIGTERM the checkpoint must be on the disk within so many "
             "seconds (exit code 143), else the program ends without it (exit "
             "code 138); 0: no limit.",
             Range::Between(0, kDay));
  flags->Add("warm_start_from", &warm_start_from,
             "A checkpoint, or a folder of them, that a new run takes its "
             "parameters from.");
}

void ExperimentFlags::AddDataTo(Flags* flags) {
  flags->Add("random_seed", &random_seed, "The seed of everything random.",
             Range::AnyInt());
  flags->Add("log_step_count_steps", &log_step_count_steps,
             "A line and an event every so many steps.", Range::AtLeast(1));
  flags->Add("generate_data", &generate_data, "Generate the data first.");
  flags->Add("registry_help", &registry_help,
             "List models, hparams sets and ranges, problems, modalities, "
             "metrics and optimizers: all, or those that a filter names "
             "(--registry_help=models, --registry_help=problems:translate*); "
             "with --json all that is known of each.",
             Flags::Kind::kOptional);
  flags->Add("measure", &measure,
             "With --dry_run: run one step (on its first batch), to count its "
             "matrix products and the memory of its activations.");
  flags->Add("dry_run", &dry_run,
             "Check names, hparams, data and vocabulary, say what a step "
             "costs, and neither train nor write. (--json: for programs, and "
             "without data.)");
  flags->Add("threads", &threads, "Threads; 0: one a core.", Range::Threads());
  flags->Add("intra_op_parallelism_threads", &intra_op_parallelism_threads,
             "T2T's name of --threads.", Range::Threads());
  flags->Add("ema_decay", &ema_decay,
             "Keep moving averages of the weights (0.999); evaluation and "
             "decoding take them. 0: none.",
             Range::FromZeroBelow(1));
  flags->Add("t2t_batching", &t2t_batching, "T2T's own bucket sizes.");
  flags->Add("train_src", &train_src, "For --generate_data: a text file.");
  flags->Add("train_tgt", &train_tgt, "For --generate_data: a text file.");
  flags->Add("dev_src", &dev_src, "For --generate_data: a text file.");
  flags->Add("dev_tgt", &dev_tgt, "For --generate_data: a text file.");
}

void ExperimentFlags::AddRanksTo(Flags* flags) {
  flags->Add("worker_cpu", &cluster.worker_cpu,
             "Starts so many ranks on this machine, each a process, that "
             "train together; 0: this process alone.",
             Range::Between(0, 4096));
  flags->Add("max_restarts", &max_restarts,
             "With --worker_cpu: so often the ranks are started again where "
             "one was lost.",
             Range::AtLeast(0));
  flags->Add("min_workers", &cluster.min_workers,
             "A job of fewer ranks is refused; and with --max_restarts ranks "
             "that were killed are not started again, as long as so many are "
             "left. 0: any number, and all again.",
             Range::AtLeast(0));
  flags->Add("max_workers", &cluster.max_workers,
             "A job of more ranks is refused; 0: any number.",
             Range::AtLeast(0));
  flags->Add("worker_gpu", &cluster.worker_gpu,
             "The same with a GPU each; 0: none.", Range::Between(0, 4096));
  flags->AddChoice(
      "device", &device, {"auto", "cpu", "cuda"},
      "cpu, cuda, or auto: a GPU where there is one that can be used.");
  flags->AddChoice(
      "backend", &backend, {"gloo", "mpi"},
      "What ranks exchange data by, but for GPUs: gloo, or mpi where "
      "mpirun started them.");
  flags->Add("worker_replicas", &cluster.worker_replicas,
             "The number of ranks (with --worker_cpu: of machines); 0: as the "
             "environment says.",
             Range::Between(0, kMostRanks));
  flags->Add("worker_id", &cluster.worker_id,
             "Which of them this is, from 0; -1: as the environment says.",
             Range::Between(-1, kMostRanks));
  flags->Add("rendezvous", &cluster.rendezvous,
             "Where rank 0 is to be met, host:port.");
  flags->Add("expect_world_size", &cluster.expect_world_size,
             "An error where the job has another number of ranks; 0: any.",
             Range::Between(0, kMostRanks));
  flags->Add("deterministic", &deterministic,
             "The same bits with any number of ranks: gradients are added in "
             "a fixed order (--threads is 1 unless given).");
  flags->Add("virtual_ranks", &virtual_ranks,
             "The micro-batches of a step, each one batch of the stream, "
             "spread over the ranks there are; 0: as many as ranks when the "
             "run began.",
             Range::Between(0, kMostRanks));
  flags->Add("rendezvous_timeout_seconds", &rendezvous_timeout_seconds,
             "How long ranks wait for each other at the start.",
             Range::Above(0));
  flags->Add("collective_timeout_seconds", &collective_timeout_seconds,
             "How long ranks that are all alive wait for each other.",
             Range::Above(0));
  flags->Add("rank_silence_seconds", &rank_silence_seconds,
             "A rank of which nothing is heard for so long is lost.",
             Range::Above(0));
  flags->Add("writer_silence_seconds", &writer_silence_seconds,
             "A trainer in the same output_dir that has given no sign of life "
             "for so long is taken over.",
             {0, kDay, /*without_low=*/true, false});
}

void ExperimentFlags::AddSharingTo(Flags* flags) {
  flags->Add("bucket_mb", &bucket_mb,
             "Gradients go to other ranks in buckets of so many MiB at most.",
             Range::Between(1, 65536));
  flags->Add(
      "zero_stage", &zero_stage,
      "With several ranks, to save memory: 1: each has a shard of the "
      "optimizer's state; 2: and of the gradients; 3: and of the parameters; "
      "0: each has all.",
      Range::Between(0, 3));
  flags->Add("sharded_checkpoints", &sharded_checkpoints,
             "With --zero_stage or a split model: each rank writes its own "
             "shard of a checkpoint; output_dir must be one for all of them.");
  flags->AddChoice(
      "gradient_compression", &gradient_compression, {"none", "bf16"},
      "bf16: gradients go to other ranks in half the bytes; none.");
  t2t_names.AddTo(flags);
}

void ExperimentFlags::AddMeasuringTo(Flags* flags) {
  flags->Add("profile", &profile,
             "Writes a trace of some steps there, for chrome://tracing (rank "
             "1's to x.rank1.json for x.json).",
             Flags::Kind::kOptional);
  flags->Add("profile_steps", &profile_steps,
             "Which of the steps after the start.");
  flags->Add("peak_tflops", &peak_tflops,
             "What MFU is held against, of a rank; 0: measured at the start.",
             Range::AtLeast(0));
  flags->Add("one_rank_tokens_per_second", &one_rank_tokens_per_second,
             "What one rank alone does, to hold the job against; 0: the share "
             "of time that ranks do not wait is told instead.",
             Range::AtLeast(0));
  flags->Add("mesh_shape", &mesh_shape,
             "The ranks as a grid, as data:4,model:2: those along `data` take "
             "different batches, those along `model` share a model.");
  flags->Add("layout", &layout,
             "What of the model is split, as "
             "vocab:model;d_ff:model;heads:model;length:model; \"\": all but "
             "length.");
}

}  // namespace t2t
