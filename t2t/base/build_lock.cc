#include "t2t/base/build_lock.h"

#include <fcntl.h>
#include <unistd.h>

namespace t2t {
namespace {

constexpr useconds_t kPollMicroseconds = 50'000;

OwnedFile::Options FileOptions(const std::string& path, const std::string& what,
                               const BuildLock::Options& options) {
  OwnedFile::Options file;
  file.silence_seconds = options.silence_seconds;
  file.file_locks = options.file_locks;
  file.doing = "makes " + what;
  file.taking_over = "makes it";
  file.replacement = path + "." + RandomToken();
  return file;
}

}  // namespace

BuildLock::BuildLock(const std::string& path, const std::string& what)
    : BuildLock(path, what, Options()) {}

BuildLock::BuildLock(const std::string& path, const std::string& what,
                     const Options& options)
    : file_(path, FileOptions(path, what, options)) {
  while (!file_.TryAcquire()) ::usleep(kPollMicroseconds);
  file_.StartBeating();
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

}  // namespace t2t
