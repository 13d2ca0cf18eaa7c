#include "t2t/checkpoint/output_lock.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/staging.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kLockName[] = "writer.lock";
constexpr char kStagingPrefix[] = ".writer-";
constexpr useconds_t kPollMicroseconds = 50'000;

}  // namespace

OutputLock::OutputLock(const std::string& directory, const Options& options)
    : directory_(directory),
      options_(options),
      staging_(JoinPath(directory_, kStagingPrefix + RandomToken())),
      file_(JoinPath(directory_, kLockName), FileOptions()) {}

OwnedFile::Options OutputLock::FileOptions() const {
  OwnedFile::Options file;
  file.silence_seconds = options_.silence_seconds;
  file.told_silence_seconds = options_.silence_seconds;
  file.file_locks = options_.file_locks;
  file.doing = "writes into " + directory_;
  file.taking_over = "takes over";
  // An owner that wrote nothing takes its folder away with it.
  file.make_folder = [this] { MakeDirectories(directory_); };
  file.before_claim = [this] { MakeStaging(); };
  file.replacement = JoinPath(staging_, kLockName);
  return file;
}

void OutputLock::MakeStaging() const {
  if (::mkdir(staging_.c_str(), 0777) != 0) {
    throw IoError("can't make the folder", staging_);
  }
}

std::unique_ptr<OutputLock> OutputLock::Acquire(const std::string& directory,
                                                const Options& options) {
  auto lock = std::unique_ptr<OutputLock>(new OutputLock(directory, options));
  lock->made_directory_ = !IsDirectory(directory);
  MakeDirectories(directory);
  OwnedFile* const file = &lock->file_;
  while (!file->TryAcquire()) {
    if (file->owner_alive() &&
        file->waited_seconds() >= file->silence_limit()) {
      throw Error(ExitCode::kRetry,
                  "another trainer writes into " + directory + ": " +
                      file->owner_name(),
                  "one at a time",
                  "wait for its end or stop it; or name another --output_dir");
    }
    if (options.while_waiting != nullptr) options.while_waiting();
    ::usleep(kPollMicroseconds);
  }
  // Two that claim at once on a file system without locks: one of them at least
  // finds the other's folder, and removes it.
  lock->RemoveForeignStaging();
  const std::string why = lock->WhyLost();
  if (!why.empty()) throw Error(ExitCode::kRetry, why);
  StageFiles(lock->directory_, lock->staging_);
  lock->staged_ = true;
  OutputLock* const started = lock.get();
  file->StartBeating([started] { return started->CheckStillOwner(); });
  return lock;
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
  const std::optional<std::string> owner = file_.TakenBy();
  if (owner) {
    return what + ": " + (owner->empty() ? file_.path() + " is gone" : *owner);
  }
  struct stat info;
  if (::stat(staging_.c_str(), &info) == 0 || errno != ENOENT) return "";
  return what + ": " + staging_ + " is gone";
}

bool OutputLock::CheckStillOwner() {
  const std::string why = WhyLost();
  if (why.empty()) return true;
  lost_ = true;
  if (options_.on_loss != nullptr) {
    options_.on_loss(why);
    return false;
  }
  Log("error: " + why + "; this one ends and writes nothing more");
  std::fflush(nullptr);
  ::_exit(static_cast<int>(ExitCode::kRetry));
}

OutputLock::~OutputLock() {
  file_.StopBeating();
  if (staged_) StageFiles("", "");
  try {
    if (Exists(staging_)) RemoveTree(staging_);
    file_.Release();
    // A run that never came to write anything leaves nothing.
    if (made_directory_) {
      [[maybe_unused]] const int result = ::rmdir(directory_.c_str());
    }
  } catch (const Error& error) {
    Warn(error.what());
  }
}

}  // namespace t2t
