#ifndef T2T_CHECKPOINT_CHECKPOINT_WRITER_H_
#define T2T_CHECKPOINT_CHECKPOINT_WRITER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "t2t/checkpoint/background.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {

// Writes a folder's checkpoints in the background, one at a time. All calls
// come from one thread.
class CheckpointWriter {
 public:
  // What a rank writes of a checkpoint by itself.
  struct Shard {
    std::string name;
    std::map<std::string, TensorShard> tensors;
  };

  // Removes what a killed process left half-written in the folder.
  CheckpointWriter(std::string model_dir, int64_t keep_max);
  // Of another rank than the first, which writes nothing but its own shard.
  explicit CheckpointWriter(std::string model_dir);

  // Copies the tensors into memory of its own and returns; a write before this
  // one is waited for. Throws what that one threw. keep_always: the steps whose
  // checkpoints stay for good.
  // Where it has shards, own is this rank's; those of the others are awaited
  // (with while_waiting called now and then, which may throw), and then the
  // checkpoint itself is written.
  void Save(const Checkpoint& checkpoint,
            const std::vector<int64_t>& keep_always = {},
            const Shard* own = nullptr,
            const std::function<void()>& while_waiting = nullptr);
  // The same for another rank's shard.
  void SaveShard(const Shard& own);
  // Until the checkpoint is on the disk and was read back. Throws what its
  // write threw.
  void Wait() { job_.Wait(); }
  // Throws where a write has failed already; does not wait.
  void ThrowIfFailed() { job_.ThrowIfFailed(); }

  // What the last Save() took: waiting for the one before, copying.
  double wait_seconds() const { return wait_seconds_; }
  double copy_seconds() const { return copy_seconds_; }
  // What its write took; after Wait().
  double write_seconds() const { return write_seconds_; }

 private:
  // Waits for the write before.
  void CopyShard(const Shard& own);
  void AwaitShards() const;

  const std::string model_dir_;
  const int64_t keep_max_;
  // The job's while it runs.
  Checkpoint copy_;
  Shard shard_;
  std::function<void()> while_waiting_;
  std::vector<int64_t> keep_always_;
  double wait_seconds_ = 0;
  double copy_seconds_ = 0;
  double write_seconds_ = 0;
  BackgroundJob job_;  // last: it ends before what it uses
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_CHECKPOINT_WRITER_H_
