#include "t2t/input/record_items.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Records parsed at a time.
constexpr size_t kChunkRecords = 8192;
constexpr int64_t kChunkBytes = 8 << 20;
// Parsed examples may take this many times the bytes of their records (images
// do) before less is taken into memory.
constexpr int64_t kGrowth = 4;

Error AtRecord(const InputOptions& options, const Location& location,
               const Error& error) {
  return Error(error.code(),
               options.files[location.shard] + ", record at byte " +
                   std::to_string(location.offset) + ": " + error.what());
}

bool IsKept(const InputOptions& options, const InputItem& item) {
  return item.length >= options.min_length &&
         !(options.drop_long_sequences && item.length > options.max_length);
}

}  // namespace

namespace {

// What one thread parses.
struct ParsedSlice {
  std::string arena;
  std::vector<InputItem> items;
  std::vector<size_t> begins;
  std::exception_ptr error;
};

void ParseSlice(const InputOptions& options,
                const std::vector<RawRecord>& records, size_t begin, size_t end,
                ParsedSlice* slice) {
  try {
    for (size_t i = begin; i < end; ++i) {
      const RawRecord& record = records[i];
      try {
        Example example = ParseExample(record.bytes);
        const InputSteps& steps = StepsOf(options, record.location.shard);
        if (steps.preprocess && !steps.preprocess(&example)) continue;
        InputItem item;
        item.shard = record.location.shard;
        item.offset = record.location.offset;
        item.epoch = record.epoch;
        slice->begins.push_back(slice->arena.size());
        AppendItem(example, &slice->arena, options.augment != nullptr);
        slice->items.push_back(item);
      } catch (const Error& error) {
        throw AtRecord(options, record.location, error);
      }
    }
  } catch (...) {
    slice->error = std::current_exception();
  }
}

}  // namespace

Items ParseRecords(const InputOptions& options,
                   const std::vector<RawRecord>& records) {
  const size_t threads =
      std::clamp<size_t>(static_cast<size_t>(std::max(1, options.threads)), 1,
                         records.size() / 64 + 1);
  std::vector<ParsedSlice> slices(threads);
  const auto parse = [&](size_t p) {
    ParseSlice(options, records, records.size() * p / threads,
               records.size() * (p + 1) / threads, &slices[p]);
  };
  std::vector<std::thread> workers;
  try {
    for (size_t p = 1; p < threads; ++p) workers.emplace_back(parse, p);
  } catch (const std::system_error&) {
    // No more threads can be had: this one does their slices.
  }
  parse(0);
  for (size_t p = workers.size() + 1; p < threads; ++p) parse(p);
  for (std::thread& worker : workers) worker.join();

  Items parsed;
  for (ParsedSlice& slice : slices) {
    if (slice.error != nullptr) std::rethrow_exception(slice.error);
    slice.arena.shrink_to_fit();
    auto arena = std::make_shared<const std::string>(std::move(slice.arena));
    slice.begins.push_back(arena->size());
    for (size_t i = 0; i < slice.items.size(); ++i) {
      InputItem item = slice.items[i];
      item.bytes = std::string_view(*arena).substr(
          slice.begins[i], slice.begins[i + 1] - slice.begins[i]);
      MeasureItem(options, &item);
      if (IsKept(options, item)) parsed.items.push_back(item);
    }
    parsed.arenas.push_back(std::move(arena));
  }
  return parsed;
}

size_t MemberOf(const InputOptions& options, uint32_t shard) {
  size_t member = 0;
  size_t end = options.members.at(0).files;
  while (shard >= end) end += options.members.at(++member).files;
  return member;
}

const InputSteps& StepsOf(const InputOptions& options, uint32_t shard) {
  if (options.members.empty()) return options;
  return options.members[MemberOf(options, shard)];
}

bool AnyDraws(const InputOptions& options) {
  return options.augment != nullptr ||
         std::ranges::any_of(options.members, [](const InputMember& member) {
           return member.augment != nullptr;
         });
}

bool CanPlanOnLengths(const InputOptions& options) {
  const auto says = [](const InputSteps& steps) {
    return steps.preprocess == nullptr || steps.lengths != nullptr;
  };
  return says(options) && std::ranges::all_of(options.members, says);
}

Items ScanRecords(const InputOptions& options,
                  const std::vector<RawRecord>& records) {
  auto arena = std::make_shared<std::string>();
  size_t size = 0;
  for (const RawRecord& record : records) size += record.bytes.size();
  arena->reserve(size);
  Items scanned;
  ExampleLengths lengths;
  for (const RawRecord& record : records) {
    InputItem item;
    item.shard = record.location.shard;
    item.offset = record.location.offset;
    item.epoch = record.epoch;
    item.is_record = true;
    try {
      lengths.Read(record.bytes);
      const InputSteps& steps = StepsOf(options, record.location.shard);
      if (steps.lengths != nullptr && !steps.lengths(&lengths)) continue;
    } catch (const Error& error) {
      throw AtRecord(options, record.location, error);
    }
    MeasureLengths(options, lengths, &item);
    if (!IsKept(options, item)) continue;
    const size_t begin = arena->size();
    *arena += record.bytes;
    item.bytes = std::string_view(*arena).substr(begin);
    scanned.items.push_back(item);
  }
  scanned.arenas.push_back(std::move(arena));
  return scanned;
}

Example ReadRecord(const InputOptions& options, const InputItem& item) {
  Example example;
  bool kept = true;
  try {
    example = ParseExample(item.bytes);
    const InputSteps& steps = StepsOf(options, item.shard);
    kept = !steps.preprocess || steps.preprocess(&example);
  } catch (const Error& error) {
    throw AtRecord(options, {item.shard, item.offset}, error);
  }
  InputItem found;
  MeasureExample(options, example, &found);
  if (kept && found.length == item.length && found.total == item.total &&
      found.inputs == item.inputs && found.targets == item.targets) {
    return example;
  }
  throw Error(ExitCode::kInternal,
              options.files[item.shard] + ", record at byte " +
                  std::to_string(item.offset) + ": its steps " +
                  (kept ? "make it of length " + std::to_string(found.length)
                        : std::string("drop it")),
              "length " + std::to_string(item.length) +
                  ", as the steps' own functions of lengths say",
              "mend Step::lengths of the problem's steps, or leave it out");
}

void AppendItems(Items from, Items* to) {
  to->items.insert(to->items.end(), from.items.begin(), from.items.end());
  std::move(from.arenas.begin(), from.arenas.end(),
            std::back_inserter(to->arenas));
}

bool ReadItems(const InputOptions& options, RecordSource* reader,
               const ReadLimits& limits, bool on_lengths, Items* items) {
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t item_bytes = 0;
  bool more = true;
  std::vector<RawRecord> chunk;
  int64_t chunk_bytes = 0;
  const auto take_chunk = [&] {
    Items taken =
        on_lengths ? ScanRecords(options, chunk) : ParseRecords(options, chunk);
    for (const auto& arena : taken.arenas) {
      item_bytes += static_cast<int64_t>(arena->size());
    }
    AppendItems(std::move(taken), items);
    chunk.clear();
    chunk_bytes = 0;
  };
  while (records < limits.records && bytes < limits.bytes &&
         (!limits.of_items || item_bytes / kGrowth < limits.bytes)) {
    RawRecord record;
    more = reader->Next(&record);
    if (!more) break;
    ++records;
    const auto size = static_cast<int64_t>(record.bytes.size());
    bytes += size;
    chunk_bytes += size;
    chunk.push_back(std::move(record));
    if (chunk.size() >= kChunkRecords || chunk_bytes >= kChunkBytes) {
      take_chunk();
    }
  }
  take_chunk();
  return more;
}

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

}  // namespace t2t
