#include "tests/fault/kill_times.h"

#include <cstdlib>

#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr double kTurn = 0.002;

// The index is written after each checkpoint, and names it.
std::string Index(const std::string& output_dir) {
  try {
    return ReadFile(JoinPath(output_dir, "checkpoint"));
  } catch (const std::exception&) {
    return "";
  }
}

// Until there is another index than this one; false where the run ends first.
bool AwaitIndex(Subprocess* run, const std::string& output_dir,
                const std::string& before) {
  while (!run->EndsWithin(kTurn)) {
    if (Index(output_dir) != before) return true;
  }
  return false;
}

}  // namespace

RunTimes TimeRun(Subprocess* run, const std::string& output_dir) {
  RunTimes times;
  const double start = NowSeconds();
  AwaitIndex(run, output_dir, "");
  const double saved = NowSeconds();
  times.to_first_checkpoint = saved - start;
  run->Wait();
  times.from_there = NowSeconds() - saved;
  return times;
}

KillTimes::KillTimes(const RunTimes& times)
    : times_(times), seed_(std::random_device()()), random_(seed_) {}

bool KillTimes::Await(Subprocess* run, const std::string& output_dir) {
  const auto up_to = [&](double seconds) {
    return std::uniform_real_distribution<double>(0, seconds)(random_);
  };
  const std::string before = Index(output_dir);
  const double start = NowSeconds();
  bool runs;
  if (moments_++ % 5 == 4) {
    runs =
        !run->EndsWithin(up_to(times_.to_first_checkpoint + times_.from_there));
  } else {
    // (What is left of a run that goes on is shorter than a whole one.)
    runs = AwaitIndex(run, output_dir, before) &&
           !run->EndsWithin(up_to(times_.from_there / 2));
  }
  after_own_ = Index(output_dir) != before;
  where_ = Format("at %.2f s, %s a checkpoint of its own", NowSeconds() - start,
                  after_own_ ? "after" : "before");
  return runs;
}

void KillTimes::Count() {
  ++kills_;
  after_ += after_own_;
}

std::string KillTimes::Text() const {
  return Format("%d (seed %u; %d after the run's first checkpoint)", kills_,
                seed_, after_);
}

int KillsWanted(int otherwise) {
  const char* const text = std::getenv("T2T_FAULT_KILLS");
  int64_t kills = 0;
  return text != nullptr && ParseInt(text, &kills) ? static_cast<int>(kills)
                                                   : otherwise;
}

}  // namespace t2t
