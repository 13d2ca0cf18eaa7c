#ifndef T2T_CHECKPOINT_OUTPUT_LOCK_H_
#define T2T_CHECKPOINT_OUTPUT_LOCK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "t2t/base/owned_file.h"

namespace t2t {

// The right to write into an output_dir: one process has it at a time, the
// owner of <dir>/writer.lock (see OwnedFile).
//
// What the owner writes has its temporary names in <dir>/.writer-<token>
// (StageFiles). Whoever takes over removes that folder first, so the old owner,
// should it wake up, can't rename a file into <dir> any more, whatever it was
// in the middle of.
class OutputLock {
 public:
  struct Options {
    // At most so long without a sign of life.
    double silence_seconds = 15;
    // False: as on a file system that knows no locks (tests).
    bool file_locks = true;
    // Called again and again while another process is the owner; may throw.
    std::function<void()> while_waiting;
    // Called once, by a thread of its own, when another process has taken over.
    // Null: says so and ends this process with kRetry.
    std::function<void(const std::string& why)> on_loss;
  };

  // Waits for an owner that seems to be ending; throws kRetry where another one
  // is alive.
  static std::unique_ptr<OutputLock> Acquire(const std::string& directory,
                                             const Options& options);
  ~OutputLock();
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

  // Whether another process has taken over, as far as is known.
  bool lost() const { return lost_; }

 private:
  OutputLock(const std::string& directory, const Options& options);

  OwnedFile::Options FileOptions() const;
  void MakeStaging() const;
  void RemoveForeignStaging() const;
  std::string WhyLost() const;
  bool CheckStillOwner();

  const std::string directory_;
  const Options options_;
  const std::string staging_;
  bool made_directory_ = false;
  bool staged_ = false;
  std::atomic<bool> lost_{false};
  OwnedFile file_;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_OUTPUT_LOCK_H_
