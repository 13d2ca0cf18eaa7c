#include "t2t/input/window_planner.h"

#include <algorithm>
#include <compare>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/formats/tfrecord.h"

namespace t2t {
namespace {

// Files read in turn in training, a record from each.
constexpr size_t kOpenFiles = 8;
// A window ends early where its records have this many bytes.
constexpr int64_t kWindowBytes = 64 << 20;
// A mixture's rates change with the batches of its windows: small ones follow
// them closely.
constexpr int64_t kMixedWindow = 8192;
// Rows open at a time in packing.
constexpr size_t kPackQueue = 64;

void Reorder(const std::vector<size_t>& order, std::vector<InputItem>* items) {
  std::vector<InputItem> ordered;
  ordered.reserve(order.size());
  for (const size_t i : order) ordered.push_back((*items)[i]);
  *items = std::move(ordered);
}

// Equal ones keep their order.
void SortByLength(std::vector<InputItem>* items) {
  struct Key {
    int64_t length;
    int64_t total;
    size_t index;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<Key> keys;
  keys.reserve(items->size());
  for (const InputItem& item : *items) {
    keys.push_back({item.length, item.total, keys.size()});
  }
  std::ranges::sort(keys);
  std::vector<size_t> order;
  order.reserve(keys.size());
  for (const Key& key : keys) order.push_back(key.index);
  Reorder(order, items);
}

class Planner : public WindowPlanner {
 public:
  Planner(const InputOptions& options, const std::vector<int64_t>& file_sizes)
      : options_(options) {
    in_memory_ = std::accumulate(file_sizes.begin(), file_sizes.end(),
                                 int64_t{0}) <= options_.cache_bytes &&
                 !IsMixture();
    if (options_.t2t_batching && !CountsExamples(options_)) {
      scheme_ = MakeBatchingScheme(
          options_.batch_size, options_.max_length, options_.min_length_bucket,
          options_.length_bucket_step, options_.drop_long_sequences, 1, 1,
          options_.min_length);
    }
  }

  void Restore(const WindowStart& start, bool all_wanted) override {
    // At once and in their order that costs less; but of images no more is to
    // be in memory than their records.
    parses_all_ = all_wanted && options_.fixed_shapes.empty();
    start_ = start;
    reader_.reset();
    mixed_.reset();
    finished_ = false;
    carry_ = LoadCarry(start);
  }

  bool Next(Window* window) override {
    if (finished_) return false;
    *window = {};
    window->start = std::make_shared<const WindowStart>(start_);
    Items fresh;
    const bool last_of_epoch = !ReadWindow(&fresh);
    const uint64_t seed = WindowSeed();
    if (options_.training) Rng(seed).Shuffle(&fresh.items);
    if (!IsMixture()) {
      for (InputItem& item : fresh.items) item.epoch = start_.epoch;
    }
    start_.kept += static_cast<int64_t>(fresh.items.size());
    window->data = std::move(carry_);
    carry_ = {};
    AppendItems(std::move(fresh), &window->data);
    Cut(last_of_epoch && !options_.training, seed, window);
    start_.batches += static_cast<int64_t>(window->batches.size());

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
    if (options_.training && start_.kept == 0) ThrowNothingLeft();
    finished_ = !options_.training;
    WindowStart next;
    next.epoch = start_.epoch + 1;
    next.by_records = CanPlanOnLengths(options_);
    next.carry = std::move(start_.carry);
    next.carry_epochs = std::move(start_.carry_epochs);
    start_ = std::move(next);
    reader_.reset();
    return true;
  }

 private:
  bool IsMixture() const { return !options_.members.empty(); }

  [[noreturn]] void ThrowNothingLeft() const {
    throw DataError(
        "no example is left of " + std::to_string(options_.files.size()) +
            " files (" + options_.files.front() + ", ...)",
        "examples of length " + std::to_string(options_.min_length) + " to " +
            std::to_string(options_.max_length),
        "generate the data again or change max_length and min_length");
  }

  uint64_t EpochSeed() const {
    return Rng::Combine(Rng::Combine(options_.seed, "input"),
                        static_cast<uint64_t>(start_.epoch));
  }
  uint64_t WindowSeed() const {
    return Rng::Combine(EpochSeed(), static_cast<uint64_t>(start_.window) + 1);
  }

  // Whether the examples of this epoch's windows are records still.
  bool OnLengths() const {
    return start_.by_records && !parses_all_ && CanPlanOnLengths(options_);
  }

  // The examples of the window that starts at start_; false where they are the
  // epoch's last.
  bool ReadWindow(Items* fresh) {
    if (IsMixture()) {
      ReadMixedWindow(fresh);
      return true;
    }
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
        ReadItems(options_, reader_.get(),
                  {size, kWindowBytes, !start_.by_records}, OnLengths(), fresh);
    reader_->Save(&start_);
    return more;
  }

  // A mixture's windows have no end.
  void ReadMixedWindow(Items* fresh) {
    if (mixed_ == nullptr) {
      mixed_ = std::make_unique<MixedReader>(options_);
      mixed_->Restore(start_.members, start_.drawn);
    }
    mixed_->BeginWindow(WindowSeed(), start_.batches);
    const int64_t size =
        std::clamp<int64_t>(options_.shuffle_buffer, 1, kMixedWindow);
    ReadItems(options_, mixed_.get(), {size, kWindowBytes, !start_.by_records},
              OnLengths(), fresh);
    mixed_->Save(&start_.members, &start_.drawn);
    if (fresh->items.empty()) ThrowNothingLeft();
    if (start_.window == 0) WarnOfLostMembers(*fresh);
  }

  // Of a member all of whose examples are too long training would learn
  // nothing.
  void WarnOfLostMembers(const Items& fresh) const {
    std::vector<int64_t> kept(options_.members.size());
    for (const InputItem& item : fresh.items) {
      ++kept[MemberOf(options_, item.shard)];
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      const int64_t drawn = mixed_->in_window()[i];
      if (kept[i] > 0 || drawn == 0) continue;
      Warn("none of the first " + Count(drawn, "example") + " of " +
           options_.members[i].name + " has a length of " +
           std::to_string(options_.min_length) + " to " +
           std::to_string(options_.max_length) + ": they are left out");
    }
  }

  // False where the examples are too large to be kept.
  bool LoadAll() {
    if (loaded_) return true;
    std::vector<uint32_t> order(options_.files.size());
    std::iota(order.begin(), order.end(), 0);
    TurnReader reader(options_.files, std::move(order), 1);
    loaded_ = !ReadItems(
        options_, &reader,
        {std::numeric_limits<int64_t>::max(), options_.cache_bytes + 1},
        /*on_lengths=*/false, &all_);
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
    Items carry = !in_memory_ && OnLengths() ? ScanRecords(options_, records)
                                             : ParseRecords(options_, records);
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
        SortByLength(&items);
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
  bool parses_all_ = false;
  Items all_;
  std::unique_ptr<TurnReader> reader_;
  std::unique_ptr<MixedReader> mixed_;
  WindowStart start_;
  Items carry_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<WindowPlanner> MakeWindowPlanner(
    const InputOptions& options, const std::vector<int64_t>& file_sizes) {
  return std::make_unique<Planner>(options, file_sizes);
}

}  // namespace t2t
