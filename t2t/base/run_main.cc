#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "t2t/base/error.h"
#include "t2t/base/process_end.h"
#include "t2t/base/terminal.h"

namespace t2t {
int RunMain(int argc, char** argv, int (*body)(int argc, char** argv)) {
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
