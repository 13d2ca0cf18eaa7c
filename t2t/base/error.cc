#include "t2t/base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

namespace t2t {
namespace {

std::string Compose(const std::string& what, const std::string& expected,
                    const std::string& todo) {
  std::string text = what;
  if (!expected.empty()) text += "\n  expected: " + expected;
  if (!todo.empty()) text += "\n  to do:    " + todo;
  return text;
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
  std::string todo;
  if (saved == ENOSPC) todo = "free some space there, then start again";
  if (saved == EACCES || saved == EPERM) todo = "check the permissions";
  return Error(code,
               doing + " " + path + ": " + std::strerror(saved) + " (errno " +
                   std::to_string(saved) + ")",
               "", todo);
}

Error MismatchError(const std::string& what, const std::string& expected,
                    const std::string& todo) {
  return Error(ExitCode::kMismatch, what, expected, todo);
}

int RunMain(int argc, char** argv, int (*body)(int argc, char** argv)) {
  const char* name = argc > 0 ? argv[0] : "t2t";
  if (const char* slash = std::strrchr(name, '/')) name = slash + 1;
  try {
    return body(argc, argv);
  } catch (const Error& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return static_cast<int>(error.code());
  } catch (const std::bad_alloc&) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s: out of memory\n", name);
    return static_cast<int>(ExitCode::kIo);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s: internal error: %s\n", name, error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}

}  // namespace t2t
