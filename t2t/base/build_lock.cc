#include "t2t/base/build_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr double kPollSeconds = 0.05;

}  // namespace

// What was seen of an owner that can't be told to be dead.
struct BuildLock::Seen {
  double start = NowSeconds();
  LockOwner owner;
  double since = NowSeconds();  // when it was first seen like this
  bool said = false;
};

BuildLock::BuildLock(std::string path, std::string what)
    : BuildLock(std::move(path), std::move(what), Options()) {}

BuildLock::BuildLock(std::string path, std::string what, const Options& options)
    : path_(std::move(path)),
      what_(std::move(what)),
      options_(options),
      token_(RandomToken()) {
  Seen seen;
  try {
    while (!TryAcquire(&seen)) {
      ::usleep(static_cast<useconds_t>(kPollSeconds * 1e6));
    }
  } catch (...) {
    Release();
    throw;
  }
  thread_ = std::thread([this] { Beat(); });
}

FileLock BuildLock::Lock() {
  const FileLock lock =
      options_.file_locks ? TryLockFile(fd_, path_) : FileLock::kNoSuchLocks;
  locked_ = lock == FileLock::kTaken;
  return lock;
}

bool BuildLock::TryAcquire(Seen* seen) {
  // Opened anew each time, as NFS shows what others have written then.
  Close();
  fd_ = ::open(path_.c_str(),
               O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_DSYNC, 0666);
  if (fd_ < 0) throw IoError("can't write", path_);
  const FileLock lock = Lock();
  // Removed by an owner that ended in between.
  if (!NamesOpenFile(path_, fd_)) return false;
  const LockOwner owner = ReadLockOwner(fd_);
  const bool free = lock != FileLock::kTakenByAnother;
  // Of this kernel: its owner would still hold the lock if it lived.
  const bool dead = lock == FileLock::kTaken && owner.boot == BootId();
  if (free && (owner.token.empty() || dead)) {
    Claim();
    return true;
  }
  const double now = NowSeconds();
  if (owner.token != seen->owner.token || owner.beat != seen->owner.beat) {
    seen->owner = owner;
    seen->since = now;
  }
  const std::string name = owner.name.empty() ? "a process" : owner.name;
  if (now - seen->since >= options_.silence_seconds) {
    Warn(name + ", which makes " + what_ + ", has given no sign of life for " +
         DoubleToString(options_.silence_seconds) +
         " s: this process makes it");
    if (free) {
      Claim();
    } else {
      Replace();
    }
    return true;
  }
  if (!seen->said && now - seen->start > 1) {
    seen->said = true;
    Log("waiting for " + name + ", which makes " + what_);
  }
  return false;
}

void BuildLock::Claim() {
  LockOwner owner;
  owner.beat = BeatLine(0);
  owner.token = token_;
  owner.boot = BootId();
  owner.name = ProcessName();
  const std::string text = owner.Text();
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) !=
                                      static_cast<ssize_t>(text.size())) {
    throw IoError("can't write", path_);
  }
}

// The lock on the old file can't be had: a new one takes its place.
void BuildLock::Replace() {
  Close();
  const std::string fresh = path_ + "." + token_;
  fd_ = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_DSYNC,
               0666);
  if (fd_ < 0) throw IoError("can't write", fresh);
  Lock();
  Claim();
  Rename(fresh, path_);
}

void BuildLock::Beat() {
  const auto interval = std::chrono::duration<double>(
      std::min(2.0, options_.silence_seconds / 8));
  for (int64_t beat = 1;; ++beat) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, interval, [this] { return ending_; })) return;
    }
    // One that can't be written is a beat less: the next may be.
    const std::string line = BeatLine(beat);
    [[maybe_unused]] const ssize_t written =
        ::pwrite(fd_, line.data(), line.size(), 0);
  }
}

void RemoveUnusedBuildLock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return;
  if (TryLockFile(fd, path) == FileLock::kTaken &&
      ReadLockOwner(fd).boot == BootId() && NamesOpenFile(path, fd)) {
    ::unlink(path.c_str());
  }
  ::close(fd);
}

void BuildLock::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

BuildLock::~BuildLock() {
  if (thread_.joinable()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Release();
}

// The file is removed while it is locked, so that a waiting process sees that
// what it gets the lock of isn't there any more. Not where another one took
// over.
void BuildLock::Release() {
  if (fd_ < 0) return;
  const std::string token = ReadLockOwner(fd_).token;
  // (Empty: its writing failed.)
  const bool mine = token == token_ || (token.empty() && locked_);
  if (mine && NamesOpenFile(path_, fd_)) ::unlink(path_.c_str());
  Close();
}

}  // namespace t2t
