// What launcher_test starts: `launcher_program RANKS MODE [MIN_RANKS]` starts
// ranks of itself, which do what MODE says.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/cluster.h"
#include "t2t/distributed/launcher.h"

namespace t2t {
namespace {

void EndByHand(int signal) { ::_exit(128 + signal); }

int RunRank(const std::string& mode, const Cluster& cluster) {
  if (mode == "hello") {
    std::printf("I am %d of %d, locally %d\n", static_cast<int>(cluster.rank),
                static_cast<int>(cluster.world_size),
                static_cast<int>(cluster.local_rank));
    std::fprintf(stderr, "t2t-metric: loss=%d.5 step=1\nno newline",
                 static_cast<int>(cluster.rank));
    return std::getenv(kListenFdVariable) != nullptr && cluster.rank > 0 ? 1
                                                                         : 0;
  }
  if (mode == "shrink") {
    std::printf("%d of %d\n", static_cast<int>(cluster.rank),
                static_cast<int>(cluster.world_size));
    std::fflush(stdout);
    if (cluster.world_size < 3) return 0;
    if (cluster.rank == 2) {
      ::usleep(500'000);  // the others have printed
      ::raise(SIGKILL);
    }
  } else if (mode == "wait") {
    ::signal(SIGTERM, EndByHand);
    std::puts("ready");
    std::fflush(stdout);
  } else if (cluster.rank == 1) {
    if (mode == "killed") ::raise(SIGKILL);
    if (mode == "crash") std::abort();
    return mode == "retry" ? 138 : 3;
  } else if (mode == "follow") {
    ::usleep(200'000);
    return 138;
  }
  ::sleep(60);
  return 0;
}

int Main(int argc, char** argv) {
  ClusterFlags flags;
  ParseInt(argv[1], &flags.worker_cpu);
  const Cluster cluster = ResolveCluster(flags, CurrentEnvironment());
  if (cluster.start_here == 0) return RunRank(argv[2], cluster);
  LaunchOptions options;
  options.grace_seconds = 0.5;
  if (argc > 3) {
    options.max_restarts = 2;
    ParseInt(argv[3], &options.min_ranks);
  }
  return RunLocalRanks(cluster, {argv, argv + argc}, options);
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
