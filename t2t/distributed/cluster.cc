#include "t2t/distributed/cluster.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/cluster_sources.h"

namespace t2t {
namespace {

constexpr int64_t kDefaultPort = 29500;  // torchrun's

void CheckLimits(const ClusterFlags& flags, int64_t size) {
  const int64_t least = flags.min_workers;
  const int64_t most = flags.max_workers;
  if (least < 0 || most < 0 || (most > 0 && least > most)) {
    throw UsageError(
        "--min_workers=" + std::to_string(least) +
            " and --max_workers=" + std::to_string(most),
        "numbers of ranks, the first not above the second; 0: any");
  }
  if (size >= least && (most == 0 || size <= most)) return;
  throw UsageError(
      size < least ? "--min_workers=" + std::to_string(least)
                   : "--max_workers=" + std::to_string(most),
      "a job of as many ranks (it has " + std::to_string(size) + ")",
      "start more, or fewer, or change the flag");
}

// The ranks that this machine's process is to start.
void AddRanksHere(const ClusterFlags& flags, JobSettings* job) {
  if (flags.worker_gpu > 0 && flags.worker_cpu > 0) {
    throw UsageError(
        "--worker_gpu=" + std::to_string(flags.worker_gpu) +
            " and --worker_cpu=" + std::to_string(flags.worker_cpu),
        "one of them");
  }
  if (flags.worker_gpu > 0) {
    job->start_here.Add(flags.worker_gpu,
                        "--worker_gpu=" + std::to_string(flags.worker_gpu));
  }
  if (flags.worker_cpu > 0) {
    job->start_here.Add(flags.worker_cpu,
                        "--worker_cpu=" + std::to_string(flags.worker_cpu));
  }
  if (job->local_rank.known() &&
      std::max(flags.worker_cpu, flags.worker_gpu) > 1) {
    throw UsageError("the ranks of this machine are started twice: by " +
                         job->start_here.source() + " and by what set " +
                         job->local_rank.source(),
                     "one of them", "leave --worker_cpu and --worker_gpu out");
  }
}

// An indexed Job's pods are not told how many there are, but
// --expect_world_size may.
void AddExpectedSize(const ClusterFlags& flags, JobSettings* job) {
  if (job->size.known() || !job->rank.known() || flags.expect_world_size <= 0) {
    return;
  }
  const int64_t each = job->start_here.known() ? job->start_here.value() : 1;
  if (flags.expect_world_size % each != 0) return;
  job->size.Add(
      flags.expect_world_size / each,
      "--expect_world_size=" + std::to_string(flags.expect_world_size));
}

// Throws where the rank is told without the number of ranks, or the other way
// round, or is beyond it.
void CheckRank(const JobSettings& job) {
  if (job.rank.known() && !job.size.known() && job.rank.value() > 0) {
    throw UsageError("the rank is told (" + job.rank.source() +
                         "), but not the number of ranks",
                     "WORLD_SIZE, JOB_COMPLETIONS, --worker_replicas or "
                     "--expect_world_size beside it");
  }
  if (job.size.known() && job.size.value() > 1 && !job.rank.known()) {
    throw UsageError("the number of ranks is told (" + job.size.source() +
                         "), but not which one this is",
                     "RANK, JOB_COMPLETION_INDEX or --worker_id beside it",
                     "--worker_cpu=N starts N ranks on this machine");
  }
  const int64_t size = job.size.known() ? job.size.value() : 1;
  const int64_t rank = job.rank.known() ? job.rank.value() : 0;
  if (rank < size) return;
  throw UsageError(
      "there is no rank " + std::to_string(rank) + " (" + job.rank.source() +
          ") of " + std::to_string(size) + " (" +
          (job.size.known() ? job.size.source() : std::string("one process")) +
          ")",
      "a rank below the number of ranks");
}

void CheckExpectedSize(const ClusterFlags& flags, const JobSettings& job,
                       const Cluster& cluster) {
  const int64_t size = cluster.world_size;
  if (flags.expect_world_size <= 0 || size == flags.expect_world_size) return;
  throw UsageError(
      "--expect_world_size=" + std::to_string(flags.expect_world_size) +
          ", but the job has " + Count(size, "rank") +
          (job.size.known() ? " by " + job.size.source() : "") +
          (cluster.start_here > 0 ? " and " + job.start_here.source() : ""),
      "that many",
      size == 1 ? "nothing told this process of the others: look at what "
                  "started it"
                : "");
}

std::string SourceText(const JobSettings& job, const Cluster& cluster) {
  std::vector<std::string> sources;
  if (job.rank.known()) sources.push_back(job.rank.source());
  if (job.size.known() &&
      (sources.empty() || sources[0] != job.size.source())) {
    sources.push_back(job.size.source());
  }
  if (cluster.start_here > 0) sources.push_back(job.start_here.source());
  return Join(sources, ", ");
}

// Where rank 0 of several is.
void SetRendezvous(const JobSettings& job, bool one_machine, Cluster* cluster) {
  if (job.address.known()) {
    cluster->address = job.address.value();
  } else if (one_machine) {
    cluster->address = "127.0.0.1";
  } else {
    throw UsageError("nothing tells where rank 0 is (" + cluster->source + ")",
                     "MASTER_ADDR and MASTER_PORT, or --rendezvous=host:port");
  }
  if (job.port.known()) {
    cluster->port = job.port.value();
  } else if (!job.job_name.empty()) {
    cluster->port = 20000 + static_cast<int64_t>(Rng::Combine(0, job.job_name) %
                                                 uint64_t{10000});
  } else if (cluster->start_here == 0 || !one_machine) {
    cluster->port = kDefaultPort;
  }
}

}  // namespace

Environment CurrentEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      environment[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return environment;
}

std::string FirstHost(const std::string& node_list) {
  const size_t bracket = node_list.find('[');
  const size_t comma = node_list.find(',');
  if (bracket == std::string::npos || comma < bracket) {
    return node_list.substr(0, comma);
  }
  const size_t close = node_list.find(']', bracket);
  const std::string range = node_list.substr(
      bracket + 1,
      close == std::string::npos ? std::string::npos : close - bracket - 1);
  const std::string number = range.substr(0, range.find_first_of(",-"));
  std::string after;
  if (close != std::string::npos) {
    after = node_list.substr(close + 1);
    after = after.substr(0, after.find(','));
  }
  return node_list.substr(0, bracket) + number + after;
}

bool IsClusterVariable(const std::string& name) {
  static const auto* const names =
      new std::vector<std::string>{"TF_CONFIG",
                                   "RANK",
                                   "WORLD_SIZE",
                                   "LOCAL_RANK",
                                   "MASTER_ADDR",
                                   "MASTER_PORT",
                                   "SLURM_STEP_ID",
                                   "SLURM_STEP_NUM_TASKS",
                                   "SLURM_PROCID",
                                   "SLURM_LOCALID",
                                   "JOB_COMPLETION_INDEX",
                                   "JOB_COMPLETIONS",
                                   "LOCAL_WORLD_SIZE"};
  for (const std::string& one : *names) {
    if (name == one) return true;
  }
  return StartsWith(name, "PET_") || StartsWith(name, "OMPI_COMM_WORLD_");
}

Cluster ResolveCluster(const ClusterFlags& flags,
                       const Environment& environment) {
  const Variables variables(environment);
  const bool launched = variables.Has(kLaunchedVariable);
  JobSettings job;
  Cluster cluster;
  if (!launched) AddFlags(flags, &job);
  if (const std::string* config = variables.Find("TF_CONFIG")) {
    cluster.role = AddTfConfig(*config, &job);
    if (cluster.role != Cluster::Role::kWorker) {
      cluster.source = "TF_CONFIG";
      return cluster;
    }
  }
  AddTorch(variables, &job);
  AddOpenMpi(variables, &job);
  const bool nested =
      variables.Has("OMPI_COMM_WORLD_RANK") || variables.Has("LOCAL_RANK");
  if (!nested) {
    AddSlurm(variables, &job);
    AddIndexedJob(variables, &job);
  }
  if (!launched) AddRanksHere(flags, &job);
  AddExpectedSize(flags, &job);
  CheckRank(job);
  cluster.world_size = job.size.known() ? job.size.value() : 1;
  cluster.rank = job.rank.known() ? job.rank.value() : 0;
  const bool one_machine = job.one_machine || cluster.world_size == 1;
  if (job.start_here.known() && job.start_here.value() > 1) {
    cluster.start_here = job.start_here.value();
    cluster.rank *= cluster.start_here;
    cluster.world_size *= cluster.start_here;
  }
  CheckExpectedSize(flags, job, cluster);
  CheckLimits(flags, cluster.world_size);
  if (job.local_rank.known()) cluster.local_rank = job.local_rank.value();
  if (job.local_size.known()) cluster.local_size = job.local_size.value();
  cluster.source = SourceText(job, cluster);
  if (cluster.world_size > 1) SetRendezvous(job, one_machine, &cluster);
  return cluster;
}

}  // namespace t2t
