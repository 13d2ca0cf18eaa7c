#include "t2t/train/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/progress.h"
#include "t2t/base/rng.h"
#include "t2t/base/simd_target.h"
#include "t2t/base/stop.h"
#include "t2t/base/strings.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/train/flops.h"

namespace t2t {
namespace {

constexpr char kOptimizerPrefix[] = "optimizer/";
constexpr char kAveragePrefix[] = "ema/";
constexpr char kKeptSteps[] = "kept_steps";
constexpr char kKeptAgo[] = "kept_ago";
// From one measurement of the machine's peak, which takes a tenth of a second,
// to the next.
constexpr double kMeasureSeconds = 120;

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

void CheckShape(const std::string& name, const at::Tensor& saved,
                const at::Tensor& wanted) {
  if (saved.sizes() == wanted.sizes()) return;
  throw MismatchError(
      "parameter '" + name + "' has the shape " + ShapeText(saved.sizes()) +
          " in the checkpoint",
      ShapeText(wanted.sizes()) + " by the hparams and the vocabulary given",
      "use the hparams, problem and data_dir it was trained with, or another "
      "--output_dir");
}

std::set<std::string> NamesOf(const ParamStore& params) {
  std::set<std::string> names;
  for (const ParamStore::Entry& entry : params.entries()) {
    names.insert(entry.name);
  }
  return names;
}

// The entries under a prefix, without it.
std::map<std::string, at::Tensor> Under(
    const std::string& prefix,
    const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> found;
  for (const auto& [name, tensor] : tensors) {
    if (StartsWith(name, prefix)) found[name.substr(prefix.size())] = tensor;
  }
  return found;
}

std::vector<NamedTensor> TrainableParameters(const ParamStore& params) {
  std::vector<NamedTensor> parameters;
  for (const ParamStore::Entry& entry : params.entries()) {
    if (entry.trainable) parameters.push_back({entry.name, entry.tensor});
  }
  return parameters;
}

// What is there by the same name and shape; the rest is said and stays.
void WarmStart(const std::string& from, const RunIdentity& here,
               ParamStore* params,
               const std::function<void(Checkpoint*)>& take_parts) {
  Checkpoint checkpoint;
  if (IsDirectory(from)) {
    std::optional<Checkpoint> latest = LoadLatestCheckpoint(from);
    if (!latest) {
      throw MissingError("--warm_start_from=" + from + " holds no checkpoint",
                         "model.ckpt-<step>.safetensors");
    }
    checkpoint = std::move(*latest);
  } else {
    checkpoint = LoadCheckpoint(from);
  }
  try {
    CheckVocabularies(IdentityIn(checkpoint.meta), here, checkpoint.path);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMismatch) throw;
    // Of use all the same, where the languages have much in common.
    Warn(std::string("--warm_start_from: ") + error.what());
  }
  take_parts(&checkpoint);
  const at::NoGradGuard no_grad;
  int64_t taken = 0;
  std::vector<std::string> absent;
  for (const ParamStore::Entry& entry : params->entries()) {
    const auto found = checkpoint.tensors.find(entry.name);
    if (found == checkpoint.tensors.end()) {
      absent.push_back(entry.name);
      continue;
    }
    CheckShape(entry.name, found->second, entry.tensor);
    entry.tensor.detach().copy_(found->second);
    ++taken;
  }
  if (taken == 0) {
    throw MismatchError(
        "--warm_start_from=" + from + " has no parameter of this model",
        "a checkpoint of a like model");
  }
  Log("warm start: " + Count(taken, "parameter") + " from " + from);
  if (!absent.empty()) {
    Warn("not in it, so that they start at random: " +
         Count(static_cast<int64_t>(absent.size()), "parameter") + ", " +
         absent.front() + (absent.size() > 1 ? ", ..." : ""));
  }
}

}  // namespace

int UseThreads(int threads) {
  if (threads <= 0) {
    threads =
        std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  at::set_num_threads(threads);
  CurrentSimdTarget();  // an error in its variable shows before the work
  // Sums into an index in a fixed order; but no filling of new memory.
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  return threads;
}

void LoadParameters(const Checkpoint& checkpoint, bool averaged,
                    ParamStore* params) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const ParamStore::Entry& entry : params->entries()) {
    auto found = checkpoint.tensors.find(entry.name);
    if (averaged) {
      const auto average = checkpoint.tensors.find(kAveragePrefix + entry.name);
      if (average != checkpoint.tensors.end()) found = average;
    }
    if (found == checkpoint.tensors.end()) {
      std::vector<std::string> names;
      for (const auto& [name, tensor] : checkpoint.tensors) {
        if (!StartsWith(name, kOptimizerPrefix) &&
            !StartsWith(name, kAveragePrefix)) {
          names.push_back(name);
        }
      }
      throw MismatchError(
          "the checkpoint has no parameter '" + entry.name + "'",
          DidYouMean(entry.name, names),
          "use the model and hparams it was trained with, or another "
          "--output_dir");
    }
    CheckShape(entry.name, found->second, entry.tensor);
    copies.emplace_back(entry.tensor.detach(), found->second);
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : checkpoint.tensors) names.push_back(name);
  CheckNoneLeftOver(names, NamesOf(*params), checkpoint.path);
  for (auto& [to, from] : copies) to.copy_(from);
}

Trainer::Trainer(Model* model, TrainerOptions options, InputFactory input)
    : model_(model),
      options_(std::move(options)),
      make_input_(std::move(input)),
      trainable_(model->params().Trainable()) {
  const HParams& hparams = model->hparams();
  LearningRate(hparams, 0, options_.train_steps);  // says now what is wrong
  const std::vector<NamedTensor> parameters =
      TrainableParameters(model->params());
  const bool several = DataGroup() != nullptr && DataGroup()->size() > 1;
  if (options_.model_axis != nullptr) {
    total_squares_ = options_.model_axis->TotalSquaresOf(parameters);
  }
  if (options_.zero_stage > 0 && several) {
    MakeShared(parameters);
  } else {
    optimizer_ = MakeOptimizer(hparams, parameters);
    if (options_.model_axis != nullptr) {
      optimizer_->SetSplit(options_.model_axis);
    }
  }
  if (shared_ == nullptr && options_.ema_decay > 0) {
    average_ = std::make_unique<MovingAverage>(options_.ema_decay, parameters);
  }
}

Trainer::~Trainer() = default;

void Trainer::MakeShared(const std::vector<NamedTensor>& parameters) {
  const HParams& hparams = model_->hparams();
  if (options_.model_axis != nullptr &&
      MakeOptimizer(hparams, {})->sharing() == Sharing::kParameters) {
    throw UsageError(
        "--zero_stage with a model that --mesh_shape splits and "
        "--hparams=optimizer=" +
            hparams.GetString("optimizer") +
            ", which looks at whole parameters",
        "an optimizer that takes each number by itself",
        "use --zero_stage=0, or adam, adamw or momentum");
  }
  ProcessGroup* const group = DataGroup();
  std::vector<std::string> units;
  std::vector<int64_t> groups;
  if (options_.zero_stage > 2) {
    const auto* const with_units = dynamic_cast<ModelWithUnits*>(model_);
    if (with_units != nullptr) units = with_units->UnitNames();
    if (units.empty()) {
      throw UsageError(
          "--zero_stage=3 with a model that needs all its parameters at once",
          "transformer or transformer_encoder", "use --zero_stage=2");
    }
    std::vector<std::string> names;
    for (const NamedTensor& parameter : parameters) {
      names.push_back(parameter.name);
    }
    groups = ShardedParameters::Groups(names, units);
  }
  owners_ = ShardedOptimizer::Share(hparams, parameters, group->size(),
                                    options_.bucket_bytes, groups);
  std::vector<at::Tensor> own;
  if (!units.empty()) {
    parameters_ = std::make_unique<ShardedParameters>(trainable_, groups, units,
                                                      owners_, group);
    own = parameters_->own();
  }
  shared_ = std::make_unique<ShardedOptimizer>(hparams, parameters, owners_,
                                               group, options_.ema_decay, own);
  if (options_.model_axis != nullptr) {
    shared_->SetSplit(options_.model_axis, total_squares_);
  }
}

int64_t Trainer::parameter_bytes() const {
  if (parameters_ != nullptr) return parameters_->own_bytes();
  int64_t bytes = 0;
  for (const at::Tensor& parameter : trainable_) {
    bytes += static_cast<int64_t>(parameter.nbytes());
  }
  return bytes;
}

int64_t Trainer::peak_parameter_bytes() const {
  return parameters_ != nullptr ? parameters_->peak_bytes() : parameter_bytes();
}

int64_t Trainer::Restore() {
  if (IsFirst()) RestoreFromFolder();
  if (options_.group != nullptr) RestoreFromFirst();
  MakeShardedStep();
  restored_step_ = step_;
  return step_;
}

void Trainer::TakeParts(Checkpoint* checkpoint) {
  if (options_.model_axis == nullptr) return;
  whole_ = *checkpoint;
  options_.model_axis->Slice(&checkpoint->tensors);
}

void Trainer::RestoreFromFolder() {
  bool has_state = false;
  bool has_averages = false;
  // Where each rank reads its own part they are not kept.
  const auto wanted = [&](const std::string& name) {
    has_state = has_state || StartsWith(name, kOptimizerPrefix);
    has_averages = has_averages || StartsWith(name, kAveragePrefix);
    return !WritesShards();
  };
  std::optional<Checkpoint> checkpoint =
      LoadLatestCheckpoint(options_.output_dir, wanted);
  if (!checkpoint) {
    if (!options_.warm_start_from.empty()) {
      MakeWhole(/*values=*/true);
      WarmStart(options_.warm_start_from, options_.identity, &model_->params(),
                [this](Checkpoint* from) { TakeParts(from); });
      if (average_ != nullptr) average_->LoadState({});
    }
    input_ = make_input_(options_.seed);
    return;
  }
  CheckFits(*checkpoint);
  if (has_averages && options_.ema_decay <= 0) {
    Warn(checkpoint->path +
         " has moving averages, which end here: --ema_decay is not given");
  }
  const Json* const input_state = checkpoint->meta.Find("input");
  step_ = checkpoint->step;
  saved_step_ = step_;
  const bool weights_alone = !has_state && input_state == nullptr;
  if (weights_alone) {
    Warn(
        "the checkpoint holds weights alone: the optimizer and the input "
        "start anew");
  }
  if (WritesShards()) {
    Json shards = Json::Array();
    for (const std::string& name : checkpoint->shards) shards.Append(name);
    to_read_ = Json::Object();
    to_read_.Set("step", step_);
    to_read_.Set("shards", std::move(shards));
    to_read_.Set("weights_alone", weights_alone);
  } else {
    TakeWhole(&*checkpoint, weights_alone);
  }
  if (const Json* seed = checkpoint->meta.Find("seed")) {
    const uint64_t saved = static_cast<uint64_t>(seed->AsInt());
    if (saved != options_.seed) {
      Warn("the run goes on with the seed it began with, " +
           std::to_string(saved));
      options_.seed = saved;
    }
  }
  if (const Json* threads = checkpoint->meta.Find("threads")) {
    if (threads->AsInt() != at::get_num_threads()) {
      Warn("the run began with " + Count(threads->AsInt(), "thread") +
           " and goes on with " + std::to_string(at::get_num_threads()) +
           ": its numbers will differ in the last bits");
    }
  }
  if (const Json* extra = checkpoint->meta.Find("extra")) extra_ = *extra;
  if (const Json* steps = extra_.Find(kKeptSteps)) {
    for (const Json& step : steps->items()) {
      kept_steps_.push_back(step.AsInt());
    }
    kept_ago_ = extra_.At(kKeptAgo).AsDouble();
  }
  if (const Json* ranks = checkpoint->meta.Find("virtual_ranks")) {
    saved_virtual_ranks_ = ranks->AsInt();
  }
  input_ = make_input_(options_.seed);
  if (input_state != nullptr) input_->Restore(input_state->AsString());
}

void Trainer::CheckFits(const Checkpoint& checkpoint) const {
  const RunIdentity saved =
      WithFlagsText(IdentityIn(checkpoint.meta), options_.output_dir);
  CheckSameRun(saved, options_.identity, options_.output_dir);
  CheckVocabularies(saved, options_.identity, checkpoint.path);
  if (!WritesShards()) return;  // else LoadParameters() sees to it
  CheckNoneLeftOver(TensorNames(checkpoint.path), NamesOf(model_->params()),
                    checkpoint.path);
}

void Trainer::TakeWhole(Checkpoint* checkpoint, bool weights_alone) {
  TakeParts(checkpoint);
  MakeWhole(/*values=*/false);
  LoadParameters(*checkpoint, /*averaged=*/false, &model_->params());
  const auto state = Under(kOptimizerPrefix, checkpoint->tensors);
  if (!weights_alone && shared_ != nullptr) {
    whole_state_ = state;
  } else if (!weights_alone) {
    optimizer_->LoadState(state);
  }
  if (shared_ != nullptr && options_.ema_decay > 0) {
    whole_averages_ = Under(kAveragePrefix, checkpoint->tensors);
  }
  if (average_ != nullptr) {
    average_->LoadState(Under(kAveragePrefix, checkpoint->tensors));
  }
}

std::vector<std::pair<std::string, at::Tensor>> Trainer::AllState() const {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const ParamStore::Entry& entry : model_->params().entries()) {
    if (parameters_ != nullptr && entry.trainable) continue;
    tensors.emplace_back(entry.name, entry.tensor.detach());
  }
  if (optimizer_ != nullptr) {
    for (const auto& [name, tensor] : optimizer_->State()) {
      tensors.emplace_back(kOptimizerPrefix + name, tensor);
    }
  }
  if (average_ != nullptr) {
    for (const auto& [name, tensor] : average_->State()) {
      tensors.emplace_back(kAveragePrefix + name, tensor);
    }
  }
  return tensors;
}

void Trainer::RestoreFromFirst() {
  constexpr char kWhat[] = "sharing the checkpoint";
  Json state = Json::Object();
  if (IsFirst()) {
    state.Set("step", step_);
    state.Set("saved_step", saved_step_);
    state.Set("seed", static_cast<int64_t>(options_.seed));
    state.Set("virtual_ranks", saved_virtual_ranks_);
    state.Set("input", input_->State());
    state.Set("to_read", to_read_);
    state.Set("run", options_.identity.ToJson());
    state.Set("draw", step_ == 0 && saved_step_ < 0 &&
                          options_.warm_start_from.empty() &&
                          !options_.initial_values.empty());
  }
  state = Json::Parse(options_.group->BroadcastText(state.ToString(), kWhat));
  CheckVocabularies(RunIdentity::FromJson(state.At("run")), options_.identity,
                    "rank 0");
  const at::NoGradGuard no_grad;
  const Json to_read = state.At("to_read");
  std::vector<std::string> missing;
  if (!to_read.is_null()) missing = ReadOwn(to_read);
  if (options_.model_axis != nullptr) {
    // An average that is not there starts from its parameter.
    std::map<std::string, at::Tensor> whole = whole_.tensors;
    for (const auto& [name, tensor] : whole_.tensors) {
      whole.emplace(kAveragePrefix + name, tensor);
    }
    options_.model_axis->Share(whole, AllState());
  } else {
    for (const auto& [name, tensor] : AllState()) {
      options_.group->Broadcast(tensor, kWhat);
    }
  }
  if (to_read.is_null()) {
    if (shared_ != nullptr && options_.model_axis != nullptr) ShareParts();
    if (parameters_ != nullptr && state.At("draw").AsBool()) {
      parameters_->DrawOwn(InitialValues());
    } else if (parameters_ != nullptr) {
      parameters_->Share();
    }
    if (shared_ != nullptr) {
      shared_->ShareState(whole_state_ ? &*whole_state_ : nullptr);
      shared_->ShareAverages(whole_averages_.empty() ? nullptr
                                                     : &whole_averages_);
    }
    whole_state_.reset();
    whole_averages_.clear();
    whole_ = Checkpoint();
  } else if (shared_ != nullptr) {
    const PieceMap averages = SharedPieces();
    const PieceMap parameters = shared_->ParameterPieces();
    for (const std::string& name : missing) {
      averages.at(kAveragePrefix + name)
          .tensor.copy_(parameters.at(name).tensor);
    }
    if (parameters_ != nullptr) parameters_->DropWhole();
  }
  if (IsFirst()) return;
  step_ = state.At("step").AsInt();
  saved_step_ = state.At("saved_step").AsInt();
  options_.seed = static_cast<uint64_t>(state.At("seed").AsInt());
  saved_virtual_ranks_ = state.At("virtual_ranks").AsInt();
  input_ = make_input_(options_.seed);
  input_->Restore(state.At("input").AsString());
}

ShardedParameters::Draw Trainer::InitialValues() const {
  return [this, parameters = TrainableParameters(model_->params())](size_t i) {
    return options_.initial_values.at(parameters[i].name)();
  };
}

void Trainer::MakeWhole(bool values) {
  if (parameters_ == nullptr) return;
  parameters_->MakeWhole(values ? InitialValues() : nullptr);
}

void Trainer::ShareParts() {
  // (Of a checkpoint that a run is only warmed up with: the parameters alone.)
  std::map<std::string, at::Tensor> whole;
  for (const auto& [name, tensor] : whole_.tensors) {
    const bool wanted =
        StartsWith(name, kOptimizerPrefix) ? whole_state_.has_value()
        : StartsWith(name, kAveragePrefix) ? !whole_averages_.empty()
                                           : parameters_ != nullptr;
    if (wanted) whole[name] = tensor;
  }
  const auto parts = options_.model_axis->PartsOfFirst(whole);
  const auto state = Under(kOptimizerPrefix, parts);
  if (!state.empty()) whole_state_ = state;
  whole_averages_ = Under(kAveragePrefix, parts);
  if (parameters_ == nullptr || DataGroup()->rank() > 0) return;
  MakeWhole(/*values=*/true);
  for (const NamedTensor& parameter : TrainableParameters(model_->params())) {
    const auto found = parts.find(parameter.name);
    if (found != parts.end()) parameter.tensor.detach().copy_(found->second);
  }
}

std::vector<std::string> Trainer::ReadOwn(const Json& checkpoint) const {
  PieceMap pieces = SharedPieces();
  for (const auto& [name, tensor] : AllState()) {
    // What several ranks hold one of them reads, and gives to the others.
    if (IsSplit(name) ? options_.model_axis->data()->rank() == 0 : IsFirst()) {
      pieces[name] = PieceOf(name, tensor);
    }
  }
  if (checkpoint.At("weights_alone").AsBool()) {
    std::erase_if(pieces, [](const auto& piece) {
      return StartsWith(piece.first, kOptimizerPrefix);
    });
  }
  std::vector<std::string> shards;
  for (const Json& name : checkpoint.At("shards").items()) {
    shards.push_back(name.AsString());
  }
  std::vector<std::string> averages;
  for (const std::string& name : ReadPieces(
           CheckpointPath(options_.output_dir, checkpoint.At("step").AsInt()),
           shards, pieces)) {
    if (!StartsWith(name, kAveragePrefix)) {
      throw MismatchError(
          "the checkpoint has no '" + name + "'",
          "one of this model, with this optimizer",
          "use the model and hparams it was trained with, or another "
          "--output_dir");
    }
    const std::string parameter = name.substr(sizeof(kAveragePrefix) - 1);
    if (shared_ == nullptr) {
      pieces.at(name).tensor.copy_(pieces.at(parameter).tensor);
    } else {
      averages.push_back(parameter);
    }
  }
  return averages;
}

CheckpointPiece Trainer::PieceOf(const std::string& name,
                                 const at::Tensor& tensor) const {
  TensorPlace place = TensorPlace::All(tensor.sizes().vec());
  if (options_.model_axis != nullptr) {
    place = options_.model_axis->InWhole(name, std::move(place));
  }
  return {tensor.view(-1), std::move(place)};
}

Trainer::PieceMap Trainer::SharedPieces() const {
  PieceMap pieces;
  if (shared_ == nullptr) return pieces;
  for (auto& [name, piece] : shared_->StatePieces()) {
    pieces[kOptimizerPrefix + name] = piece;
  }
  for (auto& [name, piece] : shared_->AveragePieces()) {
    pieces[kAveragePrefix + name] = piece;
  }
  if (parameters_ != nullptr) pieces.merge(shared_->ParameterPieces());
  if (options_.model_axis == nullptr) return pieces;
  for (auto& [name, piece] : pieces) {
    piece.place = options_.model_axis->InWhole(name, std::move(piece.place));
  }
  return pieces;
}

void Trainer::MakeShardedStep() {
  ModelAxis* const axis = options_.model_axis;
  const int64_t ranks = axis != nullptr             ? axis->data()->size()
                        : options_.group == nullptr ? 1
                                                    : options_.group->size();
  int64_t batches = options_.virtual_ranks;
  if (batches == 0) batches = saved_virtual_ranks_;
  if (batches == 0) batches = ranks;
  if (options_.virtual_ranks == 0 && batches < ranks &&
      !options_.deterministic) {
    if (IsFirst()) {
      Warn("the run took " + Count(batches, "batch") +
           " a step; with as many ranks it takes " + std::to_string(ranks));
    }
    batches = ranks;
  }
  if (options_.group == nullptr && batches == 1 && !options_.deterministic) {
    return;
  }
  ShardedStep::Options sharded;
  if (axis != nullptr) {
    sharded.data_group = axis->data();
    sharded.counts = axis->counts();
  }
  sharded.virtual_ranks = batches;
  sharded.sum.deterministic = options_.deterministic;
  sharded.sum.bucket_bytes = options_.bucket_bytes;
  sharded.sum.bf16 = options_.bf16_gradients;
  sharded.sum.owners = owners_;
  sharded.sum.release = options_.zero_stage > 1;
  sharded.sum.in_step = parameters_ != nullptr;
  sharded.parameters = parameters_.get();
  sharded_ = std::make_unique<ShardedStep>(model_, options_.group, sharded);
}

void Trainer::ThrowDiverged(const std::string& what) {
  WaitForCheckpoint();
  std::string kept = "no checkpoint was written yet";
  if (saved_step_ >= 0) {
    kept = "the last good checkpoint is " +
           CheckpointPath(options_.output_dir, saved_step_);
  }
  throw Error(ExitCode::kDiverged,
              what + " at step " + std::to_string(step_) + "; " + kept,
              "finite numbers",
              "lower the learning rate, warm up for longer or clip the "
              "gradients (--hparams=clip_grad_norm=1.0)");
}

Trainer::StepResult Trainer::TrainShardedStep(bool save_due) {
  model_->set_step(step_);
  // The same on every rank, but for what a batch draws.
  const uint64_t seed =
      Rng::Combine(options_.seed, static_cast<uint64_t>(step_));
  at::manual_seed(seed);
  StepResult result{
      0, LearningRate(model_->hparams(), step_, options_.train_steps)};
  if (shared_ != nullptr) {
    shared_->AddWeightNoise(result.learning_rate);
  } else {
    optimizer_->AddWeightNoise(result.learning_rate);
  }
  const ShardedStep::Result sums =
      sharded_->Run(input_.get(), seed, {StopSignal(), save_due});
  result.loss = sums.loss;
  result.tokens = std::llround(sums.weight);
  result.signals = sums.signals;
  const size_t rank = options_.group == nullptr
                          ? 0
                          : static_cast<size_t>(options_.group->rank());
  result.measured = {
      sums.weight,     sums.exposed_seconds,   sums.communication_seconds,
      sums.times,      sums.rank_tokens[rank],
      /*own_flops=*/0, sums.rank_seconds,      sums.rank_batches,
      sums.rank_tokens};
  if (!std::isfinite(result.loss)) {
    ThrowDiverged("the loss is " + DoubleToString(result.loss));
  }
  at::manual_seed(Rng::Combine(seed, "update"));
  {
    const Phase phase("optimizer", &result.measured.times.optimizer);
    result.gradient_norm =
        shared_ != nullptr
            ? shared_->Step(sums.gradients, sums.used, result.learning_rate,
                            step_)
            : optimizer_->Step(sums.gradients, result.learning_rate, step_,
                               total_squares_);
  }
  if (!std::isfinite(result.gradient_norm)) {
    ThrowDiverged("the gradients' norm is " +
                  DoubleToString(result.gradient_norm));
  }
  if (average_ != nullptr) average_->Update(step_);
  return result;
}

void Trainer::CompareRanks() {
  const auto state = AllState();
  std::vector<at::Tensor> all;
  for (const auto& [name, tensor] : state) all.push_back(tensor);
  if (options_.model_axis == nullptr) {
    CompareRanks(options_.group, all);
    return;
  }
  CompareRanks(options_.model_axis->data(), all);
  CompareRanks(options_.model_axis->parallel()->group(),
               options_.model_axis->Common(state));
}

void Trainer::CompareRanks(ProcessGroup* group,
                           const std::vector<at::Tensor>& tensors) const {
  uint32_t crc = 0;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor whole = tensor.cpu().contiguous();
    crc = Crc32c(
        {static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()},
        crc);
  }
  const at::Tensor all =
      group->AllGather(at::full(1, static_cast<int64_t>(crc),
                                at::TensorOptions().dtype(at::kLong)),
                       "comparing the ranks' weights");
  if (at::equal(all, all[0].expand_as(all))) return;
  const std::string what =
      "the ranks' weights differ after step " + std::to_string(step_);
  if (options_.deterministic) {
    throw Error(ExitCode::kInternal, what, "the same bits on every rank",
                "run every rank on the same type of processor with the same "
                "number of threads");
  }
  if (IsFirst()) Warn(what + ": all go on with those of rank 0");
  const at::NoGradGuard no_grad;
  for (const at::Tensor& tensor : tensors) {
    group->Broadcast(tensor, "sharing the weights");
  }
}

bool Trainer::GoOn(bool go_on, int* stop) {
  if (options_.group == nullptr) return go_on;
  const at::Tensor answer = at::zeros(2, at::TensorOptions().dtype(at::kLong));
  answer[0] = go_on ? 1 : 0;
  answer[1] = *stop;
  options_.group->Wait(options_.group->StartBroadcast(answer),
                       "rank 0's evaluation", ProcessGroup::Limit::kNone);
  *stop = static_cast<int>(answer[1].item<int64_t>());
  return answer[0].item<int64_t>() != 0;
}

Trainer::StepResult Trainer::TrainStep(bool save_due) {
  if (sharded_ != nullptr) return TrainShardedStep(save_due);
  const HParams& hparams = model_->hparams();
  model_->set_step(step_);
  at::manual_seed(Rng::Combine(options_.seed, static_cast<uint64_t>(step_)));
  StepResult result{0, LearningRate(hparams, step_, options_.train_steps)};
  optimizer_->AddWeightNoise(result.learning_rate);
  StepTimes& times = result.measured.times;
  std::optional<Batch> batch;
  {
    const Phase phase("input", &times.input);
    batch = input_->Next();
  }
  if (!batch) {
    throw DataError("the training data has ended", "data without an end");
  }
  LossParts parts;
  at::Tensor total;
  {
    const Phase phase("forward", &times.forward);
    parts = model_->Loss(ToFeatures(*batch), Mode::kTrain);
    total = parts.Total();
  }
  std::vector<at::Tensor> gradients;
  {
    const Phase phase("backward", &times.backward);
    gradients = torch::autograd::grad({total}, trainable_, {}, std::nullopt,
                                      /*create_graph=*/false,
                                      /*allow_unused=*/true);
    // Not before: a device has the whole step to do while it is waited for.
    result.loss = total.item<double>();
    result.tokens = parts.denominator.to(at::kLong).item<int64_t>();
  }
  if (!std::isfinite(result.loss)) {
    ThrowDiverged("the loss is " + DoubleToString(result.loss));
  }
  result.measured.tokens = static_cast<double>(result.tokens);
  result.measured.own_tokens = result.measured.tokens;
  {
    const Phase phase("optimizer", &times.optimizer);
    result.gradient_norm =
        optimizer_->Step(gradients, result.learning_rate, step_);
  }
  if (!std::isfinite(result.gradient_norm)) {
    ThrowDiverged("the gradients' norm is " +
                  DoubleToString(result.gradient_norm));
  }
  if (average_ != nullptr) average_->Update(step_);
  return result;
}

void Trainer::KeepForGood() {
  if (options_.keep_every_seconds <= 0) return;
  const double now = NowSeconds();
  kept_ago_ += now - kept_clock_;
  kept_clock_ = now;
  if (kept_ago_ >= options_.keep_every_seconds) {
    kept_steps_.push_back(step_);
    kept_ago_ = 0;
  }
  Json steps = Json::Array();
  for (const int64_t step : kept_steps_) steps.Append(step);
  extra_.Set(kKeptSteps, std::move(steps));
  extra_.Set(kKeptAgo, kept_ago_);
}

void Trainer::GatherShared() {
  if (shared_ == nullptr || WritesShards()) return;
  if (parameters_ != nullptr) parameters_->GatherToFirst();
  whole_state_ = shared_->GatherState();
  whole_averages_ = shared_->GatherAverages();
}

void Trainer::PrepareShards() {
  constexpr char kWhat[] = "looking for output_dir";
  ProcessGroup* const group = options_.group;
  std::string token;
  if (IsFirst()) {
    token = Format("%08x", static_cast<unsigned>(std::random_device{}()));
  }
  shard_token_ = group->BroadcastText(token, kWhat);
  const std::string mark =
      JoinPath(options_.output_dir, ".ranks-" + shard_token_);
  if (IsFirst()) WriteFileAtomically(mark, "");
  group->Barrier(kWhat);
  // A network's file system may take a moment.
  bool seen = Exists(mark);
  const double end = NowSeconds() + 10;
  while (!seen && NowSeconds() < end) {
    ::usleep(50'000);
    seen = Exists(mark);
  }
  const at::Tensor blind =
      at::full(1, seen ? 0 : 1, at::TensorOptions().dtype(at::kFloat));
  group->AllReduce(blind, kWhat);
  if (IsFirst()) RemoveFile(mark);
  if (blind.item<double>() == 0) return;
  throw UsageError(
      "--sharded_checkpoints, but rank 0's " + options_.output_dir +
          " is not seen by " +
          Count(std::llround(blind.item<double>()), "rank"),
      "one folder for all ranks",
      "give them all the same --output_dir, or leave the flag out");
}

std::pair<int64_t, int64_t> Trainer::ShardOfShards() const {
  if (shared_ != nullptr) {
    return {options_.group->rank(), options_.group->size()};
  }
  // All ranks of data() hold the same.
  const ModelParallel& parallel = *options_.model_axis->parallel();
  return {options_.model_axis->data()->rank() == 0 ? parallel.rank() : -1,
          parallel.size()};
}

CheckpointWriter::Shard Trainer::OwnShard() const {
  CheckpointWriter::Shard shard;
  const auto [own, shards] = ShardOfShards();
  shard.name = ShardName(step_, shard_token_, own, shards);
  shard.pieces = SharedPieces();
  const ModelAxis* const axis = options_.model_axis;
  if (axis == nullptr) return shard;
  // What several ranks hold one of them writes.
  std::erase_if(shard.pieces, [&](const auto& piece) {
    return !IsSplit(piece.first) && !axis->counts();
  });
  for (const auto& [name, tensor] : AllState()) {
    if (IsSplit(name) && axis->data()->rank() == 0) {
      shard.pieces[name] = PieceOf(name, tensor);
    }
  }
  return shard;
}

void Trainer::Save() {
  Checkpoint checkpoint;
  checkpoint.step = step_;
  for (const auto& [name, tensor] : AllState()) {
    if (WritesShards() && IsSplit(name)) continue;
    checkpoint.tensors[name] = tensor;
  }
  if (parameters_ != nullptr && !WritesShards() && DataGroup()->rank() == 0) {
    for (const NamedTensor& parameter : TrainableParameters(model_->params())) {
      checkpoint.tensors[parameter.name] = parameter.tensor.detach();
    }
  }
  if (shared_ != nullptr && whole_state_) {
    for (const auto& [name, tensor] : *whole_state_) {
      checkpoint.tensors[kOptimizerPrefix + name] = tensor;
    }
    for (const auto& [name, tensor] : whole_averages_) {
      checkpoint.tensors[kAveragePrefix + name] = tensor;
    }
  }
  whole_state_.reset();
  whole_averages_.clear();
  if (options_.model_axis != nullptr && !WritesShards()) {
    options_.model_axis->GatherForFirst(&checkpoint.tensors);
  }
  if (!IsFirst()) {
    if (WritesShards() && ShardOfShards().first >= 0) {
      writer_->SaveShard(OwnShard());
    }
    return;
  }
  KeepForGood();
  checkpoint.meta.Set("seed", static_cast<int64_t>(options_.seed));
  checkpoint.meta.Set("threads", static_cast<int64_t>(at::get_num_threads()));
  checkpoint.meta.Set("input", input_->State());
  PutIdentity(options_.identity, &checkpoint.meta);
  checkpoint.meta.Set("extra", extra_);
  if (sharded_ != nullptr) {
    checkpoint.meta.Set("virtual_ranks", sharded_->virtual_ranks());
  }
  if (WritesShards()) {
    const int64_t shards = ShardOfShards().second;
    for (int64_t i = 0; i < shards; ++i) {
      checkpoint.shards.push_back(ShardName(step_, shard_token_, i, shards));
    }
    const CheckpointWriter::Shard own = OwnShard();
    writer_->Save(checkpoint, kept_steps_, &own,
                  [this] { options_.group->CheckAlive(); });
  } else {
    writer_->Save(checkpoint, kept_steps_);
  }
  saved_step_ = step_;
}

void Trainer::WaitForCheckpoint() {
  if (writer_ != nullptr) writer_->Wait();
}

void Trainer::Train(const std::function<bool(int64_t step)>& after_save) {
  const bool first = IsFirst();
  const bool over = step_ >= options_.train_steps;
  // Where there is nothing to do nothing is written, but what lacks.
  if (first && step_ > 0 && saved_step_ == step_ &&
      !(over && IsIndexed(options_.output_dir, step_))) {
    // What a process that was killed had no time for.
    RemoveLeftovers(options_.output_dir);
    IndexCheckpoints(options_.output_dir, step_, options_.keep_checkpoint_max,
                     kept_steps_);
  }
  if (over) {
    Log(options_.train_steps == 1
            ? "the one step is done already"
            : "all of the " + GroupedText(options_.train_steps) +
                  " steps are done already");
    return;
  }
  std::unique_ptr<EventWriter> events;
  writer_.reset();
  if (first) {
    MakeDirectories(options_.output_dir);
    writer_ = std::make_unique<CheckpointWriter>(options_.output_dir,
                                                 options_.keep_checkpoint_max);
    events = std::make_unique<EventWriter>(options_.output_dir, step_ + 1);
  } else if (WritesShards()) {
    writer_ = std::make_unique<CheckpointWriter>(options_.output_dir);
  }
  if (WritesShards()) PrepareShards();
  NoteSavedStep(saved_step_);
  Progress progress(step_, options_.train_steps);
  StepMonitor monitor(options_.monitor);
  StepProfiler profiler(options_.profile, options_.profile_steps, step_);
  kept_clock_ = NowSeconds();
  double last_save = NowSeconds();
  double last_measured = NowSeconds();
  double interval_start = NowSeconds();
  double interval_loss = 0;
  int64_t interval_steps = 0;
  int64_t interval_tokens = 0;
  while (step_ < options_.train_steps) {
    const auto save_due = [&] {
      return options_.save_seconds > 0 &&
             NowSeconds() - last_save >=
                 static_cast<double>(options_.save_seconds);
    };
    profiler.BeforeStep(step_);
    StepResult result;
    {
      std::optional<FlopCounter> counter;
      if (monitor.WantsFlops()) counter.emplace();
      result = TrainStep(save_due());
      if (counter) result.measured.own_flops = counter->flops();
    }
    ++step_;
    profiler.AfterStep(step_);
    for (const std::string& text : monitor.Add(result.measured)) {
      if (!first) break;
      progress.EndLine();
      Warn(text);
    }
    interval_loss += result.loss;
    interval_tokens += result.tokens;
    ++interval_steps;
    const bool last = step_ == options_.train_steps;
    const bool log = last || step_ % options_.log_steps == 0;
    const double seconds = std::max(NowSeconds() - interval_start, 1e-9);
    const double steps = static_cast<double>(interval_steps);
    const double tokens_per_second =
        static_cast<double>(interval_tokens) / seconds;
    if (first) {
      progress.Report(step_, interval_loss / steps, result.learning_rate,
                      tokens_per_second, log, monitor.LineText(seconds));
    }
    if (log) {
      if (first) {
        std::map<std::string, double> values = {
            {"loss", interval_loss / steps},
            {"learning_rate", result.learning_rate},
            {"global_norm/gradient_norm", result.gradient_norm},
            {"global_step/sec", steps / seconds},
            {"tokens_per_second", tokens_per_second}};
        values.merge(monitor.Values(seconds));
        events->Write(step_, values);
      }
      if (options_.measure_peak != nullptr &&
          NowSeconds() - last_measured > kMeasureSeconds) {
        monitor.set_peak_flops(options_.measure_peak());
        last_measured = NowSeconds();
      }
      interval_start = NowSeconds();
      interval_loss = 0;
      monitor.Reset();
      interval_steps = 0;
      interval_tokens = 0;
    }
    // With several ranks all stop and save after the same step.
    int stop = sharded_ == nullptr ? StopSignal() : result.signals.stop;
    const bool due = options_.save_seconds <= 0
                         ? step_ % options_.save_steps == 0
                     : sharded_ == nullptr ? save_due()
                                           : result.signals.save;
    if (writer_ != nullptr) writer_->ThrowIfFailed();
    if (!due && !last && stop == 0) continue;
    const double before = NowSeconds();
    if (options_.group != nullptr) CompareRanks();
    GatherShared();
    if (first || options_.model_axis != nullptr || WritesShards()) Save();
    saved_step_ = step_;
    bool go_on = true;
    if (stop == 0 && after_save != nullptr) {
      if (first) progress.EndLine();
      try {
        go_on = after_save(step_);
      } catch (const Error& error) {
        // All ranks stopped in it together.
        if (error.code() != ExitCode::kPreempted &&
            error.code() != ExitCode::kInterrupted) {
          throw;
        }
        stop = StopSignal();
      }
    }
    if (first && stop == 0) stop = StopSignal();
    // The other ranks end when rank 0 has the last one on the disk.
    if (last || stop != 0) WaitForCheckpoint();
    go_on = GoOn(go_on, &stop);
    if (stop != 0) {
      progress.EndLine();
      RequestStop(stop);
      ThrowIfStopped(" after step " + std::to_string(step_) +
                     "; the checkpoint is written and was read back");
    }
    if (!go_on) break;
    last_save = NowSeconds();
    // What saving and evaluating took is no training time.
    interval_start += last_save - before;
  }
  WaitForCheckpoint();
}

void Trainer::WithAverages(const std::function<void()>& body) {
  const auto swap = [this] {
    if (average_ != nullptr) average_->Swap();
    if (shared_ != nullptr) shared_->SwapAverages();
  };
  swap();
  // Where it throws, the run ends: other ranks may not be there to swap back.
  body();
  swap();
}

EvaluationRanks Trainer::Together() const {
  EvaluationRanks ranks;
  ranks.group = options_.group;
  ranks.parameters = parameters_.get();
  if (const ProcessGroup* const data = DataGroup()) {
    ranks.place = data->rank();
    ranks.places = data->size();
  }
  if (options_.model_axis != nullptr) {
    ranks.counts = options_.model_axis->counts();
  }
  return ranks;
}

std::map<std::string, double> Trainer::Evaluate(
    InputPipeline* input, const std::vector<std::string>& metric_names,
    int64_t max_batches) {
  std::map<std::string, double> results;
  WithAverages([&] {
    results =
        EvaluateModel(model_, input, metric_names, max_batches, Together());
  });
  return results;
}

}  // namespace t2t
