#include "t2t/train/profiler.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

namespace kineto = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
using torch::profiler::impl::ProfilerConfig;
using torch::profiler::impl::ProfilerState;

// More would not fit into memory, or into a viewer.
constexpr int64_t kMostSteps = 100;

}  // namespace

ProfileSteps ParseProfileSteps(const std::string& text) {
  const std::vector<std::string> ends = Split(text, '-');
  ProfileSteps steps;
  if (ends.size() > 2 || !ParseInt(ends.front(), &steps.begin) ||
      !ParseInt(ends.back(), &steps.end) || steps.begin < 1 ||
      steps.end < steps.begin || steps.end - steps.begin >= kMostSteps) {
    throw UsageError("--profile_steps=" + text,
                     "the first and the last of the run's steps to profile, a "
                     "hundred at most, as 10-15; the first is 1");
  }
  --steps.begin;
  return steps;
}

std::string ProfilePath(const std::string& path, int64_t rank) {
  if (rank == 0) return path;
  const std::string end = ".json";
  const bool has_end = EndsWith(path, end);
  return path.substr(0, path.size() - (has_end ? end.size() : 0)) + ".rank" +
         std::to_string(rank) + (has_end ? end : "");
}

StepProfiler::StepProfiler(std::string path, ProfileSteps steps,
                           int64_t first_step)
    : path_(std::move(path)), steps_(steps), first_step_(first_step) {
  if (path_.empty()) return;
  // To be known now, not after the steps.
  place_ = FindOutput(path_, /*make_folder=*/true);
  if (place_.is_file()) WriteOutput(place_, "{\"traceEvents\": []}\n");
  // It tells of GPUs that are not there.
  ::setenv("KINETO_LOG_LEVEL", "99", /*overwrite=*/0);
}

StepProfiler::~StepProfiler() {
  if (!running_) return;
  try {
    Stop();
  } catch (const std::exception& error) {
    Warn(error.what());
  }
}

void StepProfiler::BeforeStep(int64_t step) {
  if (path_.empty() || step - first_step_ != steps_.begin) return;
  const ProfilerConfig config(ProfilerState::KINETO);
  const std::set<ActivityType> activities = {ActivityType::CPU};
  kineto::prepareProfiler(config, activities);
  kineto::enableProfiler(config, activities);
  running_ = true;
}

void StepProfiler::AfterStep(int64_t step) {
  if (running_ && step - first_step_ >= steps_.end) Stop();
}

void StepProfiler::Stop() {
  running_ = false;
  const std::unique_ptr<kineto::ProfilerResult> result =
      kineto::disableProfiler();
  // Kineto does not tell whether it could write.
  const std::string folder =
      place_.is_file() ? "" : MakeTempDirectory("t2t-profile");
  const std::string temporary =
      (place_.is_file() ? place_.path : JoinPath(folder, "profile")) + ".tmp-" +
      RandomToken() + ".json";
  result->save(temporary);
  std::string trace;
  if (Exists(temporary)) trace = ReadFile(temporary);
  RemoveFile(temporary);
  if (!folder.empty()) RemoveTree(folder);
  if (!EndsWith(Trim(trace), "}")) {
    throw Error(ExitCode::kIo, "the profile could not be written to " + path_,
                "room and permission to write there");
  }
  WriteOutput(place_, trace);
  Log("the profile is in " + path_ +
      " (chrome://tracing and ui.perfetto.dev show it)");
}

}  // namespace t2t
