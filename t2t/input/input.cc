#include "t2t/input/input.h"

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/parallel.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/input/batching.h"
#include "t2t/input/input_channel.h"
#include "t2t/input/input_item.h"

namespace t2t {
namespace {

// Files read in turn in training, a record from each.
constexpr size_t kOpenFiles = 8;
// A window ends early where its records have this many bytes.
constexpr int64_t kWindowBytes = 64 << 20;
// Records parsed at a time.
constexpr size_t kChunkRecords = 8192;
constexpr int64_t kChunkBytes = 8 << 20;
// Parsed examples may take this many times the bytes of their records (images
// do) before less is taken into memory.
constexpr int64_t kGrowth = 4;
// Examples drawn for by a thread at a time.
constexpr size_t kAugmentBlock = 32;
// Rows open at a time in packing.
constexpr size_t kPackQueue = 64;

struct Location {
  uint32_t shard = 0;
  int64_t offset = 0;

  auto operator<=>(const Location&) const = default;
};

struct RawRecord {
  Location location;
  std::string bytes;
};

// Items and the memory their bytes are in, which windows may share.
struct Items {
  std::vector<InputItem> items;
  std::vector<std::shared_ptr<const std::string>> arenas;
};

// Where a window starts: all that is needed to make it, and those after it,
// again.
struct WindowStart {
  int64_t epoch = 0;
  int64_t window = 0;  // in the epoch
  int64_t kept = 0;    // examples of the epoch so far
  // Records of files not held in memory: the open files and the turn.
  int64_t next_file = 0;
  int64_t turn = 0;
  std::vector<Location> open;
  // Examples that did not fill a batch of the windows before.
  std::vector<Location> carry;
  std::vector<int64_t> carry_epochs;  // in which each of them was read
};

// Examples in the order of their batches.
struct Window {
  std::shared_ptr<const WindowStart> start;
  Items data;
  // Where each row begins, and the end of the last (packing only).
  std::vector<size_t> rows;
  std::vector<Range> batches;  // of rows in packing, else of items
};

struct Position {
  std::shared_ptr<const WindowStart> start;
  size_t batch = 0;  // of the window, the next to come
};

struct Delivery {
  Batch batch;
  Position after;
};

// Reads several files in turn.
class TurnReader {
 public:
  TurnReader(const std::vector<std::string>& files, std::vector<uint32_t> order,
             size_t width)
      : files_(files), order_(std::move(order)), width_(width) {}

  void Restore(const WindowStart& start) {
    open_.clear();
    for (const Location& location : start.open) {
      Open(location.shard).reader->Seek(location.offset);
    }
    next_file_ = static_cast<size_t>(start.next_file);
    turn_ = static_cast<size_t>(start.turn);
  }

  void Save(WindowStart* start) const {
    start->open.clear();
    for (const File& file : open_) {
      start->open.push_back({file.shard, file.reader->offset()});
    }
    start->next_file = static_cast<int64_t>(next_file_);
    start->turn = static_cast<int64_t>(turn_);
  }

  bool Next(RawRecord* record) {
    while (true) {
      while (open_.size() < width_ && next_file_ < order_.size()) {
        Open(order_[next_file_++]);
      }
      if (open_.empty()) return false;
      if (turn_ >= open_.size()) turn_ = 0;
      File& file = open_[turn_];
      record->location = {file.shard, file.reader->offset()};
      if (file.reader->Next(&record->bytes)) {
        ++turn_;
        return true;
      }
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(turn_));
    }
  }

 private:
  struct File {
    uint32_t shard;
    std::unique_ptr<TfRecordReader> reader;
  };

  File& Open(uint32_t shard) {
    open_.push_back({shard, std::make_unique<TfRecordReader>(files_[shard])});
    return open_.back();
  }

  const std::vector<std::string>& files_;
  const std::vector<uint32_t> order_;
  const size_t width_;
  std::vector<File> open_;
  size_t next_file_ = 0;
  size_t turn_ = 0;
};

// Records into items, on several threads; the outcome is in the records'
// order whatever their number. Those that are dropped are left out.
Items ParseRecords(const InputOptions& options,
                   const std::vector<RawRecord>& records) {
  const size_t threads =
      std::clamp<size_t>(static_cast<size_t>(std::max(1, options.threads)), 1,
                         records.size() / 64 + 1);
  struct Part {
    std::string arena;
    std::vector<InputItem> items;
    std::vector<size_t> begins;
    std::exception_ptr error;
  };
  std::vector<Part> parts(threads);
  const auto parse = [&](size_t p) {
    Part& part = parts[p];
    try {
      const size_t end = records.size() * (p + 1) / threads;
      for (size_t i = records.size() * p / threads; i < end; ++i) {
        const RawRecord& record = records[i];
        try {
          Example example = ParseExample(record.bytes);
          if (options.preprocess && !options.preprocess(&example)) continue;
          InputItem item;
          item.shard = record.location.shard;
          item.offset = record.location.offset;
          part.begins.push_back(part.arena.size());
          AppendItem(example, &part.arena);
          part.items.push_back(item);
        } catch (const Error& error) {
          throw Error(error.code(), options.files[record.location.shard] +
                                        ", record at byte " +
                                        std::to_string(record.location.offset) +
                                        ": " + error.what());
        }
      }
    } catch (...) {
      part.error = std::current_exception();
    }
  };
  std::vector<std::thread> workers;
  try {
    for (size_t p = 1; p < threads; ++p) workers.emplace_back(parse, p);
  } catch (const std::system_error&) {
    // No more threads can be had: this one does their parts.
  }
  parse(0);
  for (size_t p = workers.size() + 1; p < threads; ++p) parse(p);
  for (std::thread& worker : workers) worker.join();

  Items parsed;
  for (Part& part : parts) {
    if (part.error != nullptr) std::rethrow_exception(part.error);
    part.arena.shrink_to_fit();
    auto arena = std::make_shared<const std::string>(std::move(part.arena));
    part.begins.push_back(arena->size());
    for (size_t i = 0; i < part.items.size(); ++i) {
      InputItem item = part.items[i];
      item.bytes = std::string_view(*arena).substr(
          part.begins[i], part.begins[i + 1] - part.begins[i]);
      MeasureItem(options, &item);
      if (item.length < options.min_length) continue;
      if (options.drop_long_sequences && item.length > options.max_length) {
        continue;
      }
      parsed.items.push_back(item);
    }
    parsed.arenas.push_back(std::move(arena));
  }
  return parsed;
}

void AppendItems(Items from, Items* to) {
  to->items.insert(to->items.end(), from.items.begin(), from.items.end());
  std::move(from.arenas.begin(), from.arenas.end(),
            std::back_inserter(to->arenas));
}

// Reads up to max_records and about max_bytes of them, or kGrowth times that
// of items. False at the end of the epoch.
bool ReadItems(const InputOptions& options, TurnReader* reader,
               int64_t max_records, int64_t max_bytes, Items* items) {
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t item_bytes = 0;
  bool more = true;
  std::vector<RawRecord> chunk;
  int64_t chunk_bytes = 0;
  const auto parse = [&] {
    Items parsed = ParseRecords(options, chunk);
    for (const auto& arena : parsed.arenas) {
      item_bytes += static_cast<int64_t>(arena->size());
    }
    AppendItems(std::move(parsed), items);
    chunk.clear();
    chunk_bytes = 0;
  };
  while (records < max_records && bytes < max_bytes &&
         item_bytes / kGrowth < max_bytes) {
    RawRecord record;
    more = reader->Next(&record);
    if (!more) break;
    ++records;
    const auto size = static_cast<int64_t>(record.bytes.size());
    bytes += size;
    chunk_bytes += size;
    chunk.push_back(std::move(record));
    if (chunk.size() >= kChunkRecords || chunk_bytes >= kChunkBytes) parse();
  }
  parse();
  return more;
}

// Copies the bytes of what a window leaves over, so that the window's memory
// can go.
Items CopyItems(const InputItem* begin, const InputItem* end) {
  auto arena = std::make_shared<std::string>();
  size_t size = 0;
  for (const InputItem* item = begin; item != end; ++item) {
    size += item->bytes.size();
  }
  arena->reserve(size);
  for (const InputItem* item = begin; item != end; ++item) {
    arena->append(item->bytes);
  }
  Items copy;
  copy.items.assign(begin, end);
  size_t at = 0;
  for (InputItem& item : copy.items) {
    item.bytes = std::string_view(*arena).substr(at, item.bytes.size());
    at += item.bytes.size();
  }
  copy.arenas.push_back(std::move(arena));
  return copy;
}

void Reorder(const std::vector<size_t>& order, std::vector<InputItem>* items) {
  std::vector<InputItem> ordered;
  ordered.reserve(order.size());
  for (const size_t i : order) ordered.push_back((*items)[i]);
  *items = std::move(ordered);
}

// Makes windows of examples, one after another, each cut into batches.
class Planner {
 public:
  Planner(const InputOptions& options, const std::vector<int64_t>& file_sizes)
      : options_(options) {
    in_memory_ = std::accumulate(file_sizes.begin(), file_sizes.end(),
                                 int64_t{0}) <= options_.cache_bytes;
    if (options_.t2t_batching && !CountsExamples(options_)) {
      scheme_ = MakeBatchingScheme(
          options_.batch_size, options_.max_length, options_.min_length_bucket,
          options_.length_bucket_step, options_.drop_long_sequences, 1, 1,
          options_.min_length);
    }
  }

  void Restore(const WindowStart& start) {
    start_ = start;
    reader_.reset();
    finished_ = false;
    carry_ = LoadCarry(start);
  }

  // False at the end (never in training).
  bool Next(Window* window) {
    if (finished_) return false;
    *window = {};
    window->start = std::make_shared<const WindowStart>(start_);
    Items fresh;
    const bool last_of_epoch = !ReadWindow(&fresh);
    const uint64_t seed = WindowSeed();
    if (options_.training) Rng(seed).Shuffle(&fresh.items);
    for (InputItem& item : fresh.items) item.epoch = start_.epoch;
    start_.kept += static_cast<int64_t>(fresh.items.size());
    window->data = std::move(carry_);
    carry_ = {};
    AppendItems(std::move(fresh), &window->data);
    Cut(last_of_epoch && !options_.training, seed, window);

    start_.carry.clear();
    start_.carry_epochs.clear();
    for (const InputItem& item : carry_.items) {
      start_.carry.push_back({item.shard, item.offset});
      start_.carry_epochs.push_back(item.epoch);
    }
    if (!last_of_epoch) {
      ++start_.window;
      return true;
    }
    if (options_.training && start_.kept == 0) {
      throw DataError(
          "no example is left of " + std::to_string(options_.files.size()) +
              " files (" + options_.files.front() + ", ...)",
          "examples of length " + std::to_string(options_.min_length) + " to " +
              std::to_string(options_.max_length),
          "generate the data again or change max_length and min_length");
    }
    finished_ = !options_.training;
    WindowStart next;
    next.epoch = start_.epoch + 1;
    next.carry = std::move(start_.carry);
    next.carry_epochs = std::move(start_.carry_epochs);
    start_ = std::move(next);
    reader_.reset();
    return true;
  }

 private:
  uint64_t EpochSeed() const {
    return Rng::Combine(Rng::Combine(options_.seed, "input"),
                        static_cast<uint64_t>(start_.epoch));
  }
  uint64_t WindowSeed() const {
    return Rng::Combine(EpochSeed(), static_cast<uint64_t>(start_.window) + 1);
  }

  // The examples of the window that starts at start_; false where they are the
  // epoch's last.
  bool ReadWindow(Items* fresh) {
    if (in_memory_ && LoadAll()) {
      *fresh = all_;
      return false;
    }
    if (reader_ == nullptr) {
      std::vector<uint32_t> order(options_.files.size());
      std::iota(order.begin(), order.end(), 0);
      if (options_.training) Rng(EpochSeed()).Shuffle(&order);
      reader_ = std::make_unique<TurnReader>(
          options_.files, std::move(order), options_.training ? kOpenFiles : 1);
      reader_->Restore(start_);
    }
    int64_t size = std::max<int64_t>(1, options_.shuffle_buffer);
    // So that each epoch draws the lines between its windows elsewhere.
    if (options_.training && start_.window == 0) {
      Rng rng(Rng::Combine(EpochSeed(), "first window"));
      size -= static_cast<int64_t>(rng.Below(size / 2 + 1));
    }
    const bool more =
        ReadItems(options_, reader_.get(), size, kWindowBytes, fresh);
    reader_->Save(&start_);
    return more;
  }

  // False where the examples are too large to be kept.
  bool LoadAll() {
    if (loaded_) return true;
    std::vector<uint32_t> order(options_.files.size());
    std::iota(order.begin(), order.end(), 0);
    TurnReader reader(options_.files, std::move(order), 1);
    loaded_ = !ReadItems(options_, &reader, std::numeric_limits<int64_t>::max(),
                         options_.cache_bytes + 1, &all_);
    if (!loaded_) {
      all_ = {};
      in_memory_ = false;
    }
    return loaded_;
  }

  Items LoadCarry(const WindowStart& start) {
    const std::vector<Location>& locations = start.carry;
    std::vector<RawRecord> records;
    std::unique_ptr<TfRecordReader> reader;
    // In the order of the files, then back into that of the carry.
    std::vector<size_t> order(locations.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return locations[a] < locations[b]; });
    records.resize(locations.size());
    for (const size_t i : order) {
      const std::string& path = options_.files[locations[i].shard];
      if (reader == nullptr || reader->path() != path) {
        reader = std::make_unique<TfRecordReader>(path);
      }
      reader->Seek(locations[i].offset);
      records[i].location = locations[i];
      if (!reader->Next(&records[i].bytes)) {
        throw DataError("the input state names a record past the end of " +
                        path);
      }
    }
    Items carry = ParseRecords(options_, records);
    // By where they are: of several at one place the first comes first.
    std::multimap<Location, int64_t> epochs;
    for (size_t i = 0; i < start.carry_epochs.size(); ++i) {
      epochs.emplace(locations[i], start.carry_epochs[i]);
    }
    for (InputItem& item : carry.items) {
      const auto epoch = epochs.find({item.shard, item.offset});
      item.epoch = epoch == epochs.end() ? start.epoch : epoch->second;
      if (epoch != epochs.end()) epochs.erase(epoch);
    }
    return carry;
  }

  // Puts the window's items in the order of their batches; what doesn't fill
  // a batch goes to carry_, unless flush.
  void Cut(bool flush, uint64_t seed, Window* window) {
    std::vector<InputItem>& items = window->data.items;
    size_t used = 0;
    if (options_.pack) {
      used = CutPacked(flush, window);
    } else if (CountsExamples(options_)) {
      const auto size = static_cast<size_t>(options_.batch_size);
      while (items.size() - used >= size) {
        window->batches.push_back({used, used + size});
        used += size;
      }
      if (flush && used < items.size()) {
        window->batches.push_back({used, items.size()});
        used = items.size();
      }
    } else if (options_.t2t_batching) {
      used = CutByBuckets(flush, window);
    } else {
      if (options_.training || !options_.keep_file_order) {
        // Equal ones keep their shuffled order.
        std::stable_sort(items.begin(), items.end(),
                         [](const InputItem& a, const InputItem& b) {
                           return a.length != b.length ? a.length < b.length
                                                       : a.total < b.total;
                         });
      }
      std::vector<int64_t> lengths;
      lengths.reserve(items.size());
      for (const InputItem& item : items) lengths.push_back(item.length);
      window->batches = CutByTokens(lengths, options_.batch_size, flush);
      used = window->batches.empty() ? 0 : window->batches.back().end;
      if (options_.training) {
        Rng(Rng::Combine(seed, "batches")).Shuffle(&window->batches);
      }
    }
    carry_ = CopyItems(items.data() + used, items.data() + items.size());
    items.resize(used);
  }

  size_t CutByBuckets(bool flush, Window* window) {
    std::vector<InputItem>& items = window->data.items;
    struct Bucket {
      std::vector<size_t> items;
      int64_t longest = 0;
    };
    std::vector<Bucket> buckets(scheme_.batch_sizes.size());
    std::vector<size_t> order;
    const auto emit = [&](Bucket* bucket) {
      window->batches.push_back(
          {order.size(), order.size() + bucket->items.size()});
      order.insert(order.end(), bucket->items.begin(), bucket->items.end());
      *bucket = {};
    };
    for (size_t i = 0; i < items.size(); ++i) {
      const size_t b = scheme_.Bucket(items[i].length);
      Bucket& bucket = buckets[b];
      const int64_t longest = std::max(bucket.longest, items[i].length);
      const auto size = static_cast<int64_t>(bucket.items.size()) + 1;
      // Only where longer examples than max_length are kept: no batch is
      // larger for them.
      if (size > 1 && size * longest > options_.batch_size) emit(&bucket);
      bucket.longest = std::max(bucket.longest, items[i].length);
      bucket.items.push_back(i);
      if (static_cast<int64_t>(bucket.items.size()) == scheme_.batch_sizes[b]) {
        emit(&bucket);
      }
    }
    for (Bucket& bucket : buckets) {
      if (flush && !bucket.items.empty()) emit(&bucket);
    }
    const size_t used = order.size();
    for (const Bucket& bucket : buckets) {
      order.insert(order.end(), bucket.items.begin(), bucket.items.end());
    }
    Reorder(order, &items);
    return used;
  }

  size_t CutPacked(bool flush, Window* window) {
    std::vector<InputItem>& items = window->data.items;
    Packer packer(options_.max_length, kPackQueue);
    std::vector<std::vector<size_t>> rows;
    size_t features = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      const std::vector<int64_t> lengths = PackedLengths(items[i]);
      if (i == 0) features = lengths.size();
      if (lengths.empty() || lengths.size() != features) {
        throw DataError(
            "an example can't be packed: it has " +
                std::to_string(lengths.size()) +
                " of the features 'inputs' and 'targets', the first one " +
                std::to_string(features) + " (" +
                options_.files[items[i].shard] + ", record at byte " +
                std::to_string(items[i].offset) + ")",
            "one or both, the same in each example", "unset pack_dataset");
      }
      std::vector<size_t> closed = packer.Add(i, lengths);
      if (!closed.empty()) rows.push_back(std::move(closed));
    }
    std::vector<std::vector<size_t>> open = packer.Finish();
    std::move(open.begin(), open.end(), std::back_inserter(rows));

    const auto size = static_cast<size_t>(
        CountsExamples(options_)
            ? options_.batch_size
            : std::max<int64_t>(1, options_.batch_size / options_.max_length));
    std::vector<size_t> order;
    window->rows.push_back(0);
    size_t used = 0;
    for (size_t begin = 0; begin < rows.size(); begin += size) {
      const size_t end = std::min(rows.size(), begin + size);
      const bool whole = end - begin == size || flush;
      for (size_t r = begin; r < end; ++r) {
        order.insert(order.end(), rows[r].begin(), rows[r].end());
        if (whole) window->rows.push_back(order.size());
      }
      if (whole) {
        window->batches.push_back({begin, end});
        used = order.size();
      }
    }
    Reorder(order, &items);
    return used;
  }

  const InputOptions& options_;
  BatchingScheme scheme_;
  bool in_memory_ = false;
  bool loaded_ = false;
  Items all_;
  std::unique_ptr<TurnReader> reader_;
  WindowStart start_;
  Items carry_;
  bool finished_ = false;
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
    planner_ = std::make_unique<Planner>(options_, sizes);
    position_.start = std::make_shared<const WindowStart>();
  }

  ~Pipeline() override { Stop(); }

  std::optional<Batch> Next() override {
    if (error_ != nullptr) std::rethrow_exception(error_);
    if (ended_) return std::nullopt;
    if (deliveries_ == nullptr) Start();
    Delivery delivery;
    try {
      if (!deliveries_->Pop(&delivery)) {
        ended_ = true;
        return std::nullopt;
      }
    } catch (...) {
      error_ = std::current_exception();
      throw;
    }
    position_ = std::move(delivery.after);
    return std::move(delivery.batch);
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
    json.Set("open", ToJson(start.open));
    json.Set("carry", ToJson(start.carry));
    if (options_.augment != nullptr) {
      Json epochs = Json::Array();
      for (const int64_t epoch : start.carry_epochs) epochs.Append(epoch);
      json.Set("carry_epochs", std::move(epochs));
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
      Warn(
          "the input's files or options are not those of the state: goes on "
          "at the start of epoch " +
          std::to_string(start.epoch));
    } else {
      start.window = Natural(json, "window");
      start.kept = Natural(json, "kept");
      start.next_file = Natural(json, "next_file");
      start.turn = Natural(json, "turn");
      start.open = ToLocations(json.At("open"), options_.files.size());
      start.carry = ToLocations(json.At("carry"), options_.files.size());
      position.batch = static_cast<size_t>(Natural(json, "batch"));
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
    return Format("%016llx", static_cast<unsigned long long>(hash));
  }

  void Start() {
    windows_ = std::make_unique<Channel<std::unique_ptr<Window>>>(1);
    deliveries_ = std::make_unique<Channel<Delivery>>(
        static_cast<size_t>(std::max(1, options_.prefetch_batches)));
    planning_ = std::thread([this, start = position_.start] {
      std::exception_ptr error;
      try {
        planner_->Restore(*start);
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
    while (windows_->Pop(&window)) {
      if (skip > window->batches.size()) {
        throw DataError("the input state names batch " + std::to_string(skip) +
                            " of a window of " +
                            std::to_string(window->batches.size()),
                        "what State() gave for these files");
      }
      for (size_t b = skip; b < window->batches.size(); ++b) {
        const Range& range = window->batches[b];
        Delivery delivery;
        delivery.after = {window->start, b + 1};
        std::vector<std::string> drawn;
        if (options_.augment != nullptr) {
          Augment(ItemsOf(*window, range), window.get(), &drawn);
        }
        const InputItem* items = window->data.items.data();
        if (options_.pack) {
          delivery.batch = AssemblePackedBatch(
              options_, items,
              {window->rows.begin() + static_cast<std::ptrdiff_t>(range.begin),
               window->rows.begin() + static_cast<std::ptrdiff_t>(range.end) +
                   1});
        } else {
          delivery.batch =
              AssembleBatch(options_, items + range.begin, range.size());
        }
        if (!deliveries_->Push(std::move(delivery))) return;
      }
      skip = 0;
      window.reset();
    }
  }

  // The items of a batch.
  Range ItemsOf(const Window& window, const Range& batch) const {
    if (!options_.pack) return batch;
    return {window.rows[batch.begin], window.rows[batch.end]};
  }

  // Draws for a batch's items, which are in no other batch: from here on their
  // bytes are in `drawn`.
  void Augment(const Range& batch, Window* window,
               std::vector<std::string>* drawn) const {
    const uint64_t seed = Rng::Combine(options_.seed, "steps");
    drawn->resize(batch.size());
    ParallelFor((batch.size() + kAugmentBlock - 1) / kAugmentBlock,
                options_.threads, [&](size_t block, int) {
                  const size_t first = block * kAugmentBlock;
                  const size_t end =
                      std::min(batch.size(), first + kAugmentBlock);
                  for (size_t i = first; i < end; ++i) {
                    InputItem& item = window->data.items[batch.begin + i];
                    Example example = ItemExample(item.bytes);
                    options_.augment(&example, RecordSeed(seed, item));
                    AppendItem(example, &(*drawn)[i]);
                    item.bytes = (*drawn)[i];
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
  std::unique_ptr<Planner> planner_;  // the planning thread's while it runs
  std::unique_ptr<Channel<std::unique_ptr<Window>>> windows_;
  std::unique_ptr<Channel<Delivery>> deliveries_;
  std::thread planning_;
  std::thread assembling_;
  Position position_;  // after the last batch that Next() gave
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace

std::unique_ptr<InputPipeline> MakeInputPipeline(const InputOptions& options) {
  return std::make_unique<Pipeline>(options);
}

}  // namespace t2t
