#ifndef T2T_BASE_BUILD_LOCK_H_
#define T2T_BASE_BUILD_LOCK_H_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "t2t/base/file_lock.h"

namespace t2t {

// The right to make what several processes, containers and hosts need in a
// folder that they share, so that one of them makes it and the others wait.
//
// The lock's file is locked (fcntl, of the open file) as long as the owner
// lives: the kernel, or the NFS server, gives it up when the owner is killed,
// and the next one goes on at once. Where locks don't reach from host to host
// (NFS mounted with nolock), and where an owner is stopped, or its host is dead
// but its lock isn't, the file tells: the owner writes a counter into it every
// second or so, and one that stands still for silence_seconds is taken over.
//
// So in the worst case two make the same thing at once. What is made is
// therefore written atomically, and is the same whoever makes it: the lock
// spares work, no file's wholeness depends on it.
class BuildLock {
 public:
  struct Options {
    double silence_seconds = 30;
    // False: as on a file system that knows no locks (tests).
    bool file_locks = true;
  };

  // Waits for it. `what` is for messages: "the vocabulary of p".
  BuildLock(std::string path, std::string what);
  BuildLock(std::string path, std::string what, const Options& options);
  ~BuildLock();
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

 private:
  struct Seen;

  bool TryAcquire(Seen* seen);
  FileLock Lock();
  void Claim();
  void Replace();
  void Beat();
  void Release();
  void Close();

  const std::string path_;
  const std::string what_;
  const Options options_;
  const std::string token_;
  int fd_ = -1;
  bool locked_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

// Removes the lock's file where a process of this kernel that was killed left
// it, for those who need no lock themselves.
void RemoveUnusedBuildLock(const std::string& path);

}  // namespace t2t

#endif  // T2T_BASE_BUILD_LOCK_H_
