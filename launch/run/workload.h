#ifndef T2T_LAUNCH_RUN_WORKLOAD_H_
#define T2T_LAUNCH_RUN_WORKLOAD_H_

#include <climits>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "launch/run/backoff.h"
#include "launch/run/process.h"
#include "t2t/base/json.h"

namespace t2t {

// Names and values of a process' environment.
using Variables = std::vector<std::pair<std::string, std::string>>;

// A Pod that is a process of this machine.
struct Pod {
  std::string name;
  std::string role;  // the replica type
  const Json* pod_template = nullptr;
  Variables variables;
  // Instead of the template's (an MPI rank).
  std::vector<std::string> command;
  std::unique_ptr<Process> process;
  bool done = false;
  double start_at = 0;
  // Null until it has ended once; of a workload that starts together, its
  // first Pod's counts.
  std::unique_ptr<Backoff> backoff;
};

// A Job, JobSet, TrainJob, TFJob, PyTorchJob or MPIJob: its Pods, and what of
// them ends it. Pods point into object and rules: neither copied nor moved.
struct Workload {
  Workload() = default;
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  Json object;
  // What the rule by exit code is read from.
  Json rules;
  std::vector<Pod> pods;
  int64_t parallelism = INT_MAX;
  // A failure starts all of them again (JobSet, MPIJob), not that one alone.
  bool together = false;
  // Its end is the workload's ("Chief"); "": all must be done.
  std::string leader;
  int64_t limit = 0;
  // MASTER_ADDR and MASTER_PORT of the manifest are for Pods; here:
  int port = 0;
};

// The Pods that object's operator would start, with the variables that it would
// set, on 127.0.0.1. objects: where a TrainJob's runtime is looked for. False
// for what has no Pods. Throws a DataError where that runtime is not there.
bool MakeWorkload(const Json& object, const std::vector<Json>& objects,
                  Workload* workload);

// Whether what ends the workload has ended.
bool IsOver(const Workload& workload);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_WORKLOAD_H_
