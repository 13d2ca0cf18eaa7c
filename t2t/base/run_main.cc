#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "t2t/base/error.h"
#include "t2t/base/process_end.h"
#include "t2t/base/terminal.h"

namespace t2t {
namespace {

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

}  // namespace

int RunMain(int argc, char** argv, int (*body)(int argc, char** argv)) {
  StartWithShortSpins(argv);
  const char* name = argc > 0 ? argv[0] : "t2t";
  if (const char* slash = std::strrchr(name, '/')) name = slash + 1;
  CatchEndSignals(name);
  int code = 0;
  try {
    code = body(argc, argv);
  } catch (const Error& error) {
    std::fflush(stdout);
    if (error.code() == ExitCode::kOk) {  // --help
      std::fputs(WrapHelp(error.what(), TerminalWidth(STDOUT_FILENO)).c_str(),
                 stdout);
    } else {
      code = ReportException();
    }
  } catch (...) {
    std::fflush(stdout);
    code = ReportException();
  }
  return CloseOutput(code);
}

}  // namespace t2t
