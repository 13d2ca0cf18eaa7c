#ifndef T2T_BASE_OWNED_FILE_H_
#define T2T_BASE_OWNED_FILE_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "t2t/base/file_lock.h"

namespace t2t {

// A file that one process at a time owns, among the processes, containers and
// hosts that share its folder.
//
// The file is locked (fcntl, of the open file) as long as the owner lives: the
// kernel, or the NFS server, gives the lock up when the owner is killed, and
// the next one goes on at once. Where locks don't reach from host to host (NFS
// mounted with nolock), and where an owner is stopped, or its host is dead but
// its lock isn't, the file tells: the owner writes a counter into it every
// second or so, and an owner whose counter stands still for silence_seconds is
// taken over.
class OwnedFile {
 public:
  struct Options {
    double silence_seconds = 30;
    // Written into the file: others wait so long at least before they take this
    // owner for dead. 0: as long as their own options say.
    double told_silence_seconds = 0;
    // False: as on a file system that knows no locks (tests).
    bool file_locks = true;
    // For messages: what an owner does ("writes into d"), and what this process
    // does once the owner is silent ("takes over").
    std::string doing;
    std::string taking_over;
    // Makes the file's folder, which an owner may have taken away at its end;
    // null: that is an error.
    std::function<void()> make_folder;
    // Called before this process writes its name into the file; null: nothing.
    std::function<void()> before_claim;
    // Where a file is made that takes the place of one whose lock can't be had:
    // in the same file system.
    std::string replacement;
  };

  OwnedFile(std::string path, Options options);
  // Stops beating and removes the file, where it still is this process's.
  ~OwnedFile();
  OwnedFile(const OwnedFile&) = delete;
  OwnedFile& operator=(const OwnedFile&) = delete;

  // Tries to become the owner; does not wait. To be called again and again:
  // says whom it waits for, and when it takes over.
  bool TryAcquire();
  // Of the owner that was seen last: its name; whether its counter was seen to
  // move; after how much silence it is taken for dead.
  std::string owner_name() const;
  bool owner_alive() const { return alive_; }
  double silence_limit() const;
  double waited_seconds() const;

  // Raises the counter from now on, in a thread of its own, until go_on (null:
  // always) returns false.
  void StartBeating(std::function<bool()> go_on = nullptr);
  void StopBeating();

  // Ends the ownership before the object's end.
  void Release();

  // Who has taken the file from this process: its name, or "" where the file is
  // gone; nullopt where this process still owns it.
  std::optional<std::string> TakenBy() const;

  const std::string& path() const { return path_; }

 private:
  bool Open();
  FileLock Lock();
  void Claim(bool replace);
  void Write(const std::string& path);
  void Beat(const std::function<bool()>& go_on);
  void Close();

  const std::string path_;
  const Options options_;
  const std::string token_;
  int fd_ = -1;
  bool locked_ = false;
  bool claimed_ = false;

  // Of the owner that can't be told to be dead.
  double start_ = -1;  // when this process first tried
  LockOwner owner_;
  double since_ = 0;  // when the owner was first seen like this
  bool alive_ = false;
  bool said_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace t2t

#endif  // T2T_BASE_OWNED_FILE_H_
