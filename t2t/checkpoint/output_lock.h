#ifndef T2T_CHECKPOINT_OUTPUT_LOCK_H_
#define T2T_CHECKPOINT_OUTPUT_LOCK_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace t2t {

// The right to write into an output_dir: one process has it at a time.
//
// <dir>/writer.lock is locked as long as the owner lives (the kernel, or an NFS
// server, lets go of the lock when it is killed), names the owner, and holds a
// counter that the owner raises: where locks don't reach from machine to
// machine, or a stopped process holds one, an owner whose counter has stood
// still for silence_seconds is taken over.
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
  struct Seen;

  OutputLock(std::string directory, const Options& options);

  bool TryAcquire(Seen* seen);
  // The kernel's lock on fd_: false where another process has it.
  bool LockFile();
  void Claim(bool replace);
  void RemoveForeignStaging() const;
  std::string WhyLost() const;
  void Beat();
  bool OwnsPath() const;
  void Close();

  const std::string directory_;
  const std::string path_;
  const Options options_;
  const std::string token_;
  const std::string staging_;
  bool made_directory_ = false;
  bool claimed_ = false;
  bool locked_ = false;
  int fd_ = -1;

  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_OUTPUT_LOCK_H_
