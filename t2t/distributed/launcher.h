#ifndef T2T_DISTRIBUTED_LAUNCHER_H_
#define T2T_DISTRIBUTED_LAUNCHER_H_

#include <string>
#include <vector>

#include "t2t/distributed/cluster.h"

namespace t2t {

// The variable that hands rank 0 the rendezvous socket, already listening, so
// that no other program can take the port in between.
inline constexpr char kListenFdVariable[] = "T2T_RENDEZVOUS_FD";

struct LaunchOptions {
  // From SIGTERM to SIGKILL for the ranks beside one that ended badly.
  double grace_seconds = 8;
  // So often the ranks are started again where one was lost (kRetry).
  int64_t max_restarts = 0;
  // Then without those that were killed, as long as so many are left; 0: all
  // again. For a job on this machine alone.
  int64_t min_ranks = 0;
};

// Starts cluster.start_here ranks of this program with the same arguments and
// waits for them. Each finds its rank in torchrun's variables (RANK, ...).
// Their lines come out with "[rank 1] " before them. SIGTERM and SIGINT are
// passed on. Where one ends badly, the others get SIGTERM, and are killed where
// they have not ended in time; where this process is killed, they are too.
//
// Returns the exit code: 0 where all ended well; the first code below 128
// (retrying does not help) where there is one; that of the stop signal where
// one came; else that of the first to end badly, which is kRetry where it was
// killed.
int RunLocalRanks(const Cluster& cluster,
                  const std::vector<std::string>& arguments,
                  const LaunchOptions& options = {});

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_LAUNCHER_H_
