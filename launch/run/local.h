#ifndef T2T_LAUNCH_RUN_LOCAL_H_
#define T2T_LAUNCH_RUN_LOCAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

struct LocalOptions {
  // Claims are folders below.
  std::string work_dir;
  // Where the programs are looked for before PATH; "": next to this one.
  std::string bin_dir;
  // Pods to kill (SIGKILL) on the way, once they have lived this long.
  int64_t chaos = 0;
  double chaos_seconds = 1;
  uint64_t seed = 1;
  // 0: none. Everything is ended then.
  double timeout_seconds = 0;
  // The pause before a Pod is started again: the first one, what it doubles up
  // to, and how long the Pod must have run for the first one to come again.
  double restart_seconds = 0.1;
  double restart_most_seconds = 5;
  double restart_reset_seconds = 10;
  // After a workload that has failed, the others still run (a sweep's trials).
  bool keep_going = false;
};

struct LocalResult {
  bool done = false;
  bool timed_out = false;
  int64_t restarts = 0;
  int64_t killed = 0;   // by chaos
  std::string failure;  // the first
  // Of each Pod, the metrics of the last evaluation that t2t-trainer printed.
  std::map<std::string, std::map<std::string, double>> metrics = {};
};

// Runs rendered objects on this machine: the Pods of Jobs, JobSets, TrainJobs,
// TFJobs, PyTorchJobs and MPIJobs as processes, with the variables that each
// operator would set, started again by its own rule; the steps of a Workflow
// after each other. A claim's path in arguments and variables becomes its
// folder's; names of Pods become 127.0.0.1. What needs no process (Services,
// accounts, policies) is passed over; a Deployment is refused.
LocalResult RunLocally(const std::vector<Json>& objects,
                       const LocalOptions& options);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_LOCAL_H_
