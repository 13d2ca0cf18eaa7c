#ifndef T2T_BASE_SUBPROCESS_H_
#define T2T_BASE_SUBPROCESS_H_

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace t2t {

// How Spawn() starts a program; as we are, where nothing is said.
struct SpawnOptions {
  // The file to run, where arguments[0] does not name it.
  std::string program;
  // "NAME=value", as MakeEnvironment() gives it; none: our own.
  std::optional<std::vector<std::string>> environment;
  // Descriptors that become its standard input, output and error; -1: ours.
  int in = -1;
  int out = -1;
  int err = -1;
  // Descriptors that it keeps though they are close-on-exec.
  std::vector<int> kept;
  // In a group of its own a terminal's Ctrl-C does not reach it.
  bool own_group = false;
  // Killed where the thread that started it ends, however that comes.
  bool dies_with_parent = false;
  // Signals that do to it what they do by default, though we ignore them.
  std::vector<int> default_signals;
  // The signals that are blocked in it; none: those that are here.
  std::optional<sigset_t> blocked;
  // > 0: no file that it writes may grow beyond it (a write fails instead).
  int64_t file_size_limit = 0;
};

// Starts a program, which PATH is searched for unless its name has a '/'.
// Throws a MissingError where it can't be run, an IoError where no process can
// be made.
pid_t Spawn(const std::vector<std::string>& arguments,
            const SpawnOptions& options = {});

// Waits for the end: the exit code, or 128 + the signal that ended it, as a
// shell counts.
int WaitForEnd(pid_t pid);
// The same of what waitpid() said.
int EndCode(int status);

// Our variables, less those that `drops` takes by their names, and these (name
// and value) in place of ours.
std::vector<std::string> MakeEnvironment(
    const std::vector<std::pair<std::string, std::string>>& variables,
    const std::function<bool(const std::string& name)>& drops);

// A program with its output (both streams) in a file, killed at the latest
// where this ends.
class Subprocess {
 public:
  explicit Subprocess(const std::vector<std::string>& arguments,
                      int64_t file_size_limit = 0);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Waits for the end: the exit code, or minus the signal that ended it.
  int Wait();
  // Whether it has ended, after at most so many seconds.
  bool EndsWithin(double seconds);
  std::string Output() const;

 private:
  std::string output_path_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

struct RunResult {
  int code;
  std::string output;
};
RunResult RunProgram(const std::vector<std::string>& arguments,
                     int64_t file_size_limit = 0);

}  // namespace t2t

#endif  // T2T_BASE_SUBPROCESS_H_
