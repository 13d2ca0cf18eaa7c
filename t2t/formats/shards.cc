#include "t2t/formats/shards.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr size_t kKeyBytes = 8;
// What a held record costs beyond its bytes.
constexpr int64_t kRecordOverhead = 48;

// Big-endian, so that keyed records sort as strings.
std::string Keyed(uint64_t key, std::string_view record) {
  std::string keyed;
  keyed.reserve(kKeyBytes + record.size());
  for (int shift = 56; shift >= 0; shift -= 8) {
    keyed.push_back(static_cast<char>((key >> shift) & 0xFF));
  }
  keyed.append(record);
  return keyed;
}

// "-00003-of-00010" behind the prefix.
bool ParseSuffix(std::string_view suffix, int64_t* shard, int64_t* total) {
  const size_t of = suffix.find("-of-");
  if (suffix.size() < 10 || suffix[0] != '-' || of < 6 ||
      of == std::string_view::npos) {
    return false;
  }
  const std::string_view first = suffix.substr(1, of - 1);
  const std::string_view second = suffix.substr(of + 4);
  const auto digits = [](std::string_view text) {
    return text.size() >= 5 &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return digits(first) && digits(second) && ParseInt(first, shard) &&
         ParseInt(second, total);
}

}  // namespace

std::string ShardPath(const std::string& dir, const std::string& problem,
                      const std::string& split, int shard, int num_shards) {
  return JoinPath(
      dir, problem + "-" + split + Format("-%.5d-of-%.5d", shard, num_shards));
}

std::vector<std::string> ShardPaths(const std::string& dir,
                                    const std::string& problem,
                                    const std::string& split, int num_shards) {
  std::vector<std::string> paths;
  for (int shard = 0; shard < num_shards; ++shard) {
    paths.push_back(ShardPath(dir, problem, split, shard, num_shards));
  }
  return paths;
}

std::vector<std::string> FindShards(const std::string& dir,
                                    const std::string& problem,
                                    const std::string& split) {
  const std::string prefix = problem + "-" + split;
  const std::string todo = "run t2t-datagen --problem=" + problem +
                           " --data_dir=" + (dir.empty() ? "." : dir);
  if (!dir.empty() && !IsDirectory(dir)) {
    throw MissingError("there is no data folder " + dir, "", todo);
  }
  std::vector<std::string> paths;
  int64_t expected_total = -1;
  for (const std::string& name : ListDirectory(dir.empty() ? "." : dir)) {
    if (!StartsWith(name, prefix + "-")) continue;
    int64_t shard;
    int64_t total;
    const std::string_view suffix =
        std::string_view(name).substr(prefix.size());
    if (!ParseSuffix(suffix, &shard, &total)) continue;
    if (expected_total >= 0 && total != expected_total) {
      throw DataError(
          dir + " mixes two sets of shards of " + prefix + ": of " +
              std::to_string(expected_total) + " and of " +
              std::to_string(total),
          "", "remove the old ones, or " + todo + " into a fresh folder");
    }
    expected_total = total;
    if (shard != static_cast<int64_t>(paths.size())) break;
    paths.push_back(JoinPath(dir, name));
  }
  if (expected_total < 0) {
    throw MissingError(
        "there are no files " + JoinPath(dir, prefix + "-*-of-*"), "", todo);
  }
  if (static_cast<int64_t>(paths.size()) != expected_total) {
    throw DataError(
        "the set of shards is not whole: there is no " +
            ShardPath(dir, problem, split, static_cast<int>(paths.size()),
                      static_cast<int>(expected_total)),
        Count(expected_total, "shard"), todo);
  }
  return paths;
}

ShardedWriter::ShardedWriter(const std::vector<std::string>& paths,
                             int64_t cycle_every_n)
    : cycle_every_n_(std::max<int64_t>(1, cycle_every_n)) {
  if (paths.empty()) throw UsageError("records need at least one shard");
  for (const std::string& path : paths) {
    writers_.push_back(std::make_unique<TfRecordWriter>(path));
  }
}

void ShardedWriter::Write(std::string_view record) {
  writers_[(count_ / cycle_every_n_) % writers_.size()]->Write(record);
  ++count_;
}

void ShardedWriter::Commit() {
  for (const auto& writer : writers_) writer->Commit();
}

ShuffledShardWriter::ShuffledShardWriter(std::vector<std::string> paths,
                                         uint64_t seed, int64_t memory_bytes)
    : paths_(std::move(paths)), seed_(seed), memory_bytes_(memory_bytes) {
  if (paths_.empty()) throw UsageError("records need at least one shard");
}

ShuffledShardWriter::~ShuffledShardWriter() {
  for (std::FILE* const run : runs_) {
    if (run != nullptr) std::fclose(run);
  }
}

void ShuffledShardWriter::Write(std::string_view record) {
  // One to one in the counter, so no two records have the same key.
  const uint64_t key = Rng(seed_, static_cast<uint64_t>(count_)).Next();
  held_.push_back(Keyed(key, record));
  ++count_;
  held_bytes_ += static_cast<int64_t>(record.size()) + kRecordOverhead;
  if (held_bytes_ > memory_bytes_) WriteRun();
}

void ShuffledShardWriter::WriteRun() {
  std::sort(held_.begin(), held_.end());
  const std::string folder = DirName(paths_[0]);
  runs_.push_back(OpenScratchFile(folder));
  std::string bytes;
  for (const std::string& keyed : held_) {
    bytes.clear();
    AppendTfRecord(keyed, &bytes);
    if (std::fwrite(bytes.data(), 1, bytes.size(), runs_.back()) !=
        bytes.size()) {
      throw IoError("can't write a temporary file into", folder);
    }
  }
  if (std::fflush(runs_.back()) != 0) {
    throw IoError("can't write a temporary file into", folder);
  }
  held_.clear();
  held_bytes_ = 0;
}

void ShuffledShardWriter::Commit() {
  ShardedWriter writer(paths_);
  ForEach([&](std::string_view record) { writer.Write(record); });
  writer.Commit();
}

void ShuffledShardWriter::ForEach(
    const std::function<void(std::string_view)>& visit) {
  std::sort(held_.begin(), held_.end());

  // Merges the runs and, as the last source, what is held.
  struct Source {
    std::string record;
    size_t index;
    bool operator>(const Source& other) const { return record > other.record; }
  };
  std::priority_queue<Source, std::vector<Source>, std::greater<>> next;
  std::vector<std::unique_ptr<TfRecordReader>> readers;
  size_t held = 0;
  const auto advance = [&](size_t index) {
    Source source{"", index};
    if (index == readers.size()) {
      if (held == held_.size()) return;
      source.record = std::move(held_[held++]);
    } else if (!readers[index]->Next(&source.record)) {
      return;
    }
    next.push(std::move(source));
  };
  for (std::FILE*& run : runs_) {
    readers.push_back(std::make_unique<TfRecordReader>(
        std::exchange(run, nullptr), "a temporary file of " + paths_[0]));
  }
  runs_.clear();
  for (size_t i = 0; i <= readers.size(); ++i) advance(i);
  while (!next.empty()) {
    const Source source = next.top();
    next.pop();
    visit(std::string_view(source.record).substr(kKeyBytes));
    advance(source.index);
  }
  held_.clear();
  held_bytes_ = 0;
}

void ShuffleShards(const std::vector<std::string>& from,
                   const std::vector<std::string>& to, uint64_t seed,
                   int64_t memory_bytes) {
  ShuffledShardWriter writer(to, seed, memory_bytes);
  std::string record;
  for (const std::string& path : from) {
    TfRecordReader reader(path);
    while (reader.Next(&record)) writer.Write(record);
  }
  writer.Commit();
}

}  // namespace t2t
