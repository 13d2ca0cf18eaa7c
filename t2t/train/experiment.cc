#include "t2t/train/experiment.h"

#include <ATen/Parallel.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/progress.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/finished.h"
#include "t2t/checkpoint/output_lock.h"
#include "t2t/distributed/process_group.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/ops/device.h"
#include "t2t/train/chunks.h"
#include "t2t/train/dry_run.h"
#include "t2t/train/early_stopping.h"
#include "t2t/train/flops.h"
#include "t2t/train/peak_record.h"
#include "t2t/train/profiler.h"
#include "t2t/train/run_evaluation.h"
#include "t2t/train/run_hparams.h"
#include "t2t/train/run_parts.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

// What decides when a run is over.
std::string FinishSettings(const ExperimentFlags& flags) {
  return "train_steps=" + std::to_string(flags.train_steps) +
         " schedule=" + flags.schedule +
         " early_stopping=" + std::to_string(flags.eval_early_stopping_steps) +
         "," + flags.eval_early_stopping_metric + "," +
         DoubleToString(flags.eval_early_stopping_metric_delta) + "," +
         std::to_string(flags.eval_early_stopping_metric_minimize ? 1 : 0);
}

void SaveMetadata(const RunParts& run) {
  MakeDirectories(run.flags.output_dir);
  WriteFileAtomically(HParamsPath(run.flags.output_dir),
                      run.hparams.ToJson() + "\n");
  WriteFileAtomically(JoinPath(run.flags.output_dir, "flags.txt"),
                      run.config.flags_text);
}

// The output_dir as this process's alone; null on ranks that don't write.
std::unique_ptr<OutputLock> LockOutput(const RunParts& run) {
  if (!run.IsFirst()) return nullptr;
  OutputLock::Options options;
  options.silence_seconds = run.flags.writer_silence_seconds;
  // (Several ranks stop together, after a step.)
  if (run.group == nullptr) {
    options.while_waiting = [] { ThrowIfStopped(" before the first step"); };
  }
  return OutputLock::Acquire(run.flags.output_dir, options);
}

// What MFU is held against, where it is not stated.
std::unique_ptr<PeakRecord> MeasuredPeak(const RunParts& run) {
  const bool bfloat16 = !ComputeDevice().is_cpu() &&
                        run.hparams.Has("activation_dtype") &&
                        run.hparams.GetString("activation_dtype") == "bfloat16";
  const std::string type = bfloat16 ? "bf16" : "fp32";
  const std::string machine =
      (ComputeDevice().is_cpu() ? ComputerName(at::get_num_threads())
                                : DeviceName()) +
      ", " + type;
  auto peak =
      std::make_unique<PeakRecord>(run.flags.output_dir, machine, [bfloat16] {
        return MeasurePeakFlops(bfloat16 ? at::kBFloat16 : at::kFloat);
      });
  peak->Measure();
  if (run.IsFirst()) {
    Log(
        Format("MFU is against %.3g TFLOP/s%s, the best measured so far by a "
               "matrix product in %s (--peak_tflops states another figure)",
               peak->best() / 1e12, run.group == nullptr ? "" : " a rank",
               type.c_str()));
  }
  return peak;
}

// What the trainer is told but for the peak.
TrainerOptions OptionsOf(const RunParts& run) {
  const ExperimentFlags& flags = run.flags;
  TrainerOptions options;
  options.output_dir = flags.output_dir;
  options.identity = run.identity;
  options.train_steps = flags.train_steps;
  options.save_steps = flags.local_eval_frequency;
  options.save_seconds = flags.save_checkpoints_secs;
  options.keep_checkpoint_max = flags.keep_checkpoint_max;
  options.keep_every_seconds =
      3600.0 * static_cast<double>(flags.keep_checkpoint_every_n_hours);
  options.log_steps = flags.log_step_count_steps;
  options.seed = static_cast<uint64_t>(flags.random_seed);
  options.ema_decay = flags.ema_decay;
  options.warm_start_from = ExpandUser(flags.warm_start_from);
  if (options.warm_start_from.empty() &&
      run.hparams.Has("pretrained_model_dir")) {
    options.warm_start_from =
        ExpandUser(run.hparams.GetString("pretrained_model_dir"));
  }
  options.group = run.group;
  options.deterministic = flags.deterministic;
  options.micro_batches = flags.virtual_ranks;
  options.bucket_bytes = flags.bucket_mb << 20;
  options.zero_stage = static_cast<int>(flags.zero_stage);
  options.initial_values = run.initial_values;
  options.sharded_checkpoints = flags.sharded_checkpoints;
  options.bf16_gradients = flags.gradient_compression == "bf16";
  options.monitor.ranks = run.group == nullptr ? 1 : run.group->size();
  options.monitor.one_rank_tokens_per_second = flags.one_rank_tokens_per_second;
  options.monitor.peak_flops = 1e12 * flags.peak_tflops;
  // true and false are T2T's.
  if (!flags.profile.empty() && flags.profile != "false") {
    options.profile = ProfilePath(
        flags.profile == "true" ? JoinPath(flags.output_dir, "profile.json")
                                : ExpandUser(flags.profile),
        run.config.cluster.rank);
    options.profile_steps = ParseProfileSteps(flags.profile_steps);
  }
  options.tensor_parallel = run.mesh.get();
  return options;
}

void Announce(const RunParts& run, int64_t start, const Trainer& trainer) {
  const ExperimentFlags& flags = run.flags;
  const int64_t micro_batches = trainer.micro_batches();
  std::string text = (start > 0 ? "going on at step " + std::to_string(start)
                                : std::string("a new run")) +
                     " in " + flags.output_dir + ": " + flags.model + ", " +
                     GroupedText(run.model->params().NumParameters()) +
                     (run.mesh != nullptr ? " of its" : "") + " parameters, " +
                     Count(at::get_num_threads(), "thread");
  if (run.group != nullptr) {
    text += ", " + Count(run.group->size(), "rank") + " (" +
            run.config.cluster.source + ")";
    if (flags.zero_stage > 0) {
      text += Format(", ZeRO stage %d with %.1f MB of the optimizer's state",
                     static_cast<int>(flags.zero_stage),
                     static_cast<double>(trainer.optimizer_bytes()) / 1e6);
    }
    if (flags.zero_stage > 2) {
      text += Format(" and %.1f MB of the parameters",
                     static_cast<double>(trainer.parameter_bytes()) / 1e6);
    }
  }
  if (run.mesh != nullptr) {
    text += ", mesh " + run.mesh->mesh().ToText() + ", layout " +
            run.mesh->group()->layout().ToText();
  }
  if (micro_batches > 1) {
    text += ", " + std::to_string(micro_batches) + " batches a step";
  }
  Log(text);
}

// Training with the evaluations in between that the schedule has.
class Training {
 public:
  explicit Training(const RunParts* run)
      : run_(*run),
        flags_(run->flags),
        evaluates_(run->config.Evaluates()),
        evaluation_(run, flags_.eval_steps),
        stopping_(flags_.eval_early_stopping_steps,
                  flags_.eval_early_stopping_metric_delta,
                  flags_.eval_early_stopping_metric_minimize) {
    RefuseMemoryOfSeveral(run_.model->params(), flags_.model,
                          flags_.virtual_ranks,
                          run_.group == nullptr ? 1 : run_.group->size());
    if (evaluates_) {
      run_.config.problem->DataFiles(flags_.data_dir, run_.config.dev_split());
    }
    if (flags_.eval_early_stopping_steps > 0) {
      stopping_metric_ = run_.FindMetric("eval_early_stopping_metric",
                                         flags_.eval_early_stopping_metric);
    }
    TrainerOptions options = OptionsOf(run_);
    if (flags_.peak_tflops == 0) {
      peak_ = MeasuredPeak(run_);
      options.monitor.peak_flops = peak_->best();
      options.measure_peak = [this] {
        peak_->Measure();
        if (run_.IsFirst()) peak_->Save();
        return peak_->best();
      };
    }
    trainer_ = std::make_unique<Trainer>(
        run_.model.get(), options, [this](uint64_t seed) {
          return run_.Input(DataSplit::kTrain, Mode::kTrain, seed);
        });
  }

  void Run() {
    const int64_t start = trainer_->Restore();
    if (run_.IsFirst()) Announce(run_, start, *trainer_);
    if (const Json* history = trainer_->extra().Find("early_stopping")) {
      stopping_.Load(*history);
    }
    // From the first checkpoint on, so that a run that is resumed has the same
    // ones.
    if (evaluates_) trainer_->extra().Set("early_stopping", stopping_.ToJson());
    // A checkpoint is written before it is evaluated: where the run was stopped
    // in between, this is made up for.
    if (evaluates_ && !stopping_metric_.empty() && start > 0 &&
        run_.FromFirst([&] { return !stopping_.HasValueSince(start); })) {
      Evaluate(start);
      if (run_.FromFirst([this] { return StopsEarly(); })) {
        MarkEnd();
        return;
      }
    }
    // What is complete is left as it is.
    if (run_.IsFirst() && !run_.over && start < flags_.train_steps) {
      // Not before the checkpoint was seen to fit.
      SaveMetadata(run_);
      if (peak_ != nullptr) peak_->Save();
      if (run_.group != nullptr) UnmarkFinished(flags_.output_dir);
    }
    if (!run_.over) {
      trainer_->Train([this](int64_t step) { return GoesOnAfterSave(step); });
    }
    SayMemory(start);
    // A run that was complete already is evaluated all the same, as in T2T.
    if (evaluates_ && evaluated_ < 0) Evaluate(trainer_->step());
    MarkEnd();
  }

 private:
  // On all ranks.
  void Evaluate(int64_t step) {
    last_evaluation_ = NowSeconds();
    evaluated_ = step;
    const std::map<std::string, double> results = evaluation_.Evaluate(
        run_.config.dev_split(), "eval", step, trainer_.get());
    if (!run_.IsFirst()) return;
    if (!stopping_metric_.empty()) {
      stopping_.Add(step, results.at(stopping_metric_));
    }
    trainer_->extra().Set("early_stopping", stopping_.ToJson());
  }

  bool GoesOnAfterSave(int64_t step) {
    const auto is_due = [&] {
      return step >= flags_.train_steps ||
             NowSeconds() - last_evaluation_ >=
                 static_cast<double>(flags_.eval_throttle_seconds);
    };
    if (!evaluates_ || !run_.FromFirst(is_due)) return true;
    Evaluate(step);
    return !run_.IsFirst() || !StopsEarly();
  }

  // On rank 0.
  bool StopsEarly() const {
    if (!stopping_.Plateaued()) return false;
    Log("stopped early: " + flags_.eval_early_stopping_metric +
        " has not changed by " +
        DoubleToString(flags_.eval_early_stopping_metric_delta) + " for " +
        Count(flags_.eval_early_stopping_steps, "step"));
    return true;
  }

  void SayMemory(int64_t start) const {
    const std::string memory = DeviceMemoryText();
    if (!memory.empty()) Log("at most " + memory + " was used");
    if (run_.IsFirst() && run_.group != nullptr && flags_.zero_stage > 2 &&
        trainer_->step() > start) {
      Log(Format("a step needed %.1f MB of parameters at a time",
                 static_cast<double>(trainer_->peak_parameter_bytes()) / 1e6));
    }
  }

  void MarkEnd() const {
    if (run_.group == nullptr || !run_.IsFirst()) return;
    MarkFinished(flags_.output_dir, FinishSettings(flags_), trainer_->step());
  }

  const RunParts& run_;
  const ExperimentFlags& flags_;
  const bool evaluates_;
  RunEvaluation evaluation_;
  EarlyStopping stopping_;
  std::string stopping_metric_;       // "": no early stopping
  std::unique_ptr<PeakRecord> peak_;  // null: it is stated
  std::unique_ptr<Trainer> trainer_;
  double last_evaluation_ = -1e18;
  int64_t evaluated_ = -1;
};

void RunSchedule(const RunParts& run) {
  if (run.flags.dry_run) {
    DryRun(run);
    return;
  }
  SetStopGrace(run.flags.preemption_grace_seconds);
  CatchStopSignals();
  if (run.config.Trains()) {
    const std::unique_ptr<OutputLock> lock = LockOutput(run);
    Training(&run).Run();
    return;
  }
  RunEvaluation evaluation(&run, run.flags.eval_steps);
  const std::string& schedule = run.flags.schedule;
  const bool on_train_data = EndsWith(schedule, "_on_train_data");
  const DataSplit split =
      on_train_data ? DataSplit::kTrain : run.config.dev_split();
  const std::string folder = on_train_data ? "eval_train" : "eval";
  if (StartsWith(schedule, "continuous")) {
    evaluation.EvaluateContinuously(split, folder);
  } else {
    evaluation.EvaluateNewest(split, folder);
  }
}

// Whether this rank has nothing to do, which it says; *over: the run has ended.
bool IsIdle(const RunConfig& config, bool* over) {
  const std::string rank = "rank " + std::to_string(config.cluster.rank);
  if (!config.Trains()) {
    if (config.cluster.rank == 0) return false;
    Log(rank + " is not needed: rank 0 alone does --schedule=" +
        config.flags.schedule);
    return true;
  }
  if (!IsFinished(config.flags.output_dir, FinishSettings(config.flags))) {
    return false;
  }
  *over = true;
  const std::string text =
      "the run in " + config.flags.output_dir + " is over: " + rank;
  if (config.cluster.rank > 0) {
    Log(text + " is not needed");
    return true;
  }
  Log(text + " goes on without the others");
  return false;
}

std::unique_ptr<ProcessGroup> JoinGroup(const RunConfig& config) {
  ProcessGroup::Options options;
  options.rendezvous_seconds = config.flags.rendezvous_timeout_seconds;
  options.collective_seconds = config.flags.collective_timeout_seconds;
  options.silence_seconds = config.flags.rank_silence_seconds;
  options.backend = config.flags.backend;
  return ProcessGroup::Join(config.cluster, options);
}

}  // namespace

void RunExperiment(const RunConfig& config) {
  if (!config.flags.profile.empty()) {
    ParseProfileSteps(config.flags.profile_steps);
  }
  const bool wants_gpu =
      config.flags.device == "auto" && config.flags.cluster.worker_gpu > 0;
  const std::string device = UseDevice(wants_gpu ? "cuda" : config.flags.device,
                                       config.cluster.local_rank);
  if (!device.empty()) Log("computing on " + device);
  std::unique_ptr<ProcessGroup> group;
  bool over = false;
  if (config.cluster.distributed() && !config.flags.dry_run) {
    if (IsIdle(config, &over)) return;
    if (config.Trains() && !over) group = JoinGroup(config);
  }
  try {
    const RunParts run(config, group.get(), over);
    RunSchedule(run);
  } catch (const Error& error) {
    // These come to all ranks after the same step.
    const bool together = error.code() == ExitCode::kDiverged ||
                          error.code() == ExitCode::kPreempted ||
                          error.code() == ExitCode::kInterrupted;
    if (group != nullptr) {
      if (together) {
        group->Barrier("the end", ProcessGroup::Limit::kNone);
      } else {
        group->Fail(error.what());
      }
    }
    throw;
  } catch (const std::exception& error) {
    if (group != nullptr) group->Fail(error.what());
    throw;
  }
  if (group != nullptr) {
    group->Barrier("the end", ProcessGroup::Limit::kNone);
  }
}

}  // namespace t2t
