#include "t2t/checkpoint/output_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/staging.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kLockName[] = "writer.lock";
constexpr char kStagingPrefix[] = ".writer-";
constexpr double kPollSeconds = 0.05;

bool WriteRecord(int fd, const std::string& text) {
  return ::ftruncate(fd, 0) == 0 && ::write(fd, text.data(), text.size()) ==
                                        static_cast<ssize_t>(text.size());
}

}  // namespace

// What was seen of an owner that can't be told to be dead.
struct OutputLock::Seen {
  double start = NowSeconds();
  LockOwner owner;
  double since = 0;  // when it was first seen like this
  bool alive = false;
  bool said = false;
};

OutputLock::OutputLock(std::string directory, const Options& options)
    : directory_(std::move(directory)),
      path_(JoinPath(directory_, kLockName)),
      options_(options),
      token_(RandomToken()),
      staging_(JoinPath(directory_, kStagingPrefix + token_)) {}

std::unique_ptr<OutputLock> OutputLock::Acquire(const std::string& directory,
                                                const Options& options) {
  auto lock = std::unique_ptr<OutputLock>(new OutputLock(directory, options));
  lock->made_directory_ = !IsDirectory(directory);
  MakeDirectories(directory);
  Seen seen;
  while (!lock->TryAcquire(&seen)) {
    if (options.while_waiting != nullptr) options.while_waiting();
    ::usleep(static_cast<useconds_t>(kPollSeconds * 1e6));
  }
  StageFiles(lock->directory_, lock->staging_);
  OutputLock* const started = lock.get();
  lock->thread_ = std::thread([started] { started->Beat(); });
  return lock;
}

bool OutputLock::LockFile() {
  locked_ = false;
  if (!options_.file_locks) return true;
  const FileLock lock = TryLockFile(fd_, path_);
  locked_ = lock == FileLock::kTaken;
  return lock != FileLock::kTakenByAnother;
}

bool OutputLock::OwnsPath() const { return NamesOpenFile(path_, fd_); }

bool OutputLock::TryAcquire(Seen* seen) {
  Close();
  // O_DSYNC: what is written is at the server when the call returns.
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_DSYNC, 0666);
  if (fd_ < 0 && errno == ENOENT) {
    // An owner that wrote nothing took its folder away with it.
    MakeDirectories(directory_);
    return false;
  }
  if (fd_ < 0) throw IoError("can't write", path_);
  const bool free = LockFile();
  // Removed by an owner that ended in between.
  if (!OwnsPath()) return false;
  const LockOwner owner = ReadLockOwner(fd_);
  // Of this kernel: its owner would still hold the lock if it lived.
  const bool dead = locked_ && !owner.boot.empty() && owner.boot == BootId();
  if (free && (owner.token.empty() || dead)) {
    Claim(/*replace=*/false);
    return true;
  }
  const double now = NowSeconds();
  if (owner.token != seen->owner.token || seen->since == 0) {
    seen->since = now;
  } else if (owner.beat != seen->owner.beat) {
    seen->since = now;
    seen->alive = true;
  }
  seen->owner = owner;
  const double limit =
      std::max(options_.silence_seconds, owner.silence_seconds);
  const std::string name = owner.name.empty() ? "a process" : owner.name;
  if (now - seen->since >= limit) {
    Warn(name + ", which writes into " + directory_ +
         ", has given no sign of life for " + DoubleToString(limit) +
         " s: this process takes over");
    Claim(/*replace=*/!free);
    return true;
  }
  if (now - seen->start >= limit && seen->alive) {
    throw Error(ExitCode::kRetry,
                "another trainer writes into " + directory_ + ": " + name,
                "one at a time",
                "wait for its end or stop it; or name another --output_dir");
  }
  if (!seen->said && now - seen->start > 1) {
    seen->said = true;
    Log("waiting for " + name + ", which writes into " + directory_);
  }
  return false;
}

void OutputLock::Claim(bool replace) {
  LockOwner owner;
  owner.beat = BeatLine(0);
  owner.token = token_;
  owner.boot = BootId();
  owner.name = ProcessName();
  owner.silence_seconds = options_.silence_seconds;
  claimed_ = true;
  if (::mkdir(staging_.c_str(), 0777) != 0) {
    throw IoError("can't make the folder", staging_);
  }
  if (replace) {
    // The lock on the old file can't be had: a new one takes its place.
    Close();
    const std::string fresh = JoinPath(staging_, kLockName);
    fd_ = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_DSYNC,
                 0666);
    if (fd_ < 0) throw IoError("can't write", fresh);
    LockFile();
    if (!WriteRecord(fd_, owner.Text())) throw IoError("can't write", fresh);
    Rename(fresh, path_);
  } else if (!WriteRecord(fd_, owner.Text())) {
    throw IoError("can't write", path_);
  }
  // Two that claim at once on a file system without locks: one of them at least
  // finds the other's folder, and removes it.
  RemoveForeignStaging();
  const std::string why = WhyLost();
  if (!why.empty()) throw Error(ExitCode::kRetry, why);
}

void OutputLock::RemoveForeignStaging() const {
  int count = 0;
  for (const std::string& name : ListDirectory(directory_)) {
    const std::string path = JoinPath(directory_, name);
    if (!StartsWith(name, kStagingPrefix) || path == staging_) continue;
    // From now on its owner finds nothing there any more. Then it is removed,
    // since an NFS client may know the folder by more than its name.
    const std::string here =
        JoinPath(staging_, "old-" + std::to_string(count++));
    if (::rename(path.c_str(), here.c_str()) != 0) {
      const int saved = errno;
      // Another one was faster: it has moved that folder, or this one's.
      if (!Exists(path) || !Exists(staging_)) continue;
      errno = saved;
      throw IoError("can't rename", path);
    }
    for (int attempt = 1;; ++attempt) {
      try {
        RemoveTree(here);
        break;
      } catch (const Error&) {
        // A file that was just being made appeared in it.
        if (attempt == 3) throw;
      }
    }
  }
}

// "" where this process still is the owner.
std::string OutputLock::WhyLost() const {
  const std::string what =
      "another process has taken over " + directory_ + " from this one";
  if (OwnsPath()) {
    const LockOwner owner = ReadLockOwner(fd_);
    if (!owner.token.empty() && owner.token != token_) {
      return what + ": " + owner.name;
    }
    struct stat info;
    if (::stat(staging_.c_str(), &info) == 0 || errno != ENOENT) return "";
    return what + ": " + staging_ + " is gone";
  }
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return what + ": " + path_ + " is gone";
  const LockOwner owner = ReadLockOwner(fd);
  ::close(fd);
  return what + ": " + owner.name;
}

void OutputLock::Beat() {
  const auto interval = std::chrono::duration<double>(
      std::min(2.0, options_.silence_seconds / 8));
  for (int64_t beat = 1;; ++beat) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, interval, [this] { return ending_; })) return;
    }
    const std::string why = WhyLost();
    if (!why.empty()) {
      lost_ = true;
      if (options_.on_loss != nullptr) {
        options_.on_loss(why);
        return;
      }
      Log("error: " + why + "; this one ends and writes nothing more");
      std::fflush(nullptr);
      ::_exit(static_cast<int>(ExitCode::kRetry));
    }
    // One that can't be written is a beat less: the next may be.
    const std::string line = BeatLine(beat);
    [[maybe_unused]] const ssize_t written =
        ::pwrite(fd_, line.data(), line.size(), 0);
  }
}

void OutputLock::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

OutputLock::~OutputLock() {
  if (thread_.joinable()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
    StageFiles("", "");
  }
  try {
    if (claimed_) {
      RemoveTree(staging_);
      // (Empty: its writing failed.)
      const std::string token = fd_ < 0 ? "?" : ReadLockOwner(fd_).token;
      if ((token == token_ || token.empty()) && OwnsPath()) RemoveFile(path_);
    }
    // A run that never came to write anything leaves nothing.
    if (made_directory_) {
      [[maybe_unused]] const int result = ::rmdir(directory_.c_str());
    }
  } catch (const Error& error) {
    Warn(error.what());
  }
  Close();
}

}  // namespace t2t
