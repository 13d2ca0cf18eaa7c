#include "t2t/train/experiment.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "hparams/catalogue.h"
#include "hparams/describe.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/progress.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/best_checkpoint.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/finished.h"
#include "t2t/checkpoint/output_lock.h"
#include "t2t/checkpoint/run_identity.h"
#include "t2t/distributed/process_group.h"
#include "t2t/formats/events.h"
#include "t2t/hparams/key_rules.h"
#include "t2t/hparams/without_effect.h"
#include "t2t/model/model.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/ops/device.h"
#include "t2t/ops/tensor_memory.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/modality_traits.h"
#include "t2t/train/chunks.h"
#include "t2t/train/cost.h"
#include "t2t/train/early_stopping.h"
#include "t2t/train/eval_metrics.h"
#include "t2t/train/evaluation.h"
#include "t2t/train/flops.h"
#include "t2t/train/model_axis.h"
#include "t2t/train/peak_record.h"
#include "t2t/train/profiler.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

std::string HParamsPath(const std::string& output_dir) {
  return JoinPath(output_dir, "hparams.json");
}

// "name: a -> b", for each that differs.
std::vector<std::string> Differences(const HParams& from, const HParams& to) {
  std::vector<std::string> lines;
  for (const std::string& name : to.Names()) {
    if (!from.Has(name) || from.Get(name) == to.Get(name)) continue;
    lines.push_back(name + ": " + HParams::ValueToString(from.Get(name)) +
                    " -> " + HParams::ValueToString(to.Get(name)));
  }
  return lines;
}

void Require(const std::string& value, const std::string& flag) {
  if (value.empty()) {
    throw UsageError("--" + flag + " is missing", "",
                     "give --" + flag + "=...; --help shows an example");
  }
}

bool Trains(const std::string& schedule) {
  return schedule == "train" || schedule == "train_and_evaluate" ||
         schedule == "continuous_train_and_eval" || schedule == "test";
}

// What decides when a run is over.
std::string FinishSettings(const ExperimentFlags& flags) {
  return "train_steps=" + std::to_string(flags.train_steps) +
         " schedule=" + flags.schedule +
         " early_stopping=" + std::to_string(flags.eval_early_stopping_steps) +
         "," + flags.eval_early_stopping_metric + "," +
         DoubleToString(flags.eval_early_stopping_metric_delta) + "," +
         std::to_string(flags.eval_early_stopping_metric_minimize ? 1 : 0);
}

// A run's parts, made from the flags.
class Experiment {
 public:
  // group: null where the job has one rank. over: the run has ended, and this
  // is its rank 0 alone, which evaluates at most.
  Experiment(const ExperimentFlags& flags, const Cluster& cluster,
             ProcessGroup* group, bool over, std::string flags_text)
      : flags_(flags),
        cluster_(cluster),
        group_(group),
        over_(over),
        flags_text_(std::move(flags_text)) {
    CheckFlags();
    problem_ = MakeProblem(flags_.problem);
    Models().Get(flags_.model);
    HParamsSets().Get(flags_.hparams_set)();
    if (flags_.generate_data && !flags_.dry_run) {
      if (IsFirst()) GenerateData();
      if (group_ != nullptr) {
        group_->Barrier("generating the data", ProcessGroup::Limit::kNone);
      }
    }
    MakeHParams();
    // A wrong schedule or optimizer is to be known before anything is read.
    LearningRate(hparams_, 0, flags_.train_steps);
    MakeOptimizer(hparams_, {});
    info_ = problem_->Info(flags_.data_dir);
    if (IsFirst()) NoteWithoutEffect();
    run_ = MakeRunIdentity(flags_.problem, flags_.model, flags_.hparams_set,
                           info_);
    int64_t threads = flags_.threads;
    if (threads == 0) threads = flags_.intra_op_parallelism_threads;
    if (threads == 0) threads = DefaultThreads();
    UseThreads(static_cast<int>(threads));
    metrics_ = EvaluatedMetrics(*problem_);
    if (flags_.keep_best) {
      best_metric_ = FindMetric("keep_best_metric", flags_.keep_best_metric);
    }
    if (Trains(flags_.schedule) && !flags_.dry_run && !over_) {
      axis_ = ModelAxis::Make(flags_.mesh_shape, flags_.layout, group_);
    }
    MakeOwnModel();
  }

  void Run() {
    if (flags_.dry_run) {
      DryRun();
      return;
    }
    SetStopGrace(flags_.preemption_grace_seconds);
    CatchStopSignals();
    if (flags_.keep_best && IsFirst()) {
      best_ = std::make_unique<BestCheckpoint>(flags_.output_dir, best_metric_,
                                               LowerIsBetter(best_metric_));
    }
    const std::string& schedule = flags_.schedule;
    if (schedule == "train") {
      Train(/*evaluate=*/false);
    } else if (schedule == "continuous_train_and_eval" ||
               schedule == "train_and_evaluate") {
      Train(/*evaluate=*/true);
    } else if (schedule == "test") {
      flags_.train_steps = 1;
      flags_.eval_steps = 1;
      Train(/*evaluate=*/true);
    } else if (schedule == "evaluate") {
      EvaluateNewest(DevSplit(), "eval");
    } else if (schedule == "evaluate_on_train_data") {
      EvaluateNewest(DataSplit::kTrain, "eval_train");
    } else if (schedule == "continuous_eval") {
      EvaluateContinuously(DevSplit(), "eval");
    } else {
      EvaluateContinuously(DataSplit::kTrain, "eval_train");
    }
  }

 private:
  void CheckFlags() const {
    if (flags_.measure && !flags_.dry_run) {
      throw UsageError("--measure without --dry_run",
                       "a dry run, which it makes run one step",
                       "add --dry_run, or leave it out");
    }
    Require(flags_.problem, "problem");
    Require(flags_.model, "model");
    Require(flags_.hparams_set, "hparams_set");
    Require(flags_.data_dir, "data_dir");
    if (!flags_.dry_run) Require(flags_.output_dir, "output_dir");
    if (flags_.keep_best && (flags_.schedule == "train" ||
                             EndsWith(flags_.schedule, "_on_train_data"))) {
      throw UsageError("--keep_best with --schedule=" + flags_.schedule,
                       "a schedule that evaluates on the dev or test split",
                       "use --schedule=train_and_evaluate");
    }
    CheckZeroFlags();
    if (!flags_.profile.empty()) ParseProfileSteps(flags_.profile_steps);
    if (Trains(flags_.schedule)) {
      Layout::Parse(flags_.layout,
                    Mesh::Parse(flags_.mesh_shape, cluster_.world_size));
    }
  }

  void CheckZeroFlags() const {
    if (flags_.sharded_checkpoints && flags_.zero_stage == 0 &&
        Trains(flags_.schedule) &&
        Mesh::Parse(flags_.mesh_shape, cluster_.world_size)
                .Size(Mesh::kModel) == 1) {
      throw UsageError("--sharded_checkpoints without --zero_stage",
                       "ranks that have something of their own to write",
                       "add --zero_stage=1, 2 or 3, or the axis model to "
                       "--mesh_shape, or leave it out");
    }
    if (flags_.gradient_compression == "bf16" && flags_.deterministic) {
      throw UsageError(
          "--gradient_compression=bf16 with --deterministic",
          "one of them: what is rounded depends on the number of ranks");
    }
  }

  // This rank's part, where the model is split.
  void MakeOwnModel() {
    std::optional<ModelParallel::Use> part;
    if (axis_ != nullptr) part.emplace(axis_->parallel());
    const ProcessGroup* const data = axis_ != nullptr ? axis_->data() : group_;
    if (flags_.dry_run && !flags_.measure) {
      // Shapes are all that it asks for: no values are drawn, and the memory,
      // which optimizers look at, is never touched.
      const AbsentParameters absent;
      model_ = MakeModel();
      for (const at::Tensor& tensor : model_->params().Trainable()) {
        RestoreMemory(tensor);
      }
      return;
    }
    if (flags_.zero_stage < 3 || data == nullptr || data->size() == 1 ||
        !Trains(flags_.schedule) || flags_.dry_run) {
      model_ = MakeModel();
      return;
    }
    // No rank has all of them.
    const AbsentParameters absent;
    model_ = MakeModel();
    initial_values_ = absent.draws();
  }

  std::unique_ptr<Model> MakeModel() const {
    return Models().Get(flags_.model)(
        hparams_, info_, static_cast<uint64_t>(flags_.random_seed));
  }

  // Rank 0 writes and prints, and decides what evaluations mean.
  bool IsFirst() const { return group_ == nullptr || group_->rank() == 0; }

  // What rank 0 finds, for all ranks.
  bool FromFirst(const std::function<bool()>& body) const {
    const bool found = IsFirst() && body();
    if (group_ == nullptr) return found;
    constexpr char kWhat[] = "rank 0's decision";
    group_->Barrier(kWhat, ProcessGroup::Limit::kNone);
    return !group_->BroadcastText(found ? "yes" : "", kWhat).empty();
  }

  // Rank 0's, for all: the others may not see the output_dir.
  void MakeHParams() {
    if (IsFirst()) {
      hparams_ = RunHParams(flags_, *problem_);
    } else {
      hparams_ = HParamsSets().Get(flags_.hparams_set)();
      problem_->AdjustHParams(&hparams_);
    }
    if (group_ == nullptr) return;
    const Json shared = Json::Parse(
        group_->BroadcastText(hparams_.ToJson(), "sharing the hparams"));
    if (!IsFirst()) hparams_.MergeJson(shared);
  }

  // Hparams of the command line that do nothing.
  void NoteWithoutEffect() const {
    const auto targets = info_.features.find("targets");
    const HParamsUse use = {flags_.model, targets == info_.features.end()
                                              ? ""
                                              : targets->second.modality};
    for (const std::string& note :
         NotesOnHParams(hparams_, flags_.hparams, use)) {
      Log("note: " + note);
    }
  }

  // 0: all cores. The last bits depend on the number of threads, so what is to
  // be the same anywhere takes one.
  int64_t DefaultThreads() const {
    if (flags_.deterministic) return 1;
    if (cluster_.local_size <= 1) return 0;
    return std::max<int64_t>(
        1, std::thread::hardware_concurrency() / cluster_.local_size);
  }

  void GenerateData() const {
    GenerateOptions options;
    options.data_dir = flags_.data_dir;
    options.tmp_dir = flags_.tmp_dir;
    options.threads = 0;
    options.train_src = flags_.train_src;
    options.train_tgt = flags_.train_tgt;
    options.dev_src = flags_.dev_src;
    options.dev_tgt = flags_.dev_tgt;
    MakeDirectories(options.data_dir);
    MakeDirectories(options.tmp_dir);
    Log("generating " + flags_.problem);
    ::t2t::GenerateData(*problem_, options);
  }

  DataSplit DevSplit() const {
    return flags_.eval_use_test_set ? DataSplit::kTest : DataSplit::kDev;
  }

  std::unique_ptr<InputPipeline> Input(DataSplit split, Mode mode,
                                       uint64_t seed) const {
    return InChunks(MakeInputPipeline(MakeInputOptions(
                        *problem_, info_, hparams_, flags_.data_dir, split,
                        mode, seed, flags_.t2t_batching)),
                    hparams_);
  }

  void SaveMetadata() const {
    MakeDirectories(flags_.output_dir);
    WriteFileAtomically(HParamsPath(flags_.output_dir),
                        hparams_.ToJson() + "\n");
    WriteFileAtomically(JoinPath(flags_.output_dir, "flags.txt"), flags_text_);
  }

  // The output_dir as this process's alone; null on ranks that don't write.
  std::unique_ptr<OutputLock> LockOutput() const {
    if (!IsFirst()) return nullptr;
    OutputLock::Options options;
    options.silence_seconds = flags_.writer_silence_seconds;
    // (Several ranks stop together, after a step.)
    if (group_ == nullptr) {
      options.while_waiting = [] { ThrowIfStopped(" before the first step"); };
    }
    return OutputLock::Acquire(flags_.output_dir, options);
  }

  void Train(bool evaluate) {
    const std::unique_ptr<OutputLock> lock = LockOutput();
    TrainerOptions options;
    options.output_dir = flags_.output_dir;
    options.identity = run_;
    options.train_steps = flags_.train_steps;
    options.save_steps = flags_.local_eval_frequency;
    options.save_seconds = flags_.save_checkpoints_secs;
    options.keep_checkpoint_max = flags_.keep_checkpoint_max;
    options.keep_every_seconds =
        3600.0 * static_cast<double>(flags_.keep_checkpoint_every_n_hours);
    options.log_steps = flags_.log_step_count_steps;
    options.seed = static_cast<uint64_t>(flags_.random_seed);
    options.ema_decay = flags_.ema_decay;
    options.warm_start_from = ExpandUser(flags_.warm_start_from);
    if (options.warm_start_from.empty() &&
        hparams_.Has("pretrained_model_dir")) {
      options.warm_start_from =
          ExpandUser(hparams_.GetString("pretrained_model_dir"));
    }
    RefuseMemoryOfSeveral(model_->params(), flags_.model, flags_.virtual_ranks,
                          group_ == nullptr ? 1 : group_->size());
    if (evaluate) problem_->DataFiles(flags_.data_dir, DevSplit());
    std::string metric;
    if (flags_.eval_early_stopping_steps > 0) {
      metric = FindMetric("eval_early_stopping_metric",
                          flags_.eval_early_stopping_metric);
    }
    options.group = group_;
    options.deterministic = flags_.deterministic;
    options.virtual_ranks = flags_.virtual_ranks;
    options.bucket_bytes = flags_.bucket_mb << 20;
    options.zero_stage = static_cast<int>(flags_.zero_stage);
    options.initial_values = initial_values_;
    options.sharded_checkpoints = flags_.sharded_checkpoints;
    options.bf16_gradients = flags_.gradient_compression == "bf16";
    options.monitor.ranks = group_ == nullptr ? 1 : group_->size();
    options.monitor.one_rank_tokens_per_second =
        flags_.one_rank_tokens_per_second;
    options.monitor.peak_flops = 1e12 * flags_.peak_tflops;
    std::unique_ptr<PeakRecord> peak;
    if (flags_.peak_tflops == 0) {
      peak = MeasuredPeak();
      options.monitor.peak_flops = peak->best();
      options.measure_peak = [&] {
        peak->Measure();
        if (IsFirst()) peak->Save();
        return peak->best();
      };
    }
    // true and false are T2T's.
    if (!flags_.profile.empty() && flags_.profile != "false") {
      options.profile = ProfilePath(
          flags_.profile == "true" ? JoinPath(flags_.output_dir, "profile.json")
                                   : ExpandUser(flags_.profile),
          cluster_.rank);
      options.profile_steps = ParseProfileSteps(flags_.profile_steps);
    }
    options.model_axis = axis_.get();
    Trainer trainer(model_.get(), options, [this](uint64_t seed) {
      return Input(DataSplit::kTrain, Mode::kTrain, seed);
    });
    const int64_t start = trainer.Restore();
    // What is complete is left as it is.
    const bool complete = over_ || start >= flags_.train_steps;
    if (IsFirst()) Announce(start, trainer);
    EarlyStopping stopping(flags_.eval_early_stopping_steps,
                           flags_.eval_early_stopping_metric_delta,
                           flags_.eval_early_stopping_metric_minimize);
    if (const Json* history = trainer.extra().Find("early_stopping")) {
      stopping.Load(*history);
    }
    // From the first checkpoint on, so that a run that is resumed has the same
    // ones.
    if (evaluate) trainer.extra().Set("early_stopping", stopping.ToJson());
    double last_eval = -1e18;
    int64_t evaluated = -1;
    // On all ranks.
    const auto evaluate_now = [&](int64_t step) {
      last_eval = NowSeconds();
      evaluated = step;
      const std::map<std::string, double> results =
          Evaluate(DevSplit(), "eval", step, &trainer);
      if (!IsFirst()) return;
      if (!metric.empty()) stopping.Add(step, results.at(metric));
      trainer.extra().Set("early_stopping", stopping.ToJson());
    };
    // On rank 0.
    const auto stops_early = [&] {
      if (!stopping.Plateaued()) return false;
      Log("stopped early: " + flags_.eval_early_stopping_metric +
          " has not changed by " +
          DoubleToString(flags_.eval_early_stopping_metric_delta) + " for " +
          Count(flags_.eval_early_stopping_steps, "step"));
      return true;
    };
    // A checkpoint is written before it is evaluated: where the run was stopped
    // in between, this is made up for.
    if (evaluate && !metric.empty() && start > 0 &&
        FromFirst([&] { return !stopping.HasValueSince(start); })) {
      evaluate_now(start);
      if (FromFirst(stops_early)) {
        MarkEnd(trainer.step());
        return;
      }
    }
    if (IsFirst() && !complete) {
      // Not before the checkpoint was seen to fit.
      SaveMetadata();
      if (peak != nullptr) peak->Save();
      if (group_ != nullptr) UnmarkFinished(flags_.output_dir);
    }
    const auto after_save = [&](int64_t step) {
      if (!evaluate || !FromFirst([&] {
            return step >= flags_.train_steps ||
                   NowSeconds() - last_eval >=
                       static_cast<double>(flags_.eval_throttle_seconds);
          })) {
        return true;
      }
      evaluate_now(step);
      return !IsFirst() || !stops_early();
    };
    if (!over_) trainer.Train(after_save);
    const std::string memory = DeviceMemoryText();
    if (!memory.empty()) Log("at most " + memory + " was used");
    if (IsFirst() && group_ != nullptr && flags_.zero_stage > 2 &&
        trainer.step() > start) {
      Log(Format("a step needed %.1f MB of parameters at a time",
                 static_cast<double>(trainer.peak_parameter_bytes()) / 1e6));
    }
    // A run that was complete already is evaluated all the same, as in T2T.
    if (evaluate && evaluated < 0) evaluate_now(trainer.step());
    MarkEnd(trainer.step());
  }

  void MarkEnd(int64_t step) const {
    if (group_ == nullptr || !IsFirst()) return;
    MarkFinished(flags_.output_dir, FinishSettings(flags_), step);
  }

  // What MFU is held against, where it is not stated.
  std::unique_ptr<PeakRecord> MeasuredPeak() const {
    const bool bfloat16 = !ComputeDevice().is_cpu() &&
                          hparams_.Has("activation_dtype") &&
                          hparams_.GetString("activation_dtype") == "bfloat16";
    const std::string type = bfloat16 ? "bf16" : "fp32";
    const std::string machine =
        (ComputeDevice().is_cpu() ? ComputerName(at::get_num_threads())
                                  : DeviceName()) +
        ", " + type;
    auto peak =
        std::make_unique<PeakRecord>(flags_.output_dir, machine, [bfloat16] {
          return MeasurePeakFlops(bfloat16 ? at::kBFloat16 : at::kFloat);
        });
    peak->Measure();
    if (IsFirst()) {
      Log(
          Format("MFU is against %.3g TFLOP/s%s, the best measured so far by a "
                 "matrix product in %s (--peak_tflops states another figure)",
                 peak->best() / 1e12, group_ == nullptr ? "" : " a rank",
                 type.c_str()));
    }
    return peak;
  }

  void Announce(int64_t start, const Trainer& trainer) const {
    const int64_t virtual_ranks = trainer.virtual_ranks();
    std::string text = (start > 0 ? "going on at step " + std::to_string(start)
                                  : std::string("a new run")) +
                       " in " + flags_.output_dir + ": " + flags_.model + ", " +
                       GroupedText(model_->params().NumParameters()) +
                       (axis_ != nullptr ? " of its" : "") + " parameters, " +
                       Count(at::get_num_threads(), "thread");
    if (group_ != nullptr) {
      text +=
          ", " + Count(group_->size(), "rank") + " (" + cluster_.source + ")";
      if (flags_.zero_stage > 0) {
        text += Format(", ZeRO stage %d with %.1f MB of the optimizer's state",
                       static_cast<int>(flags_.zero_stage),
                       static_cast<double>(trainer.optimizer_bytes()) / 1e6);
      }
      if (flags_.zero_stage > 2) {
        text += Format(" and %.1f MB of the parameters",
                       static_cast<double>(trainer.parameter_bytes()) / 1e6);
      }
    }
    if (axis_ != nullptr) {
      text += ", mesh " + axis_->mesh().ToText() + ", layout " +
              axis_->parallel()->layout().ToText();
    }
    if (virtual_ranks > 1) {
      text += ", " + std::to_string(virtual_ranks) + " batches a step";
    }
    Log(text);
  }

  // A metric that a flag gives by T2T's tag or by the end of it.
  std::string FindMetric(const std::string& flag,
                         const std::string& tag) const {
    std::vector<std::string> names = metrics_;
    names.push_back("loss");
    const std::string wanted = tag.substr(tag.rfind('/') + 1);
    if (std::find(names.begin(), names.end(), wanted) != names.end()) {
      return wanted;
    }
    throw UsageError(
        "--" + flag + "=" + tag + " is no metric of " + flags_.problem,
        DidYouMean(wanted, names), "one of " + Join(names, ", "));
  }

  // Of the model, or by all ranks of the trainer's, with averages; rank 0
  // writes and says what comes of it.
  std::map<std::string, double> Evaluate(DataSplit split,
                                         const std::string& folder,
                                         int64_t step,
                                         Trainer* trainer = nullptr) {
    const double start = NowSeconds();
    const std::unique_ptr<InputPipeline> input =
        Input(split, Mode::kEval, static_cast<uint64_t>(flags_.random_seed));
    const std::map<std::string, double> results =
        trainer != nullptr
            ? trainer->Evaluate(input.get(), metrics_, flags_.eval_steps)
            : EvaluateModel(model_.get(), input.get(), metrics_,
                            flags_.eval_steps);
    if (!IsFirst()) return results;
    LogEvaluation(step, results, NowSeconds() - start);
    const std::string events_dir = JoinPath(flags_.output_dir, folder);
    std::unique_ptr<EventWriter>& events = events_[folder];
    if (trainer == nullptr) {
      WriteEvaluationIfPossible(flags_.problem, step, results, events_dir,
                                &events);
    } else if (trainer->steps_done() > 0 || !HasEventsAt(events_dir, step)) {
      if (events == nullptr) {
        // Of the steps that this run does, there may be some of one before.
        const int64_t first = trainer->step() - trainer->steps_done() + 1;
        events =
            std::make_unique<EventWriter>(events_dir, std::min(step, first));
      }
      WriteEvaluation(flags_.problem, step, results, events.get());
    }
    // It is kept as a second name of the file.
    if (best_ != nullptr && trainer != nullptr) trainer->WaitForCheckpoint();
    if (best_ != nullptr && folder == "eval" &&
        best_->Offer(step, results.at(best_metric_))) {
      Log("kept as the best so far: " + best_metric_ + " " +
          Format("%.4f", best_->value()));
    }
    return results;
  }

  void EvaluateNewest(DataSplit split, const std::string& folder) {
    const std::optional<Checkpoint> checkpoint =
        LoadLatestCheckpoint(flags_.output_dir);
    if (!checkpoint) {
      throw MissingError("there is no checkpoint in " + flags_.output_dir, "",
                         "train first: --schedule=train");
    }
    const RunIdentity saved =
        WithFlagsText(IdentityIn(checkpoint->meta), flags_.output_dir);
    CheckVocabularies(saved, run_, checkpoint->path);
    const std::string changed = ChangedNames(saved, run_);
    if (!changed.empty()) {
      Warn(checkpoint->path + " was trained otherwise: " + changed);
    }
    LoadParameters(*checkpoint, /*averaged=*/true, &model_->params());
    Evaluate(split, folder, checkpoint->step);
  }

  // Evaluates each checkpoint as it comes, until none has come for
  // --eval_timeout_mins or training is complete.
  void EvaluateContinuously(DataSplit split, const std::string& folder) {
    int64_t evaluated = 0;
    double waiting_since = NowSeconds();
    while (evaluated < flags_.train_steps) {
      const std::vector<int64_t> steps = ListCheckpoints(flags_.output_dir);
      if (!steps.empty() && steps.back() > evaluated) {
        evaluated = steps.back();
        EvaluateNewest(split, folder);
        waiting_since = NowSeconds();
        continue;
      }
      ThrowIfStopped(" while waiting for a checkpoint");
      if (flags_.eval_timeout_mins >= 0 &&
          NowSeconds() - waiting_since >
              60.0 * static_cast<double>(flags_.eval_timeout_mins)) {
        Log("no new checkpoint for " +
            std::to_string(flags_.eval_timeout_mins) + " minutes");
        return;
      }
      ::usleep(500'000);
    }
  }

  void DryRun() {
    const std::unique_ptr<InputPipeline> input =
        Input(DataSplit::kTrain, Mode::kTrain,
              static_cast<uint64_t>(flags_.random_seed));
    const std::optional<Batch> batch = input->Next();
    if (!batch) throw DataError("the training data is empty");
    problem_->DataFiles(flags_.data_dir, DevSplit());
    if (!flags_.output_dir.empty()) {
      const std::optional<Checkpoint> checkpoint =
          LoadLatestCheckpoint(flags_.output_dir);
      if (checkpoint) {
        const RunIdentity saved =
            WithFlagsText(IdentityIn(checkpoint->meta), flags_.output_dir);
        CheckSameRun(saved, run_, flags_.output_dir);
        CheckVocabularies(saved, run_, checkpoint->path);
        LoadParameters(*checkpoint, /*averaged=*/false, &model_->params());
        std::printf("checkpoint:       step %s, fits\n",
                    GroupedText(checkpoint->step).c_str());
      }
    }
    const int64_t trainable = model_->params().NumParameters();
    const auto megabytes = [](int64_t bytes) {
      return GroupedText((bytes + 500'000) / 1'000'000) + " MB";
    };
    std::vector<NamedTensor> parameters;
    int64_t weight_bytes = 0;
    for (const ParamStore::Entry& entry : model_->params().entries()) {
      weight_bytes += static_cast<int64_t>(entry.tensor.nbytes());
      if (entry.trainable) parameters.push_back({entry.name, entry.tensor});
    }
    const int64_t state_bytes =
        MakeOptimizer(hparams_, parameters)->StateBytes() +
        (flags_.ema_decay > 0 ? weight_bytes : 0);
    std::optional<StepCost> cost;
    if (flags_.measure) cost = MeasureStep(model_.get(), ToFeatures(*batch));
    const int64_t activation_bytes = cost ? cost->activation_bytes : 0;
    std::printf("problem:          %s\n", flags_.problem.c_str());
    for (const auto& [name, feature] : info_.features) {
      std::printf("  %-15s %s, vocabulary of %s\n", (name + ":").c_str(),
                  feature.modality.c_str(),
                  GroupedText(feature.vocab_size).c_str());
    }
    std::printf("model:            %s (%s)\n", flags_.model.c_str(),
                flags_.hparams_set.c_str());
    std::printf("optimizer:        %s\n",
                hparams_.GetString("optimizer").c_str());
    std::printf("parameters:       %s\n", GroupedText(trainable).c_str());
    std::printf(
        "memory:           %s (weights %s, gradients %s, optimizer %s, "
        "activations of this batch %s)\n",
        megabytes(2 * weight_bytes + state_bytes + activation_bytes).c_str(),
        megabytes(weight_bytes).c_str(), megabytes(weight_bytes).c_str(),
        megabytes(state_bytes).c_str(),
        cost ? megabytes(activation_bytes).c_str()
             : "come on top: see --measure");
    if (cost) {
      std::printf("FLOPs per step:   %.3g (matrix products of this batch)\n",
                  cost->flops);
    } else {
      std::printf("FLOPs per step:   not counted: see --measure\n");
    }
    std::printf("first batch:\n");
    for (const auto& [name, tensor] : *batch) {
      std::vector<std::string> sizes;
      for (const int64_t size : tensor.shape) {
        sizes.push_back(std::to_string(size));
      }
      std::printf("  %-15s [%s]\n", (name + ":").c_str(),
                  Join(sizes, ", ").c_str());
    }
    for (const int64_t step :
         {int64_t{0}, flags_.train_steps / 2, flags_.train_steps - 1}) {
      std::printf("learning rate:    %.3g at step %s\n",
                  LearningRate(hparams_, step, flags_.train_steps),
                  GroupedText(step).c_str());
    }
    std::printf("all of it fits together; nothing was trained or written\n");
  }

  ExperimentFlags flags_;
  const Cluster cluster_;
  ProcessGroup* const group_;
  const bool over_;
  const std::string flags_text_;
  std::unique_ptr<Problem> problem_;
  HParams hparams_;
  ProblemInfo info_;
  RunIdentity run_;
  std::vector<std::string> metrics_;
  std::unique_ptr<ModelAxis> axis_;  // null: every rank has the whole model
  std::unique_ptr<Model> model_;
  std::map<std::string, DrawParameter> initial_values_;         // ZeRO stage 3
  std::map<std::string, std::unique_ptr<EventWriter>> events_;  // by folder
  std::string best_metric_;
  std::unique_ptr<BestCheckpoint> best_;
};

void AppendNames(const std::string& title,
                 const std::vector<std::string>& names, std::string* text) {
  *text += title + " (" + std::to_string(names.size()) + "):\n";
  for (const std::string& name : names) *text += "  " + name + "\n";
}

}  // namespace

void ExperimentFlags::AddTo(Flags* flags) {
  constexpr double kDay = 86'400;
  constexpr double kMostRanks = 1 << 20;
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
  flags->Add("random_seed", &random_seed, "The seed of everything random.",
             Range::AnyInt());
  flags->Add("log_step_count_steps", &log_step_count_steps,
             "A line and an event every so many steps.", Range::AtLeast(1));
  flags->Add("generate_data", &generate_data, "Generate the data first.");
  flags->Add("registry_help", &registry_help,
             "List problems, models, hparams sets and optimizers.");
  flags->Add("measure", &measure,
             "With --dry_run: run one step (on its first batch), to count its "
             "matrix products and the memory of its activations.");
  flags->Add("dry_run", &dry_run,
             "Check names, hparams, data and vocabulary, say what a step "
             "costs, and neither train nor write.");
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
             "The batches of a step, spread over the ranks there are; 0: as "
             "many as ranks when the run began.",
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
  flags->Add("bucket_mb", &bucket_mb,
             "Gradients go to other ranks in parts of so many MiB at most.",
             Range::Between(1, 65536));
  flags->Add(
      "zero_stage", &zero_stage,
      "With several ranks, to save memory: 1: each has a share of the "
      "optimizer's state; 2: and of the gradients; 3: and of the parameters; "
      "0: each has all.",
      Range::Between(0, 3));
  flags->Add("sharded_checkpoints", &sharded_checkpoints,
             "With --zero_stage or a split model: each rank writes its own "
             "share of a checkpoint; output_dir must be one for all of them.");
  flags->AddChoice(
      "gradient_compression", &gradient_compression, {"none", "bf16"},
      "bf16: gradients go to other ranks in half the bytes; none.");
  t2t_names.AddTo(flags);
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

HParams RunHParams(const ExperimentFlags& flags, const Problem& problem) {
  HParams given = HParamsSets().Get(flags.hparams_set)();
  problem.AdjustHParams(&given);
  HParams run = given;
  given.Parse(flags.hparams);
  CheckHParams(given);
  const std::string path = HParamsPath(flags.output_dir);
  if (flags.output_dir.empty() || ListCheckpoints(flags.output_dir).empty() ||
      !Exists(path)) {
    return given;
  }
  const std::vector<std::string> unknown =
      ReadJsonFile(path, [&](const Json& json) { return run.MergeJson(json); });
  if (!unknown.empty()) {
    Warn(path + " has hparams that " + flags.hparams_set +
         " has not; they are dropped: " + Join(unknown, ", "));
  }
  const HParams saved = run;
  run.Parse(flags.hparams);
  for (const std::string& line : Differences(saved, run)) {
    Warn("changed from what the run began with: " + line);
  }
  const std::vector<std::string> kept = Differences(given, run);
  if (!kept.empty()) {
    Warn("kept as the run began, from " + path + " (" + flags.hparams_set +
         " has other values; --hparams changes them): " + Join(kept, ", "));
  }
  CheckHParams(run);
  return run;
}

InputOptions MakeInputOptions(const Problem& problem, const ProblemInfo& info,
                              const HParams& hparams,
                              const std::string& data_dir, DataSplit split,
                              Mode mode, uint64_t seed, bool t2t_batching) {
  const auto number = [&](const char* name, int64_t otherwise) {
    return hparams.Has(name) ? hparams.GetInt(name) : otherwise;
  };
  const auto flag = [&](const char* name) {
    return hparams.Has(name) && hparams.GetBool(name);
  };
  InputOptions options;
  options.files = problem.DataFiles(data_dir, split);
  options.training = mode == Mode::kTrain;
  options.seed = seed;
  options.batch_size = number("batch_size", 4096);
  options.use_fixed_batch_size = flag("use_fixed_batch_size");
  // Where a feature is no sequence, batch_size counts examples.
  for (const auto& [name, feature] : info.features) {
    if (!feature.shape.empty()) options.fixed_shapes[name] = feature.shape;
    if (name != "targets" || !info.has_inputs()) {
      options.use_fixed_batch_size |=
          !TraitsOfModality(feature.modality).is_symbols;
    }
  }
  options.max_length = number("max_length", 0);
  if (options.max_length <= 0) options.max_length = options.batch_size;
  options.min_length = number("min_length", 0);
  options.min_length_bucket = number("min_length_bucket", 8);
  if (hparams.Has("length_bucket_step")) {
    options.length_bucket_step = hparams.GetDouble("length_bucket_step");
  }
  options.drop_long_sequences =
      options.training || flag("eval_drop_long_sequences");
  options.t2t_batching = t2t_batching;
  options.pack = options.training && flag("pack_dataset");
  options.preprocess = [&problem, hparams, mode](Example* example) {
    return problem.RunFixedSteps(example, mode, hparams);
  };
  if (problem.Draws(mode)) {
    options.augment = [&problem, hparams, mode](Example* example,
                                                uint64_t seed) {
      problem.RunDrawnSteps(example, mode, hparams, seed);
    };
  }
  return options;
}

std::string RegistryHelp() {
  std::string text;
  text += DescribeCatalogue();
  std::vector<std::string> others;
  for (const std::string& name : Models().Names()) {
    if (FindCatalogueModel(name) == nullptr) others.push_back(name);
  }
  if (!others.empty()) AppendNames("other models", others, &text);
  AppendNames("problems", Problems().Names(), &text);
  AppendNames("optimizers", Optimizers().Names(), &text);
  return text;
}

void RunExperiment(const ExperimentFlags& flags, const Cluster& cluster,
                   const std::string& flags_text) {
  ExperimentFlags expanded = flags;
  for (std::string* path :
       {&expanded.data_dir, &expanded.output_dir, &expanded.tmp_dir}) {
    *path = ExpandUser(*path);
  }
  flags.t2t_names.Check(cluster, CurrentEnvironment().count("TF_CONFIG") > 0);
  expanded.hparams = WithoutShardingHParams(flags.hparams);
  expanded.schedule = ScheduleHere(flags.schedule, cluster);
  if (cluster.role == Cluster::Role::kEvaluator) {
    Log("the evaluator by TF_CONFIG: --schedule=continuous_eval");
    expanded.schedule = "continuous_eval";
  }
  const bool wants_gpu =
      expanded.device == "auto" && flags.cluster.worker_gpu > 0;
  const std::string device =
      UseDevice(wants_gpu ? "cuda" : expanded.device, cluster.local_rank);
  if (!device.empty()) Log("computing on " + device);
  std::unique_ptr<ProcessGroup> group;
  bool over = false;
  if (cluster.distributed() && !flags.dry_run) {
    if (!Trains(expanded.schedule)) {
      if (cluster.rank > 0) {
        Log("rank " + std::to_string(cluster.rank) +
            " is not needed: rank 0 alone does --schedule=" +
            expanded.schedule);
        return;
      }
    } else if (IsFinished(expanded.output_dir, FinishSettings(expanded))) {
      const std::string text = "the run in " + expanded.output_dir +
                               " is over: rank " + std::to_string(cluster.rank);
      if (cluster.rank > 0) {
        Log(text + " is not needed");
        return;
      }
      Log(text + " goes on without the others");
      over = true;
    } else {
      ProcessGroup::Options options;
      options.rendezvous_seconds = flags.rendezvous_timeout_seconds;
      options.collective_seconds = flags.collective_timeout_seconds;
      options.silence_seconds = flags.rank_silence_seconds;
      options.backend = flags.backend;
      group = ProcessGroup::Join(cluster, options);
    }
  }
  try {
    Experiment(expanded, cluster, group.get(), over, flags_text).Run();
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
