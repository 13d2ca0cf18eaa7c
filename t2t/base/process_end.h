#ifndef T2T_BASE_PROCESS_END_H_
#define T2T_BASE_PROCESS_END_H_

#include <string>
#include <vector>

namespace t2t {

// A signal, or a limit of the system, by which a process can end.
struct ProcessEnd {
  std::string cause;    // "SIGTERM"
  int signal;           // 0: a limit, which a call reports by failing
  int code;             // the program's exit code
  std::string meaning;  // what the program does
};

// The one table of them. README.md and docs/faults.md show it
// (//t2t/base:process_end_test compares).
const std::vector<ProcessEnd>& ProcessEnds();

// The exit code of a program that such a signal asked to end.
int ExitCodeOfStop(int signal);
// "SIGTERM". May be called in a signal's handler.
const char* SignalName(int signal);

// Whether the signal was ignored when the program was started (nohup).
bool IsIgnored(int signal);

// Called by RunMain. From then on each signal of the table that can be caught
// ends the program with its code, whatever its process number (a signal that is
// not caught means nothing to a container's first process), and one that a
// program can outlive makes the call fail that caused it. A program that can do
// better catches signals itself. What is ignored at the start stays so.
void CatchEndSignals(const char* program);

// A reader of standard output or error who is gone (SIGPIPE) does not end the
// program, as a program's that works for its files: what would be printed goes
// on to the end of this file, whose first line says so; nowhere where it is ""
// or can't be written.
void OutliveReaders(const std::string& log_path);

// Prints the exception that is being handled to stderr as the user is to see
// it, and returns its exit code.
int ReportException();

// What RunMain does with standard output at the end, and --help: flushes it.
// Returns code, or kIo after a message where what was printed did not all reach
// its file.
int CloseOutput(int code);

}  // namespace t2t

#endif  // T2T_BASE_PROCESS_END_H_
