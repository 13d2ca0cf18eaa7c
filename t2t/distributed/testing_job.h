#ifndef T2T_DISTRIBUTED_TESTING_JOB_H_
#define T2T_DISTRIBUTED_TESTING_JOB_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/distributed/cluster.h"
#include "t2t/distributed/process_group.h"

namespace t2t {

// A job's ranks in a test, each a process of its own, forked: the test itself
// is not to have used torch's threads before.
class Job {
 public:
  // group: null where the job has one rank.
  using Body = std::function<void(ProcessGroup* group)>;

  explicit Job(int64_t size);
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  ProcessGroup::Options* options() { return &options_; }
  Cluster* cluster() { return &cluster_; }

  // A failed expectation in a body is exit code 1, an Error its own.
  void Start(int64_t rank, const Body& body);
  void StartAll(const Body& body);

  struct End {
    int code;  // minus the signal
    std::string message;
  };
  // Of the i-th started.
  End Wait(size_t i) const;
  void ExpectAllWell() const;
  void Signal(size_t i, int signal) const;
  // A body tells that it has come so far; the test waits for so many.
  void TellReady() const;
  void AwaitReady(int count) const;

 private:
  int RunRank(const Body& body, int fd) const;

  struct Started {
    pid_t pid;
    int fd;
  };
  Cluster cluster_;
  ProcessGroup::Options options_;
  int ready_[2];
  std::vector<Started> ranks_;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_TESTING_JOB_H_
