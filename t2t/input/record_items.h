#ifndef T2T_INPUT_RECORD_ITEMS_H_
#define T2T_INPUT_RECORD_ITEMS_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/formats/tfrecord.h"
#include "t2t/input/input.h"
#include "t2t/input/input_item.h"

namespace t2t {

struct Location {
  uint32_t shard = 0;
  int64_t offset = 0;

  auto operator<=>(const Location&) const = default;
};

struct RawRecord {
  Location location;
  int64_t epoch = 0;  // of a mixture's member
  std::string bytes;
};

// Gives one record a call until it returns false.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  virtual bool Next(RawRecord* record) = 0;
};

// The member of a mixture that a file, a place in options.files, is of.
size_t MemberOf(const InputOptions& options, uint32_t shard);
// What is done to the examples of this file, a place in options.files.
const InputSteps& StepsOf(const InputOptions& options, uint32_t shard);
// Whether any of them draws.
bool AnyDraws(const InputOptions& options);

// Items and the memory their bytes are in, which windows may share.
struct Items {
  std::vector<InputItem> items;
  std::vector<std::shared_ptr<const std::string>> arenas;
};

// Where files that are read in turn stand.
struct TurnPosition {
  int64_t next_file = 0;
  int64_t turn = 0;
  std::vector<Location> open;
};

// Reads several files in turn.
class TurnReader : public RecordSource {
 public:
  TurnReader(const std::vector<std::string>& files, std::vector<uint32_t> order,
             size_t width)
      : files_(files), order_(std::move(order)), width_(width) {}

  void Restore(const TurnPosition& start) {
    open_.clear();
    for (const Location& location : start.open) {
      Open(location.shard).reader->Seek(location.offset);
    }
    next_file_ = static_cast<size_t>(start.next_file);
    turn_ = static_cast<size_t>(start.turn);
  }

  void Save(TurnPosition* start) const {
    start->open.clear();
    for (const File& file : open_) {
      start->open.push_back({file.shard, file.reader->offset()});
    }
    start->next_file = static_cast<int64_t>(next_file_);
    start->turn = static_cast<int64_t>(turn_);
  }

  bool Next(RawRecord* record) override {
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
                   const std::vector<RawRecord>& records);

// Whether lengths are known without preprocessing.
bool CanPlanOnLengths(const InputOptions& options);

// The same of lengths alone: items that are records still.
Items ScanRecords(const InputOptions& options,
                  const std::vector<RawRecord>& records);

// The example of such an item, preprocessed. Throws where it is not as long as
// was planned.
Example ReadRecord(const InputOptions& options, const InputItem& item);

void AppendItems(Items from, Items* to);

struct ReadLimits {
  int64_t records = 0;
  int64_t bytes = 0;  // about
  // Parsed items end it as well, at a few times that many bytes.
  bool of_items = true;
};

// Reads records up to the limits, and parses them or, where on_lengths, scans
// them. False at the end of the epoch.
bool ReadItems(const InputOptions& options, RecordSource* reader,
               const ReadLimits& limits, bool on_lengths, Items* items);

// Copies the bytes of what a window leaves over, so that the window's memory
// can go.
Items CopyItems(const InputItem* begin, const InputItem* end);

}  // namespace t2t

#endif  // T2T_INPUT_RECORD_ITEMS_H_
