#include "t2t/base/owned_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {

OwnedFile::OwnedFile(std::string path, Options options)
    : path_(std::move(path)),
      options_(std::move(options)),
      token_(RandomToken()) {}

OwnedFile::~OwnedFile() {
  StopBeating();
  Release();
}

FileLock OwnedFile::Lock() {
  const FileLock lock =
      options_.file_locks ? TryLockFile(fd_, path_) : FileLock::kNoSuchLocks;
  locked_ = lock == FileLock::kTaken;
  return lock;
}

// Opened anew each time, as NFS shows what others have written then.
bool OwnedFile::Open() {
  Close();
  // O_DSYNC: what is written is at the server when the call returns.
  fd_ = ::open(path_.c_str(),
               O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_DSYNC, 0666);
  if (fd_ < 0 && errno == ENOENT && options_.make_folder != nullptr) {
    options_.make_folder();
    return false;
  }
  if (fd_ < 0) throw IoError("can't write", path_);
  return true;
}

bool OwnedFile::TryAcquire() {
  if (start_ < 0) start_ = NowSeconds();
  if (!Open()) return false;
  const FileLock lock = Lock();
  // Removed by an owner that ended in between.
  if (!NamesOpenFile(path_, fd_)) return false;
  const LockOwner owner = ReadLockOwner(fd_);
  const bool free = lock != FileLock::kTakenByAnother;
  // Of this kernel: its owner would still hold the lock if it lived.
  const bool dead = locked_ && !owner.boot.empty() && owner.boot == BootId();
  if (free && (owner.token.empty() || dead)) {
    Claim(/*replace=*/false);
    return true;
  }
  const double now = NowSeconds();
  if (owner.token != owner_.token || since_ == 0) {
    since_ = now;
  } else if (owner.beat != owner_.beat) {
    since_ = now;
    alive_ = true;
  }
  owner_ = owner;
  if (now - since_ >= silence_limit()) {
    Warn(owner_name() + ", which " + options_.doing +
         ", has given no sign of life for " + DoubleToString(silence_limit()) +
         " s: this process " + options_.taking_over);
    Claim(/*replace=*/!free);
    return true;
  }
  if (!said_ && now - start_ > 1) {
    said_ = true;
    Log("waiting for " + owner_name() + ", which " + options_.doing);
  }
  return false;
}

std::string OwnedFile::owner_name() const {
  return owner_.name.empty() ? "a process" : owner_.name;
}

double OwnedFile::silence_limit() const {
  return std::max(options_.silence_seconds, owner_.silence_seconds);
}

double OwnedFile::waited_seconds() const {
  return start_ < 0 ? 0 : NowSeconds() - start_;
}

void OwnedFile::Write(const std::string& path) {
  LockOwner owner;
  owner.beat = BeatLine(0);
  owner.token = token_;
  owner.boot = BootId();
  owner.name = ProcessName();
  owner.silence_seconds = options_.told_silence_seconds;
  const std::string text = owner.Text();
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) !=
                                      static_cast<ssize_t>(text.size())) {
    throw IoError("can't write", path);
  }
}

void OwnedFile::Claim(bool replace) {
  claimed_ = true;
  if (options_.before_claim != nullptr) options_.before_claim();
  if (!replace) {
    Write(path_);
    return;
  }
  // The lock on the old file can't be had: a new one takes its place.
  Close();
  const std::string& fresh = options_.replacement;
  fd_ = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_DSYNC,
               0666);
  if (fd_ < 0) throw IoError("can't write", fresh);
  Lock();
  Write(fresh);
  Rename(fresh, path_);
}

void OwnedFile::StartBeating(std::function<bool()> go_on) {
  thread_ = std::thread([this, go_on = std::move(go_on)] { Beat(go_on); });
}

void OwnedFile::StopBeating() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void OwnedFile::Beat(const std::function<bool()>& go_on) {
  const auto interval = std::chrono::duration<double>(
      std::min(2.0, options_.silence_seconds / 8));
  for (int64_t beat = 1;; ++beat) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, interval, [this] { return ending_; })) return;
    }
    if (go_on != nullptr && !go_on()) return;
    // One that can't be written is a beat less: the next may be.
    const std::string line = BeatLine(beat);
    [[maybe_unused]] const ssize_t written =
        ::pwrite(fd_, line.data(), line.size(), 0);
  }
}

std::optional<std::string> OwnedFile::TakenBy() const {
  if (NamesOpenFile(path_, fd_)) {
    const LockOwner owner = ReadLockOwner(fd_);
    if (owner.token.empty() || owner.token == token_) return std::nullopt;
    return owner.name;
  }
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const LockOwner owner = ReadLockOwner(fd);
  ::close(fd);
  return owner.name;
}

void OwnedFile::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

// The file is removed while it is locked, so that a waiting process sees that
// what it gets the lock of isn't there any more. Not where another one took
// over.
void OwnedFile::Release() {
  if (fd_ < 0) return;
  const std::string token = ReadLockOwner(fd_).token;
  // (Empty: its writing failed.)
  const bool mine = token == token_ || (token.empty() && (locked_ || claimed_));
  if (mine && NamesOpenFile(path_, fd_)) ::unlink(path_.c_str());
  Close();
}

}  // namespace t2t
