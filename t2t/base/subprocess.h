#ifndef T2T_BASE_SUBPROCESS_H_
#define T2T_BASE_SUBPROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// A program that a test runs, its output (both streams) in a file.
class Subprocess {
 public:
  // file_size_limit > 0: no file may grow beyond it (a write fails instead).
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
