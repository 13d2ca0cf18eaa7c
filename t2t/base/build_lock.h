#ifndef T2T_BASE_BUILD_LOCK_H_
#define T2T_BASE_BUILD_LOCK_H_

#include <string>

#include "t2t/base/owned_file.h"

namespace t2t {

// The right to make what several processes, containers and hosts need in a
// folder that they share, so that one of them makes it and the others wait: the
// owner of the lock's file has it (see OwnedFile).
//
// In the worst case two make the same thing at once. What is made is therefore
// written atomically, and is the same whoever makes it: the lock spares work,
// no file's wholeness depends on it.
class BuildLock {
 public:
  struct Options {
    double silence_seconds = 30;
    // False: as on a file system that knows no locks (tests).
    bool file_locks = true;
  };

  // Waits for it. `what` is for messages: "the vocabulary of p".
  BuildLock(const std::string& path, const std::string& what);
  BuildLock(const std::string& path, const std::string& what,
            const Options& options);

 private:
  OwnedFile file_;
};

// Removes the lock's file where a process of this kernel that was killed left
// it, for those who need no lock themselves.
void RemoveUnusedBuildLock(const std::string& path);

}  // namespace t2t

#endif  // T2T_BASE_BUILD_LOCK_H_
