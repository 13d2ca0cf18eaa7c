#include "t2t/base/error.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
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

// GNU OpenMP's threads spin long while they wait for work: where another
// process wants the same core, a training step then takes many times as long.
// The library reads its setting when it is loaded, so the program starts itself
// once more (the same process) with a short spin.
void StartWithShortSpins(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr ||
      std::getenv("OMP_WAIT_POLICY") != nullptr) {
    return;
  }
  ::setenv("GOMP_SPINCOUNT", "5000", 1);
  ::execv("/proc/self/exe", argv);  // where it fails, the old setting serves
}

// What was printed may not have reached its file (a full disk).
int CloseOutput(const char* name, int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "%s: can't write to the standard output: %s\n", name,
               errno != 0 ? std::strerror(errno) : "it failed before");
  return code != 0 ? code : static_cast<int>(ExitCode::kIo);
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
  StartWithShortSpins(argv);
  const char* name = argc > 0 ? argv[0] : "t2t";
  if (const char* slash = std::strrchr(name, '/')) name = slash + 1;
  try {
    return CloseOutput(name, body(argc, argv));
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
