#ifndef T2T_TRAIN_PROFILER_H_
#define T2T_TRAIN_PROFILER_H_

#include <cstdint>
#include <string>

#include "t2t/base/output_file.h"

namespace t2t {

// Steps [begin, end) of a run.
struct ProfileSteps {
  int64_t begin = 0;
  int64_t end = 0;
};
// "10-15" (to the 15th, included) or "10"; throws a usage error.
ProfileSteps ParseProfileSteps(const std::string& text);

// Where a rank's profile goes: rank 0's to path, rank 1's to "x.rank1.json" for
// "x.json".
std::string ProfilePath(const std::string& path, int64_t rank);

// Writes what some of this process' steps did as a Chrome trace (Kineto's),
// which chrome://tracing and Perfetto show.
class StepProfiler {
 public:
  // path: "" for no profile. first_step: the one that the run goes on with;
  // steps count from there.
  StepProfiler(std::string path, ProfileSteps steps, int64_t first_step);
  // Writes what there is where the run ends before the last of them.
  ~StepProfiler();
  StepProfiler(const StepProfiler&) = delete;
  StepProfiler& operator=(const StepProfiler&) = delete;

  void BeforeStep(int64_t step);
  // step: the number of steps that are done. Throws an IoError where the file
  // can't be written.
  void AfterStep(int64_t step);

 private:
  void Stop();

  const std::string path_;
  OutputPlace place_;
  const ProfileSteps steps_;
  const int64_t first_step_;
  bool running_ = false;
};

}  // namespace t2t

#endif  // T2T_TRAIN_PROFILER_H_
