#ifndef T2T_DISTRIBUTED_CLUSTER_H_
#define T2T_DISTRIBUTED_CLUSTER_H_

#include <cstdint>
#include <map>
#include <string>

namespace t2t {

using Environment = std::map<std::string, std::string>;
Environment CurrentEnvironment();

// What the command line says about the job. 0, -1 and "" mean: nothing.
struct ClusterFlags {
  int64_t worker_replicas = 0;  // processes, or machines with worker_cpu
  int64_t worker_id = -1;
  std::string rendezvous;  // "host:port" of rank 0
  int64_t worker_cpu = 0;  // ranks to start here
  int64_t worker_gpu = 0;
  int64_t expect_world_size = 0;
  int64_t min_workers = 0;  // ranks; 0: any number
  int64_t max_workers = 0;
};

// Which process of its job this is.
struct Cluster {
  enum class Role {
    kWorker,
    kEvaluator,        // evaluates checkpoints; not one of the ranks
    kParameterServer,  // has nothing to do here
  };

  Role role = Role::kWorker;
  int64_t rank = 0;  // of the first one, where start_here > 0
  int64_t world_size = 1;
  int64_t local_rank = 0;
  int64_t local_size = 1;  // ranks on this machine
  // Ranks that this process is to start, instead of being one itself.
  int64_t start_here = 0;
  // Where rank 0 listens; "" where the job has one process.
  std::string address;
  int64_t port = 0;
  // What says so: "RANK=1, WORLD_SIZE=2".
  std::string source;

  bool distributed() const { return world_size > 1; }
};

// Finds the rank out of the flags and the variables of TensorFlow (TF_CONFIG),
// torchrun and PyTorchJob (RANK, PET_NODE_RANK, ...), Open MPI, SLURM and
// Kubernetes' indexed Jobs. All that say something must agree: a contradiction,
// or too little to know the rank by, is a usage error that shows the sources.
// Only variables of a launcher around another one (SLURM's and the Job's, where
// mpirun or torchrun started this process) are passed over, since they tell of
// the outer one's processes.
Cluster ResolveCluster(const ClusterFlags& flags,
                       const Environment& environment);

// The variables that ResolveCluster reads, for a launcher that sets its own.
bool IsClusterVariable(const std::string& name);
// Marks processes started by our own launcher.
inline constexpr char kLaunchedVariable[] = "T2T_LAUNCHED";

// The first host of SLURM's "node[07-09,12],other": "node07".
std::string FirstHost(const std::string& node_list);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_CLUSTER_H_
