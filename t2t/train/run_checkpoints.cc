#include "t2t/train/run_checkpoints.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <cmath>
#include <set>

#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/load.h"

namespace t2t {
namespace {

constexpr char kKeptSteps[] = "kept_steps";
constexpr char kKeptAgo[] = "kept_ago";

Json TextArray(const std::vector<std::string>& texts) {
  Json json = Json::Array();
  for (const std::string& text : texts) json.Append(text);
  return json;
}

std::vector<std::string> TextsOf(const Json& json) {
  std::vector<std::string> texts;
  for (const Json& text : json.items()) texts.push_back(text.AsString());
  return texts;
}

}  // namespace

RunCheckpoints::RunCheckpoints(const TrainerOptions& options,
                               const Model* model, TrainState* state)
    : options_(options), model_(model), state_(state) {}

RunPosition RunCheckpoints::Restore(uint64_t seed) {
  const at::NoGradGuard no_grad;
  Found found;
  if (first()) found = Find(seed);
  if (options_.group != nullptr) Share(&found);
  RestoreState(found);
  if (first() && found.restored.kind == Restored::Kind::kWarmStart) {
    LogWarmStart(options_.warm_start_from, found.restored.checkpoint,
                 model_->params());
  }
  return found.position;
}

RunCheckpoints::Found RunCheckpoints::Find(uint64_t seed) {
  Found found;
  found.position.seed = seed;
  bool has_state = false;
  bool has_averages = false;
  // Where each rank reads its own shard no tensor is kept here.
  std::optional<Checkpoint> checkpoint =
      LoadLatestCheckpoint(options_.output_dir, [&](const std::string& name) {
        has_state = has_state || StartsWith(name, kOptimizerPrefix);
        has_averages = has_averages || StartsWith(name, kAveragePrefix);
        return !WritesShards();
      });
  if (!checkpoint) {
    if (options_.warm_start_from.empty()) return found;
    found.restored.kind = Restored::Kind::kWarmStart;
    found.restored.checkpoint =
        ReadWarmStart(options_.warm_start_from, options_.identity);
    CheckWarmStart(options_.warm_start_from, found.restored.checkpoint,
                   model_->params());
    return found;
  }
  CheckFits(*checkpoint);
  WarnOfAverages(*checkpoint, has_averages);
  const bool weights_alone =
      !has_state && checkpoint->meta.Find("input") == nullptr;
  if (weights_alone) {
    Warn(
        "the checkpoint holds weights alone: the optimizer and the input "
        "start anew");
  }
  saved_step_ = checkpoint->step;
  TakeMeta(*checkpoint, &found.position);
  if (WritesShards()) found.shards = checkpoint->shards;
  found.restored.kind =
      weights_alone ? Restored::Kind::kWeights : Restored::Kind::kAll;
  found.restored.checkpoint = std::move(*checkpoint);
  return found;
}

void RunCheckpoints::CheckFits(const Checkpoint& checkpoint) const {
  const RunIdentity saved =
      WithFlagsText(IdentityIn(checkpoint.meta), options_.output_dir);
  CheckSameRun(saved, options_.identity, options_.output_dir);
  CheckVocabularies(saved, options_.identity, checkpoint.path);
  if (!WritesShards()) return;  // else LoadParameters() sees to it
  std::set<std::string> names;
  for (const ParamStore::Entry& entry : model_->params().entries()) {
    names.insert(entry.name);
  }
  CheckNoneLeftOver(TensorNames(checkpoint.path), names, checkpoint.path);
}

void RunCheckpoints::WarnOfAverages(const Checkpoint& checkpoint,
                                    bool has_averages) const {
  if (!has_averages || options_.ema_decay > 0) return;
  Warn(checkpoint.path +
       " has moving averages, which end here: --ema_decay is not given");
}

void RunCheckpoints::TakeMeta(const Checkpoint& checkpoint,
                              RunPosition* position) {
  const Json& meta = checkpoint.meta;
  position->step = checkpoint.step;
  if (const Json* seed = meta.Find("seed")) {
    const uint64_t saved = static_cast<uint64_t>(seed->AsInt());
    if (saved != position->seed) {
      Warn("the run goes on with the seed it began with, " +
           std::to_string(saved));
      position->seed = saved;
    }
  }
  if (const Json* threads = meta.Find("threads")) {
    if (threads->AsInt() != at::get_num_threads()) {
      Warn("the run began with " + Count(threads->AsInt(), "thread") +
           " and goes on with " + std::to_string(at::get_num_threads()) +
           ": its numbers will differ in the last bits");
    }
  }
  if (const Json* extra = meta.Find("extra")) extra_ = *extra;
  if (const Json* steps = extra_.Find(kKeptSteps)) {
    for (const Json& step : steps->items()) {
      kept_steps_.push_back(step.AsInt());
    }
    kept_ago_ = extra_.At(kKeptAgo).AsDouble();
  }
  if (const Json* ranks = meta.Find("virtual_ranks")) {
    position->micro_batches = ranks->AsInt();
  }
  if (const Json* input = meta.Find("input")) {
    position->input = input->AsString();
  }
}

void RunCheckpoints::Share(Found* found) {
  Json header = Json::Object();
  if (first()) {
    const RunPosition& position = found->position;
    header.Set("step", position.step);
    header.Set("saved_step", saved_step_);
    header.Set("seed", static_cast<int64_t>(position.seed));
    header.Set("virtual_ranks", position.micro_batches);
    header.Set("kind", static_cast<int64_t>(found->restored.kind));
    header.Set("path", found->restored.checkpoint.path);
    if (found->shards) header.Set("shards", TextArray(*found->shards));
    header.Set("run", options_.identity.ToJson());
  }
  header = Json::Parse(options_.group->BroadcastText(header.ToString(),
                                                     "sharing the checkpoint"));
  CheckVocabularies(RunIdentity::FromJson(header.At("run")), options_.identity,
                    "rank 0");
  if (first()) return;
  found->position.step = header.At("step").AsInt();
  found->position.seed = static_cast<uint64_t>(header.At("seed").AsInt());
  found->position.micro_batches = header.At("virtual_ranks").AsInt();
  saved_step_ = header.At("saved_step").AsInt();
  found->restored.kind = static_cast<Restored::Kind>(header.At("kind").AsInt());
  found->restored.checkpoint.path = header.At("path").AsString();
  if (const Json* shards = header.Find("shards")) {
    found->shards = TextsOf(*shards);
  }
}

void RunCheckpoints::RestoreState(const Found& found) {
  if (!found.shards) {
    state_->Restore(found.restored);
    return;
  }
  const std::string path =
      CheckpointPath(options_.output_dir, found.position.step);
  state_->RestoreShards([&](TrainState::TensorShards shards) {
    if (found.restored.kind == Restored::Kind::kWeights) {
      std::erase_if(shards, [](const auto& shard) {
        return StartsWith(shard.first, kOptimizerPrefix);
      });
    }
    return ReadShards(path, *found.shards, shards);
  });
}

void RunCheckpoints::Mend(int64_t step, bool over) const {
  if (!first() || step == 0 || saved_step_ != step) return;
  if (over && IsIndexed(options_.output_dir, step)) return;
  RemoveLeftovers(options_.output_dir);
  IndexCheckpoints(options_.output_dir, step, options_.keep_checkpoint_max,
                   kept_steps_);
}

void RunCheckpoints::Start() {
  writer_.reset();
  if (first()) {
    MakeDirectories(options_.output_dir);
    writer_ = std::make_unique<CheckpointWriter>(options_.output_dir,
                                                 options_.keep_checkpoint_max);
  } else if (WritesShards()) {
    writer_ = std::make_unique<CheckpointWriter>(options_.output_dir);
  }
  if (WritesShards()) AgreeOnShards();
  kept_clock_ = NowSeconds();
}

void RunCheckpoints::AgreeOnShards() {
  constexpr char kWhat[] = "looking for output_dir";
  ProcessGroup* const group = options_.group;
  shard_token_ = group->BroadcastText(first() ? RandomToken() : "", kWhat);
  const std::string mark =
      JoinPath(options_.output_dir, ".ranks-" + shard_token_);
  if (first()) WriteFileAtomically(mark, "");
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
  if (first()) RemoveFile(mark);
  if (blind.item<double>() == 0) return;
  throw UsageError(
      "--sharded_checkpoints, but rank 0's " + options_.output_dir +
          " is not seen by " +
          Count(std::llround(blind.item<double>()), "rank"),
      "one folder for all ranks",
      "give them all the same --output_dir, or leave the flag out");
}

void RunCheckpoints::KeepForGood(int64_t step) {
  if (options_.keep_every_seconds <= 0) return;
  const double now = NowSeconds();
  kept_ago_ += now - kept_clock_;
  kept_clock_ = now;
  if (kept_ago_ >= options_.keep_every_seconds) {
    kept_steps_.push_back(step);
    kept_ago_ = 0;
  }
  Json steps = Json::Array();
  for (const int64_t kept : kept_steps_) steps.Append(kept);
  extra_.Set(kKeptSteps, std::move(steps));
  extra_.Set(kKeptAgo, kept_ago_);
}

Json RunCheckpoints::Meta(const RunPosition& position) const {
  Json meta = Json::Object();
  meta.Set("seed", static_cast<int64_t>(position.seed));
  meta.Set("threads", static_cast<int64_t>(at::get_num_threads()));
  meta.Set("input", *position.input);
  PutIdentity(options_.identity, &meta);
  meta.Set("extra", extra_);
  if (position.micro_batches > 0) {
    meta.Set("virtual_ranks", position.micro_batches);
  }
  return meta;
}

void RunCheckpoints::Save(const RunPosition& position) {
  const int64_t step = position.step;
  const bool sharded = WritesShards();
  Checkpoint checkpoint;
  checkpoint.step = step;
  CheckpointWriter::Shard own;
  const TrainState::Writer writer = state_->writer();
  if (!sharded) {
    checkpoint.tensors = state_->Gather();
  } else if (writer.index >= 0) {
    own.name = ShardName(step, shard_token_, writer.index, writer.count);
    own.tensors = state_->OwnShards();
  }
  if (!first()) {
    if (!own.name.empty()) writer_->SaveShard(own);
    saved_step_ = step;
    return;
  }
  KeepForGood(step);
  checkpoint.meta = Meta(position);
  if (sharded) {
    for (const auto& [name, tensor] : state_->Replicated()) {
      checkpoint.tensors[name] = tensor;
    }
    for (int64_t i = 0; i < writer.count; ++i) {
      checkpoint.shards.push_back(
          ShardName(step, shard_token_, i, writer.count));
    }
    writer_->Save(checkpoint, kept_steps_, &own,
                  [this] { options_.group->CheckAlive(); });
  } else {
    writer_->Save(checkpoint, kept_steps_);
  }
  saved_step_ = step;
}

void RunCheckpoints::Wait() {
  if (writer_ != nullptr) writer_->Wait();
}

void RunCheckpoints::ThrowIfFailed() {
  if (writer_ != nullptr) writer_->ThrowIfFailed();
}

}  // namespace t2t
