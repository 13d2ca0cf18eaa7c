#ifndef T2T_TESTS_FAULT_KILL_TIMES_H_
#define T2T_TESTS_FAULT_KILL_TIMES_H_

#include <cstdint>
#include <random>
#include <string>

#include "t2t/base/subprocess.h"

namespace t2t {

// How long an undisturbed run takes.
struct RunTimes {
  double to_first_checkpoint = 0;
  double from_there = 0;  // to its end
};
// Waits for the end of a run that has just been started.
RunTimes TimeRun(Subprocess* run, const std::string& output_dir);

// Random moments to kill runs at. A start takes longer than the few steps of
// the runs here, so four moments in five lie after the run has written a
// checkpoint of its own; the fifth may be any.
class KillTimes {
 public:
  explicit KillTimes(const RunTimes& times);

  // False where the run has ended before the moment came.
  bool Await(Subprocess* run, const std::string& output_dir);
  // Where the last moment was: "at 1.23 s, after a checkpoint of its own".
  const std::string& where() const { return where_; }
  // A number below n.
  size_t Draw(size_t n) { return random_() % n; }

  // The run was killed then.
  void Count();
  // "20 (seed 12; 17 after the run's first checkpoint)"
  std::string Text() const;
  int kills() const { return kills_; }

 private:
  const RunTimes times_;
  const unsigned seed_;
  std::mt19937 random_;
  bool after_own_ = false;
  std::string where_;
  int moments_ = 0;
  int kills_ = 0;
  int after_ = 0;
};

// T2T_FAULT_KILLS, or so many.
int KillsWanted(int otherwise);

}  // namespace t2t

#endif  // T2T_TESTS_FAULT_KILL_TIMES_H_
