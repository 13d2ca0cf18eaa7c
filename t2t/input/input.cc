#include "t2t/input/input.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/parallel.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/input/batching.h"
#include "t2t/input/input_channel.h"
#include "t2t/input/input_item.h"
#include "t2t/input/record_items.h"
#include "t2t/input/window_planner.h"

namespace t2t {
namespace {

// A thread is worth starting for this many examples of this many bytes.
constexpr size_t kThreadItems = 32;
constexpr size_t kThreadBytes = 32 << 10;

struct Position {
  std::shared_ptr<const WindowStart> start;
  size_t batch = 0;  // of the window, the next to come
};

struct Delivery {
  std::optional<Batch> batch;  // where it is wanted
  Position after;
};

// Which batches are wanted: of every `count` those at these places.
struct Pattern {
  int64_t count = 1;
  std::vector<int64_t> wanted = {0};

  bool operator==(const Pattern&) const = default;
};

Json ToJson(const std::vector<Location>& locations) {
  Json json = Json::Array();
  for (const Location& location : locations) {
    json.Append(static_cast<int64_t>(location.shard));
    json.Append(location.offset);
  }
  return json;
}

std::vector<Location> ToLocations(const Json& json, size_t files) {
  const std::vector<Json>& items = json.items();
  std::vector<Location> locations;
  if (items.size() % 2 != 0) throw DataError("an odd number of values");
  for (size_t i = 0; i < items.size(); i += 2) {
    const int64_t shard = items[i].AsInt();
    const int64_t offset = items[i + 1].AsInt();
    if (shard < 0 || shard >= static_cast<int64_t>(files) || offset < 0) {
      throw DataError("no such record: file " + std::to_string(shard) +
                      ", byte " + std::to_string(offset));
    }
    locations.push_back({static_cast<uint32_t>(shard), offset});
  }
  return locations;
}

Json ToJson(const MemberPosition& member) {
  Json json = Json::Object();
  json.Set("epoch", member.epoch);
  json.Set("next_file", member.next_file);
  json.Set("turn", member.turn);
  json.Set("open", ToJson(member.open));
  return json;
}

int64_t Natural(const Json& json, const char* name) {
  const int64_t value = json.At(name).AsInt();
  if (value < 0) {
    throw DataError(std::string(name) + " is " + std::to_string(value),
                    "not negative");
  }
  return value;
}

void CheckOptions(const InputOptions& options) {
  const auto check = [](bool good, const std::string& what,
                        const std::string& expected) {
    if (!good) throw UsageError("input: " + what, expected);
  };
  check(options.batch_size >= 1,
        "batch_size=" + std::to_string(options.batch_size), "at least 1");
  check(options.max_length >= options.min_length,
        "max_length=" + std::to_string(options.max_length) +
            " is below min_length=" + std::to_string(options.min_length),
        "max_length >= min_length");
  size_t files = options.members.empty() ? options.files.size() : 0;
  for (const InputMember& member : options.members) {
    check(member.files > 0, "the member " + member.name + " has no files",
          "at least one");
    files += member.files;
  }
  check(files == options.files.size(),
        "the members have " + std::to_string(files) + " files",
        "all " + std::to_string(options.files.size()));
  check(options.members.empty() || (options.training && options.rates),
        "members are mixed without rates, or not to train", "training");
  for (const auto& [name, shape] : options.fixed_shapes) {
    for (size_t i = 0; i < shape.size(); ++i) {
      check(shape[i] > 0 || (i == 0 && shape[i] == -1),
            "dimension " + std::to_string(i) + " of feature '" + name +
                "' is " + std::to_string(shape[i]),
            "above 0 (the first may be -1)");
    }
  }
}

class Pipeline final : public InputPipeline {
 public:
  explicit Pipeline(const InputOptions& options) : options_(options) {
    if (options_.files.empty()) {
      throw MissingError("no data files", "at least one",
                         "run t2t-datagen, and check --data_dir");
    }
    if (options_.max_length <= 0) {
      if (options_.pack && CountsExamples(options_)) {
        throw UsageError("input: packing needs a max_length",
                         "the length of a row");
      }
      options_.max_length = CountsExamples(options_)
                                ? std::numeric_limits<int32_t>::max()
                                : options_.batch_size;
    }
    CheckOptions(options_);
    std::vector<int64_t> sizes;
    for (const std::string& file : options_.files) {
      if (!Exists(file)) {
        throw MissingError("data file " + file + " is not there", "",
                           "run t2t-datagen, and check --data_dir");
      }
      sizes.push_back(FileSize(file));
    }
    fingerprint_ = Fingerprint(sizes);
    planner_ = MakeWindowPlanner(options_, sizes);
    WindowStart start;
    start.by_records = CanPlanOnLengths(options_);
    position_.start = std::make_shared<const WindowStart>(std::move(start));
  }

  ~Pipeline() override { Stop(); }

  std::optional<Batch> Next() override {
    Round round = NextRound(1, {0});
    if (round.found == 0) return std::nullopt;
    return std::move(round.batches.at(0));
  }

  Round NextRound(int64_t count, const std::vector<int64_t>& wanted) override {
    if (error_ != nullptr) std::rethrow_exception(error_);
    Round round;
    if (ended_) return round;
    if (const Pattern pattern{count, wanted}; pattern != pattern_) {
      Stop();
      pattern_ = pattern;
    }
    if (deliveries_ == nullptr) Start();
    try {
      for (; round.found < count; ++round.found) {
        Delivery delivery;
        if (!deliveries_->Pop(&delivery)) {
          ended_ = true;
          break;
        }
        position_ = std::move(delivery.after);
        if (delivery.batch) {
          round.batches.emplace(round.found, std::move(*delivery.batch));
        }
      }
    } catch (...) {
      error_ = std::current_exception();
      throw;
    }
    return round;
  }

  std::string State() const override {
    const WindowStart& start = *position_.start;
    Json json = Json::Object();
    json.Set("format", 1);
    json.Set("fingerprint", fingerprint_);
    json.Set("epoch", start.epoch);
    json.Set("window", start.window);
    json.Set("batch", static_cast<int64_t>(position_.batch));
    json.Set("kept", start.kept);
    json.Set("next_file", start.next_file);
    json.Set("turn", start.turn);
    json.Set("by_records", start.by_records);
    json.Set("open", ToJson(start.open));
    json.Set("carry", ToJson(start.carry));
    if (AnyDraws(options_)) {
      Json epochs = Json::Array();
      for (const int64_t epoch : start.carry_epochs) epochs.Append(epoch);
      json.Set("carry_epochs", std::move(epochs));
    }
    if (!options_.members.empty()) {
      json.Set("drawn", start.drawn);
      json.Set("batches", start.batches);
      Json members = Json::Array();
      for (const MemberPosition& member : start.members) {
        members.Append(ToJson(member));
      }
      json.Set("members", std::move(members));
    }
    return json.ToString();
  }

  void Restore(const std::string& state) override {
    Position position;
    try {
      position = ReadState(Json::Parse(state));
    } catch (const Error& error) {
      throw DataError(
          std::string("the input state can't be read: ") + error.what(),
          "what State() gave");
    }
    Stop();
    position_ = std::move(position);
    ended_ = false;
    error_ = nullptr;
  }

 private:
  Position ReadState(const Json& json) const {
    if (json.At("format").AsInt() != 1) {
      throw DataError("format " + std::to_string(json.At("format").AsInt()),
                      "1");
    }
    WindowStart start;
    Position position;
    start.epoch = Natural(json, "epoch");
    if (json.At("fingerprint").AsString() != fingerprint_) {
      start.by_records = CanPlanOnLengths(options_);
      Warn(
          "the input's files or options are not those of the state: goes on "
          "at the start of epoch " +
          std::to_string(start.epoch));
    } else {
      start.window = Natural(json, "window");
      start.kept = Natural(json, "kept");
      start.next_file = Natural(json, "next_file");
      start.turn = Natural(json, "turn");
      const Json* const by_records = json.Find("by_records");
      start.by_records = by_records != nullptr && by_records->AsBool();
      start.open = ToLocations(json.At("open"), options_.files.size());
      start.carry = ToLocations(json.At("carry"), options_.files.size());
      position.batch = static_cast<size_t>(Natural(json, "batch"));
      if (!options_.members.empty()) ReadMembers(json, &start);
      if (const Json* const epochs = json.Find("carry_epochs")) {
        for (const Json& epoch : epochs->items()) {
          start.carry_epochs.push_back(epoch.AsInt());
        }
        if (start.carry_epochs.size() != start.carry.size()) {
          throw DataError("carry and carry_epochs are of different lengths");
        }
      }
    }
    position.start = std::make_shared<const WindowStart>(std::move(start));
    return position;
  }

  void ReadMembers(const Json& json, WindowStart* start) const {
    start->drawn = Natural(json, "drawn");
    start->batches = Natural(json, "batches");
    for (const Json& saved : json.At("members").items()) {
      MemberPosition member;
      member.epoch = Natural(saved, "epoch");
      member.next_file = Natural(saved, "next_file");
      member.turn = Natural(saved, "turn");
      member.open = ToLocations(saved.At("open"), options_.files.size());
      start->members.push_back(std::move(member));
    }
    // (None before the first window.)
    if (!start->members.empty() &&
        start->members.size() != options_.members.size()) {
      throw DataError(
          std::to_string(start->members.size()) + " members",
          "the " + std::to_string(options_.members.size()) + " of the mixture");
    }
  }

  // Of all that the stream is a function of, but for the folder of the files
  // and preprocess.
  std::string Fingerprint(const std::vector<int64_t>& sizes) const {
    uint64_t hash = Rng::Combine(options_.seed, "fingerprint");
    const auto add = [&hash](int64_t value) {
      hash = Rng::Combine(hash, static_cast<uint64_t>(value));
    };
    for (size_t i = 0; i < sizes.size(); ++i) {
      hash = Rng::Combine(hash, BaseName(options_.files[i]));
      add(sizes[i]);
    }
    add(options_.training);
    add(options_.batch_size);
    add(CountsExamples(options_));
    add(options_.max_length);
    add(options_.min_length);
    add(options_.drop_long_sequences);
    add(options_.keep_file_order);
    add(options_.pack);
    add(options_.t2t_batching);
    if (options_.t2t_batching) {
      add(options_.min_length_bucket);
      hash = Rng::Combine(hash, DoubleToString(options_.length_bucket_step));
    }
    add(options_.shuffle_buffer);
    add(options_.cache_bytes);
    for (const InputMember& member : options_.members) {
      add(static_cast<int64_t>(member.files));
    }
    if (!options_.members.empty()) {
      hash = Rng::Combine(hash, options_.rates_text);
    }
    return Format("%016llx", static_cast<unsigned long long>(hash));
  }

  void Start() {
    windows_ = std::make_unique<Channel<std::unique_ptr<Window>>>(1);
    // So many that are wanted, and what lies between them.
    const auto ahead =
        static_cast<size_t>(std::max(1, options_.prefetch_batches));
    const auto count = static_cast<size_t>(pattern_.count);
    const size_t wanted = std::max<size_t>(1, pattern_.wanted.size());
    deliveries_ = std::make_unique<Channel<Delivery>>(
        std::max(ahead, ahead * count / wanted));
    planning_ = std::thread([this, start = position_.start] {
      std::exception_ptr error;
      try {
        planner_->Restore(
            *start, std::cmp_equal(pattern_.wanted.size(), pattern_.count));
        // Waits first, so that one window at most is made ahead.
        while (windows_->WaitForSpace()) {
          auto window = std::make_unique<Window>();
          if (!planner_->Next(window.get())) break;
          if (!windows_->Push(std::move(window))) break;
        }
      } catch (...) {
        error = std::current_exception();
      }
      windows_->Finish(error);
    });
    assembling_ = std::thread([this, skip = position_.batch] {
      std::exception_ptr error;
      try {
        Assemble(skip);
      } catch (...) {
        error = std::current_exception();
      }
      deliveries_->Finish(error);
    });
  }

  void Assemble(size_t skip) {
    std::unique_ptr<Window> window;
    int64_t place = 0;
    while (windows_->Pop(&window)) {
      if (skip > window->batches.size()) {
        throw DataError("the input state names batch " + std::to_string(skip) +
                            " of a window of " +
                            std::to_string(window->batches.size()),
                        "what State() gave for these files");
      }
      for (size_t b = skip; b < window->batches.size(); ++b) {
        Delivery delivery;
        delivery.after = {window->start, b + 1};
        if (std::ranges::binary_search(pattern_.wanted, place)) {
          delivery.batch = MakeBatch(window->batches[b], window.get());
        }
        place = (place + 1) % pattern_.count;
        if (!deliveries_->Push(std::move(delivery))) return;
      }
      skip = 0;
      window.reset();
    }
  }

  Batch MakeBatch(const Range& range, Window* window) const {
    // The bytes of the items that Prepare() makes.
    std::vector<std::string> prepared;
    Prepare(ItemsOf(*window, range), window, &prepared);
    const InputItem* const items = window->data.items.data();
    if (!options_.pack) {
      return AssembleBatch(options_, items + range.begin, range.size());
    }
    const auto rows = window->rows.begin();
    return AssemblePackedBatch(
        options_, items,
        {rows + static_cast<std::ptrdiff_t>(range.begin),
         rows + static_cast<std::ptrdiff_t>(range.end) + 1});
  }

  // The items of a batch.
  Range ItemsOf(const Window& window, const Range& batch) const {
    if (!options_.pack) return batch;
    return {window.rows[batch.begin], window.rows[batch.end]};
  }

  // Reads the records of a batch's items, which are in no other batch, and
  // draws for them: from here on their bytes are in `prepared`.
  void Prepare(const Range& batch, Window* window,
               std::vector<std::string>* prepared) const {
    const uint64_t seed = Rng::Combine(options_.seed, "steps");
    InputItem* const items = window->data.items.data() + batch.begin;
    prepared->resize(batch.size());
    size_t bytes = 0;
    for (size_t i = 0; i < batch.size(); ++i) bytes += items[i].bytes.size();
    const size_t blocks = std::max<size_t>(
        1, std::min(batch.size() / kThreadItems, bytes / kThreadBytes));
    ParallelFor(blocks, options_.threads, [&](size_t block, int) {
      const size_t end = batch.size() * (block + 1) / blocks;
      for (size_t i = batch.size() * block / blocks; i < end; ++i) {
        InputItem& item = items[i];
        const InputSteps& steps = StepsOf(options_, item.shard);
        if (!item.is_record && steps.augment == nullptr) continue;
        Example example = item.is_record ? ReadRecord(options_, item)
                                         : ItemExample(item.bytes);
        if (steps.augment != nullptr) {
          steps.augment(&example, RecordSeed(seed, item));
        }
        AppendItem(example, &(*prepared)[i]);
        item.bytes = (*prepared)[i];
        item.is_record = false;
      }
    });
  }

  static uint64_t RecordSeed(uint64_t seed, const InputItem& item) {
    seed = Rng::Combine(seed, static_cast<uint64_t>(item.epoch));
    seed = Rng::Combine(seed, uint64_t{item.shard});
    return Rng::Combine(seed, static_cast<uint64_t>(item.offset));
  }

  void Stop() {
    if (deliveries_ == nullptr) return;
    windows_->Cancel();
    deliveries_->Cancel();
    planning_.join();
    assembling_.join();
    windows_.reset();
    deliveries_.reset();
  }

  InputOptions options_;
  std::string fingerprint_;
  Pattern pattern_;  // changes while no worker runs
  std::unique_ptr<WindowPlanner>
      planner_;  // the planning thread's while it runs
  std::unique_ptr<Channel<std::unique_ptr<Window>>> windows_;
  std::unique_ptr<Channel<Delivery>> deliveries_;
  std::thread planning_;
  std::thread assembling_;
  Position position_;  // after the last batch that Next() gave
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace

Round InputPipeline::NextRound(int64_t count,
                               const std::vector<int64_t>& wanted) {
  Round round;
  for (; round.found < count; ++round.found) {
    std::optional<Batch> batch = Next();
    if (!batch) break;
    if (std::ranges::binary_search(wanted, round.found)) {
      round.batches.emplace(round.found, std::move(*batch));
    }
  }
  return round;
}

std::unique_ptr<InputPipeline> MakeInputPipeline(const InputOptions& options) {
  return std::make_unique<Pipeline>(options);
}

}  // namespace t2t
