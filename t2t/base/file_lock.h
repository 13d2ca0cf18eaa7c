#ifndef T2T_BASE_FILE_LOCK_H_
#define T2T_BASE_FILE_LOCK_H_

#include <cstdint>
#include <string>

namespace t2t {

// What processes of several containers and hosts need to share a folder. A pid
// says nothing there: in a container it is always 1.

// 16 random hexadecimal digits.
std::string RandomToken();
std::string HostName();
// "pid 12 on host a": this process, for messages.
std::string ProcessName();
// The same for all processes of one running kernel, in containers too; "" where
// there is none.
std::string BootId();

enum class FileLock { kTaken, kTakenByAnother, kNoSuchLocks };

// Takes the lock on the open file for writing, without waiting. It belongs to
// the open file: closing it, or the end of the process, however it comes, gives
// it up. All processes of a kernel see it, and those of other hosts where the
// file system carries locks (NFS 4; NFS 3 with its lock daemon).
FileLock TryLockFile(int fd, const std::string& path);

// The first line of a lock's file: a counter that its owner raises. Of one
// size, so that it can be written over in place.
std::string BeatLine(int64_t beat);

// What a lock's file says of its owner.
struct LockOwner {
  std::string beat;
  std::string token;
  std::string boot;
  std::string name;  // ProcessName()
  double silence_seconds =
      0;  // after which it may be taken for dead; 0: unsaid

  std::string Text() const;
};

// Without a token where the file is empty, or half-written by a dead owner.
LockOwner ReadLockOwner(int fd);

// Whether the path still names the file that is open.
bool NamesOpenFile(const std::string& path, int fd);

}  // namespace t2t

#endif  // T2T_BASE_FILE_LOCK_H_
