#ifndef T2T_FORMATS_SHARDS_H_
#define T2T_FORMATS_SHARDS_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/formats/tfrecord.h"

namespace t2t {

// T2T's names: <dir>/<problem>-<split>-00000-of-00010; split is "train",
// "dev" or "test".
std::string ShardPath(const std::string& dir, const std::string& problem,
                      const std::string& split, int shard, int num_shards);
std::vector<std::string> ShardPaths(const std::string& dir,
                                    const std::string& problem,
                                    const std::string& split, int num_shards);
// The shards that are there, sorted. Throws a MissingError where there are
// none, a DataError where one of "-of-N" is missing or two Ns are mixed.
std::vector<std::string> FindShards(const std::string& dir,
                                    const std::string& problem,
                                    const std::string& split);

// Deals records to shards in turn. No shard is visible before Commit().
class ShardedWriter {
 public:
  explicit ShardedWriter(const std::vector<std::string>& paths,
                         int64_t cycle_every_n = 1);

  void Write(std::string_view record);
  // One shard's writer, for threads that fill a shard each.
  TfRecordWriter& shard(int i) { return *writers_.at(i); }
  void Commit();
  int64_t count() const { return count_; }

 private:
  std::vector<std::unique_ptr<TfRecordWriter>> writers_;
  int64_t cycle_every_n_;
  int64_t count_ = 0;
};

// As ShardedWriter, but the records come out in an order drawn from the seed:
// a function of the seed and the order of writing alone. Records beyond the
// memory given wait in files without a name in the shards' folder.
class ShuffledShardWriter {
 public:
  ShuffledShardWriter(std::vector<std::string> paths, uint64_t seed,
                      int64_t memory_bytes = int64_t{256} << 20);
  ~ShuffledShardWriter();
  ShuffledShardWriter(const ShuffledShardWriter&) = delete;
  ShuffledShardWriter& operator=(const ShuffledShardWriter&) = delete;

  void Write(std::string_view record);
  void Commit();
  // In place of Commit(): gives the records in the drawn order, and writes no
  // shard.
  void ForEach(const std::function<void(std::string_view)>& visit);
  int64_t count() const { return count_; }

 private:
  // A run is a file of records in the order of their keys.
  void WriteRun();

  std::vector<std::string> paths_;
  uint64_t seed_;
  int64_t memory_bytes_;
  int64_t count_ = 0;
  int64_t held_bytes_ = 0;
  std::vector<std::string> held_;  // each behind its 8-byte key
  std::vector<std::FILE*> runs_;
};

// Shuffles the records of `from` (read in that order) into `to`.
void ShuffleShards(const std::vector<std::string>& from,
                   const std::vector<std::string>& to, uint64_t seed,
                   int64_t memory_bytes = int64_t{256} << 20);

}  // namespace t2t

#endif  // T2T_FORMATS_SHARDS_H_
