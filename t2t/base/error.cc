#include "t2t/base/error.h"

#include <cerrno>
#include <cstring>

namespace t2t {
namespace {

std::string Compose(const std::string& what, const std::string& expected,
                    const std::string& todo) {
  std::string text = what;
  if (!expected.empty()) text += "\n  expected: " + expected;
  if (!todo.empty()) text += "\n  to do:    " + todo;
  return text;
}

// About a call that failed with this errno.
const char* WhatToDo(int error) {
  switch (error) {
    case ENOSPC:
      return "free some space there, then start again";
    case EDQUOT:
      return "free some space there, or have the quota raised";
    case EFBIG:
      return "raise the limit of a file's size (ulimit -f)";
    case EACCES:
    case EPERM:
      return "check the permissions";
    case EROFS:
      return "name a folder on a file system that is not read-only";
    case EMFILE:
      return "raise the limit of open files (ulimit -n)";
    case ENOMEM:
      return "free some memory, or raise its limit (ulimit -v)";
    default:
      return "";
  }
}

}  // namespace

Error::Error(ExitCode code, const std::string& what,
             const std::string& expected, const std::string& todo)
    : std::runtime_error(Compose(what, expected, todo)), code_(code) {}

Error UsageError(const std::string& what, const std::string& expected,
                 const std::string& todo) {
  return Error(ExitCode::kUsage, what, expected, todo);
}

Error DataError(const std::string& what, const std::string& expected,
                const std::string& todo) {
  return Error(ExitCode::kBadData, what, expected, todo);
}

Error MissingError(const std::string& what, const std::string& expected,
                   const std::string& todo) {
  return Error(ExitCode::kMissing, what, expected, todo);
}

Error IoError(const std::string& doing, const std::string& path) {
  const int saved = errno;
  const ExitCode code = saved == ENOENT ? ExitCode::kMissing : ExitCode::kIo;
  return Error(code,
               doing + " " + path + ": " + std::strerror(saved) + " (errno " +
                   std::to_string(saved) + ")",
               "", WhatToDo(saved));
}

Error MismatchError(const std::string& what, const std::string& expected,
                    const std::string& todo) {
  return Error(ExitCode::kMismatch, what, expected, todo);
}

}  // namespace t2t
