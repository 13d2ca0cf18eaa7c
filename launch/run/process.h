#ifndef T2T_LAUNCH_RUN_PROCESS_H_
#define T2T_LAUNCH_RUN_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace t2t {

// A child process in a group of its own; its lines (both streams) are printed
// with a prefix.
class Process {
 public:
  // `variables` are added to ours (those of a cluster's making are left out).
  // Throws a MissingError where the program can't be run.
  Process(std::string prefix, const std::vector<std::string>& command,
          const std::vector<std::pair<std::string, std::string>>& variables);
  ~Process();  // kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // To the whole group.
  void Signal(int signal) const;
  // Prints what has come; true once it has ended.
  bool Poll();
  // As a container's: 128 + the signal where one ended it.
  int exit_code() const { return exit_code_; }
  double started() const { return started_; }
  // By its lines "t2t-metric: loss=1.234567 step=9": the last value of each.
  const std::map<std::string, double>& metrics() const { return metrics_; }

 private:
  void Drain(bool all);
  void PrintLine(const std::string& line);

  std::string prefix_;
  std::string rest_;
  std::map<std::string, double> metrics_;
  pid_t pid_ = -1;
  int output_ = -1;
  bool ended_ = false;
  int exit_code_ = 0;
  double started_ = 0;
};

// Whether a variable is a launcher's around us, which names a place in a job
// that what we start has no part in.
bool IsOfAnotherLauncher(const std::string& name);

// A TCP port of the loopback interface that nobody listens on now.
int FreePort();

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_PROCESS_H_
