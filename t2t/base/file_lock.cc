#include "t2t/base/file_lock.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kBootId[] = "/proc/sys/kernel/random/boot_id";

bool NoSuchLocks(int error) {
  return error == EINVAL || error == ENOLCK || error == ENOSYS ||
         error == EOPNOTSUPP;
}

}  // namespace

std::string RandomToken() {
  uint64_t number = 0;
  while (::getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    if (errno != EINTR) throw IoError("can't read", "/dev/urandom");
  }
  char token[17];
  std::snprintf(token, sizeof(token), "%016llx",
                static_cast<unsigned long long>(number));
  return token;
}

std::string HostName() {
  char host[256] = "?";
  ::gethostname(host, sizeof(host) - 1);
  return host;
}

std::string ProcessName() {
  return "pid " + std::to_string(::getpid()) + " on host " + HostName();
}

std::string BootId() {
  const int fd = ::open(kBootId, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  char text[64];
  const ssize_t size = ::read(fd, text, sizeof(text));
  ::close(fd);
  const std::string id(text, size > 0 ? static_cast<size_t>(size) : 0);
  return id.substr(0, id.find('\n'));
}

FileLock TryLockFile(int fd, const std::string& path) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return FileLock::kTaken;
  if (errno == EAGAIN || errno == EACCES) return FileLock::kTakenByAnother;
  if (NoSuchLocks(errno)) return FileLock::kNoSuchLocks;
  throw IoError("can't lock", path);
}

std::string BeatLine(int64_t beat) {
  return Format("%020lld\n", static_cast<long long>(beat));
}

std::string LockOwner::Text() const {
  return beat + token + "\n" + boot + "\n" + name + "\n" +
         DoubleToString(silence_seconds) + "\n";
}

LockOwner ReadLockOwner(int fd) {
  LockOwner owner;
  char text[1024];
  const ssize_t size = ::pread(fd, text, sizeof(text), 0);
  const std::vector<std::string> lines =
      Split({text, size > 0 ? static_cast<size_t>(size) : 0}, '\n');
  if (lines.size() < 5) return owner;
  owner.beat = lines[0] + "\n";
  owner.token = lines[1];
  owner.boot = lines[2];
  owner.name = lines[3];
  ParseDouble(lines[4], &owner.silence_seconds);
  return owner;
}

bool NamesOpenFile(const std::string& path, int fd) {
  struct stat mine;
  struct stat there;
  if (::fstat(fd, &mine) != 0) return false;
  if (::stat(path.c_str(), &there) == 0) {
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
  }
  // What can't be looked at just now is not gone.
  return errno != ENOENT && errno != ESTALE;
}

}  // namespace t2t
