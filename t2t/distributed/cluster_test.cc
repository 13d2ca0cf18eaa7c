#include "t2t/distributed/cluster.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

using Role = Cluster::Role;

struct Place {
  int64_t rank, size, local_rank;
  std::string address;
  int64_t port;
};

void ExpectPlace(const Cluster& cluster, const Place& place) {
  EXPECT_EQ(cluster.role, Role::kWorker);
  EXPECT_EQ(cluster.rank, place.rank);
  EXPECT_EQ(cluster.world_size, place.size);
  EXPECT_EQ(cluster.local_rank, place.local_rank);
  EXPECT_EQ(cluster.address, place.address);
  EXPECT_EQ(cluster.port, place.port);
}

// A usage error that holds every text.
void ExpectError(const ClusterFlags& flags, const Environment& environment,
                 const std::vector<std::string>& texts) {
  try {
    ResolveCluster(flags, environment);
    FAIL() << "no error, where this was expected: " << texts.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    for (const std::string& text : texts) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
          << "'" << text << "' in: " << error.what();
    }
  }
}

TEST(ClusterTest, AloneWhereNothingIsSaid) {
  const Cluster cluster = ResolveCluster({}, {{"HOME", "/root"}, {"RANK", ""}});
  ExpectPlace(cluster, {0, 1, 0, "", 0});
  EXPECT_FALSE(cluster.distributed());
  EXPECT_EQ(cluster.start_here, 0);
}

TEST(ClusterTest, Flags) {
  ClusterFlags flags;
  flags.worker_replicas = 3;
  flags.worker_id = 2;
  flags.rendezvous = "host:1234";
  ExpectPlace(ResolveCluster(flags, {}), {2, 3, 0, "host", 1234});
  flags.rendezvous = "[fe80::1]:99";
  ExpectPlace(ResolveCluster(flags, {}), {2, 3, 0, "fe80::1", 99});
  flags.rendezvous = "host";
  ExpectError(flags, {}, {"--rendezvous=host", "host:port"});
  flags.rendezvous = "host:99999";
  ExpectError(flags, {}, {"--rendezvous=host:99999", "65535"});
  flags.rendezvous = "";
  ExpectError(flags, {}, {"where rank 0 is", "--rendezvous"});
  flags.worker_id = 3;
  ExpectError(flags, {}, {"no rank 3", "--worker_id=3", "--worker_replicas=3"});
  flags.worker_id = -1;
  ExpectError(flags, {}, {"--worker_replicas=3", "which one"});
  flags.worker_replicas = 0;
  flags.worker_id = 1;
  ExpectError(flags, {}, {"--worker_id=1", "the number of ranks"});
}

TEST(ClusterTest, TfConfigRanks) {
  const std::string jobs =
      R"({"cluster": {"chief": ["c:10"], "worker": ["a:20", "b:30"],)"
      R"( "ps": ["p:40"]}, "task": )";
  const auto with = [&](const std::string& task) {
    return Environment{{"TF_CONFIG", jobs + task + "}"}};
  };
  ExpectPlace(ResolveCluster({}, with(R"({"type": "chief", "index": 0})")),
              {0, 3, 0, "c", 10});
  ExpectPlace(ResolveCluster({}, with(R"({"type": "chief"})")),
              {0, 3, 0, "c", 10});
  ExpectPlace(ResolveCluster({}, with(R"({"type": "worker", "index": "1"})")),
              {2, 3, 0, "c", 10});
  EXPECT_EQ(ResolveCluster({}, with(R"({"type": "ps", "index": 0})")).role,
            Role::kParameterServer);
  EXPECT_EQ(ResolveCluster({}, with(R"({"type": "evaluator"})")).role,
            Role::kEvaluator);
  ExpectError({}, with(R"({"type": "worker", "index": 2})"),
              {"TF_CONFIG", "worker 2", "has 2"});
  ExpectError({}, with(R"({"type": "wroker", "index": 0})"),
              {"wroker", "worker"});
  ExpectError({}, with(R"({"type": "master", "index": 0})"), {"master 0"});
  ExpectError({}, with(R"({"index": 0})"), {"the task's type is missing"});
  ExpectError({}, with(R"({"type": "worker"})"),
              {"the task's index is missing", "2 worker"});
  ExpectError({}, with(R"({"type": "worker", "index": -1})"), {"index is -1"});
  ExpectError({}, with("{}"), {"the task's type is missing"});
  ExpectError({}, with("null"), {"'task' is missing"});
}

TEST(ClusterTest, TfConfigOfT2tAndWithoutChief) {
  // t2t-make-tf-configs makes a master of every worker.
  ClusterFlags flags;
  flags.worker_replicas = 2;
  flags.worker_id = 1;
  const Environment masters = {
      {"TF_CONFIG", R"({"cluster": {"ps": ["p:1"], "master": ["a:1", "b:1"]},)"
                    R"( "task": {"type": "master", "index": 1},)"
                    R"( "environment": "cloud"})"}};
  ExpectPlace(ResolveCluster(flags, masters), {1, 2, 0, "a", 1});
  flags.worker_id = 0;
  ExpectError(flags, masters, {"--worker_id=0", "TF_CONFIG (master 1)"});
  const Environment workers = {{"TF_CONFIG",
                                R"({"cluster": {"worker": ["a:1", "b:1"]},)"
                                R"( "task": {"type": "worker", "index": 1}})"}};
  ExpectPlace(ResolveCluster({}, workers), {1, 2, 0, "a", 1});
}

TEST(ClusterTest, TfConfigThatIsWrong) {
  ExpectError({}, {{"TF_CONFIG", "{"}}, {"TF_CONFIG", "\"cluster\""});
  ExpectError({}, {{"TF_CONFIG", "[]"}}, {"no JSON object"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"worker": "a:1"},)"
                             R"( "task": {"type": "worker"}})"}},
              {"'worker' is no list"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"worker": {"one": "a:1"}},)"
                             R"( "task": {"type": "worker"}})"}},
              {"index of cluster's 'worker' is one"});
  ExpectError({}, {{"TF_CONFIG", R"({"cluster": ["a:1"]})"}},
              {"'cluster' is no object"});
  ExpectError({}, {{"TF_CONFIG", R"({"task": "worker"})"}},
              {"'task' is no object"});
  ExpectError({}, {{"TF_CONFIG", R"({"task": {"type": 1}})"}},
              {"type is 1", "chief"});
  ExpectError({},
              {{"TF_CONFIG", R"({"task": {"type": "worker", "index": 1}})"}},
              {"index is 1", "'cluster' is missing"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"ps": ["p:1"]},)"
                             R"( "task": {"type": "worker", "index": 0}})"}},
              {"'cluster' has no worker"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"worker": ["a:1", null]},)"
                             R"( "task": {"type": "worker", "index": 0}})"}},
              {"'worker' holds null"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"worker": [1]},)"
                             R"( "task": {"type": "worker"}})"}},
              {"host:port"});
  ExpectError({},
              {{"TF_CONFIG", R"({"cluster": {"chief": ["a:1"],)"
                             R"( "master": ["b:1"]},)"
                             R"( "task": {"type": "chief"}})"}},
              {"both a chief and a master"});
}

// What is missing, null or empty says nothing.
TEST(ClusterTest, TfConfigOfOneProcess) {
  for (const char* const config :
       {"{}", " ", "null", R"({"cluster": {}, "task": {}})",
        R"({"cluster": null, "task": null})", R"({"environment": "cloud"})",
        R"({"task": {"type": "worker", "index": 0}})",
        R"({"task": {"type": "chief"}, "cluster": {"chief": []}})",
        R"({"task": {"type": null, "index": null}})",
        R"({"task": {"index": "0"}, "cluster": {"worker": null}})",
        R"({"cluster": {"chief": ["a:1"]}, "task": {"type": "chief"}})",
        R"({"cluster": {"worker": {"0": "a:1"}}, "task": {"type": "worker"}})",
        R"({"cluster": {"worker": ["a:1"], "evaluator": ["e:1"]},)"
        R"( "task": {"type": "worker", "index": 0.0}, "rpc_layer": "grpc"})"}) {
    const Cluster cluster = ResolveCluster({}, {{"TF_CONFIG", config}});
    EXPECT_EQ(cluster.world_size, 1) << config;
    EXPECT_EQ(cluster.rank, 0) << config;
    EXPECT_EQ(cluster.role, Role::kWorker) << config;
  }
}

TEST(ClusterTest, TfConfigInItsOtherForms) {
  const Environment by_index = {
      {"TF_CONFIG", R"({"cluster": {"worker": {"7": "b:2", "3": "a:1"},)"
                    R"( "chief": null, "ps": []},)"
                    R"( "task": {"type": " worker ", "index": " 7 "}})"}};
  ExpectPlace(ResolveCluster({}, by_index), {1, 2, 0, "a", 1});
  const Environment evaluator = {
      {"TF_CONFIG", R"({"cluster": {"chief": ["a:1"], "worker": ["b:1"]},)"
                    R"( "task": {"type": "evaluator", "index": 5}})"}};
  EXPECT_EQ(ResolveCluster({}, evaluator).role, Role::kEvaluator);
  const Environment alone = {{"TF_CONFIG", R"({"task": {"type": "ps"}})"}};
  EXPECT_EQ(ResolveCluster({}, alone).role, Role::kParameterServer);
}

TEST(ClusterTest, Torchrun) {
  Environment torchrun = {{"RANK", "5"},          {"WORLD_SIZE", "8"},
                          {"LOCAL_RANK", "1"},    {"LOCAL_WORLD_SIZE", "4"},
                          {"MASTER_ADDR", "one"}, {"MASTER_PORT", "29501"}};
  const Cluster cluster = ResolveCluster({}, torchrun);
  ExpectPlace(cluster, {5, 8, 1, "one", 29501});
  EXPECT_EQ(cluster.source, "RANK=5, WORLD_SIZE=8");
  EXPECT_EQ(cluster.local_size, 4);
  // Under srun and in an indexed Job: these tell of torchrun itself.
  torchrun["SLURM_STEP_ID"] = "0";
  torchrun["SLURM_STEP_NUM_TASKS"] = "2";
  torchrun["SLURM_PROCID"] = "1";
  torchrun["JOB_COMPLETION_INDEX"] = "1";
  ExpectPlace(ResolveCluster({}, torchrun), {5, 8, 1, "one", 29501});
  torchrun.erase("MASTER_PORT");
  ExpectPlace(ResolveCluster({}, torchrun), {5, 8, 1, "one", 29500});
}

TEST(ClusterTest, TorchVariablesThatAreWrong) {
  ExpectError({}, {{"RANK", "1"}}, {"RANK=1", "WORLD_SIZE"});
  ExpectError({}, {{"WORLD_SIZE", "2"}}, {"WORLD_SIZE=2", "RANK"});
  ExpectError({}, {{"RANK", "2"}, {"WORLD_SIZE", "2"}},
              {"no rank 2", "RANK=2", "WORLD_SIZE=2"});
  ExpectError({}, {{"RANK", "one"}, {"WORLD_SIZE", "2"}}, {"RANK=one"});
  ExpectError({}, {{"RANK", "-1"}, {"WORLD_SIZE", "2"}}, {"RANK=-1"});
  ExpectError({}, {{"RANK", "0"}, {"WORLD_SIZE", "0"}}, {"WORLD_SIZE=0"});
  ExpectError({}, {{"RANK", "0"}, {"WORLD_SIZE", "2"}}, {"MASTER_ADDR"});
  ExpectError({},
              {{"RANK", "0"},
               {"WORLD_SIZE", "2"},
               {"MASTER_ADDR", "a"},
               {"MASTER_PORT", "x"}},
              {"MASTER_PORT=x"});
  ExpectPlace(ResolveCluster({}, {{"WORLD_SIZE", "1"}}), {0, 1, 0, "", 0});
}

TEST(ClusterTest, PyTorchJob) {
  Environment job = {{"RANK", "1"},
                     {"WORLD_SIZE", "2"},
                     {"MASTER_ADDR", "job-master-0"},
                     {"MASTER_PORT", "23456"},
                     {"PET_MASTER_ADDR", "job-master-0"},
                     {"PET_MASTER_PORT", "23456"},
                     {"PET_NODE_RANK", "1"},
                     {"PET_NPROC_PER_NODE", "1"},
                     {"PET_NNODES", "2"}};
  ExpectPlace(ResolveCluster({}, job), {1, 2, 0, "job-master-0", 23456});
  // Several ranks a machine: RANK counts machines, WORLD_SIZE ranks.
  job["PET_NPROC_PER_NODE"] = "4";
  job["WORLD_SIZE"] = "8";
  Cluster cluster = ResolveCluster({}, job);
  ExpectPlace(cluster, {4, 8, 0, "job-master-0", 23456});
  EXPECT_EQ(cluster.start_here, 4);
  ClusterFlags flags;
  flags.worker_cpu = 4;
  EXPECT_EQ(ResolveCluster(flags, job).start_here, 4);
  flags.worker_cpu = 2;
  ExpectError(flags, job, {"PET_NPROC_PER_NODE=4", "--worker_cpu=2"});
  job["WORLD_SIZE"] = "9";
  ExpectError({}, job, {"WORLD_SIZE=9", "PET_NPROC_PER_NODE=4"});
  job["WORLD_SIZE"] = "12";
  ExpectError({}, job, {"WORLD_SIZE=12", "PET_NNODES=2"});
  job["PET_NNODES"] = "1:3";
  EXPECT_EQ(ResolveCluster({}, job).world_size, 12);
  job["PET_NNODES"] = "4:5";
  ExpectError({}, job, {"WORLD_SIZE=12", "PET_NNODES=4:5"});
  job.erase("WORLD_SIZE");
  ExpectError({}, job, {"PET_NNODES=4:5", "range"});
  job["PET_NPROC_PER_NODE"] = "auto";
  ExpectError({}, job, {"PET_NPROC_PER_NODE=auto"});
  ExpectError({},
              {{"RANK", "0"},
               {"PET_NODE_RANK", "1"},
               {"PET_NNODES", "2"},
               {"PET_NPROC_PER_NODE", "1"}},
              {"RANK=0", "PET_NODE_RANK=1"});
  ExpectPlace(ResolveCluster({}, {{"PET_NODE_RANK", "0"},
                                  {"PET_NNODES", "2"},
                                  {"PET_NPROC_PER_NODE", "1"},
                                  {"PET_RDZV_ENDPOINT", "a:77"}}),
              {0, 2, 0, "a", 77});
}

TEST(ClusterTest, OpenMpi) {
  Environment mpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                     {"OMPI_COMM_WORLD_SIZE", "4"},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                     {"PMIX_NAMESPACE", "12345"}};
  const Cluster cluster = ResolveCluster({}, mpi);
  EXPECT_EQ(cluster.rank, 1);
  EXPECT_EQ(cluster.world_size, 4);
  EXPECT_EQ(cluster.local_rank, 1);
  EXPECT_EQ(cluster.address, "127.0.0.1");
  // Every rank finds the same port; another job another one.
  mpi["OMPI_COMM_WORLD_RANK"] = mpi["OMPI_COMM_WORLD_LOCAL_RANK"] = "2";
  EXPECT_EQ(ResolveCluster({}, mpi).port, cluster.port);
  mpi["PMIX_NAMESPACE"] = "12346";
  EXPECT_NE(ResolveCluster({}, mpi).port, cluster.port);
  // SLURM around mpirun tells of mpirun's daemons.
  mpi["SLURM_STEP_ID"] = "0";
  mpi["SLURM_STEP_NUM_TASKS"] = "1";
  mpi["SLURM_PROCID"] = "0";
  EXPECT_EQ(ResolveCluster({}, mpi).rank, 2);
  mpi["OMPI_COMM_WORLD_LOCAL_SIZE"] = "2";
  ExpectError({}, mpi, {"where rank 0 is"});
  mpi["MASTER_ADDR"] = "first";
  EXPECT_EQ(ResolveCluster({}, mpi).address, "first");
  mpi["RANK"] = "0";
  ExpectError({}, mpi, {"RANK=0", "OMPI_COMM_WORLD_RANK=2"});
  mpi.erase("RANK");
  mpi["WORLD_SIZE"] = "8";
  ExpectError({}, mpi, {"WORLD_SIZE=8", "OMPI_COMM_WORLD_SIZE=4"});
  mpi.erase("OMPI_COMM_WORLD_SIZE");
  ExpectError({}, mpi, {"OMPI_COMM_WORLD_RANK=2", "OMPI_COMM_WORLD_SIZE"});
}

TEST(ClusterTest, Slurm) {
  Environment slurm = {{"SLURM_PROCID", "3"},
                       {"SLURM_NTASKS", "4"},
                       {"SLURM_LOCALID", "1"},
                       {"SLURM_JOB_ID", "77"},
                       {"SLURM_JOB_NODELIST", "gpu[07-09,12],other"}};
  // A batch script is no step: one process.
  EXPECT_EQ(ResolveCluster({}, slurm).world_size, 1);
  slurm["SLURM_STEP_ID"] = "0";
  const Cluster cluster = ResolveCluster({}, slurm);
  EXPECT_EQ(cluster.rank, 3);
  EXPECT_EQ(cluster.world_size, 4);
  EXPECT_EQ(cluster.local_rank, 1);
  EXPECT_EQ(cluster.address, "gpu07");
  EXPECT_GE(cluster.port, 20000);
  EXPECT_LT(cluster.port, 30000);
  slurm["SLURM_STEP_NUM_TASKS"] = "5";
  EXPECT_EQ(ResolveCluster({}, slurm).world_size, 5);
  ClusterFlags flags;
  flags.worker_replicas = 4;
  ExpectError(flags, slurm, {"--worker_replicas=4", "SLURM_STEP_NUM_TASKS=5"});
}

TEST(ClusterTest, FirstHosts) {
  EXPECT_EQ(FirstHost("alone"), "alone");
  EXPECT_EQ(FirstHost("a,b[1-2]"), "a");
  EXPECT_EQ(FirstHost("n[3,5-6]"), "n3");
  EXPECT_EQ(FirstHost("n[003-004].cluster,m"), "n003.cluster");
}

TEST(ClusterTest, IndexedJob) {
  Environment job = {{"JOB_COMPLETION_INDEX", "2"},
                     {"MASTER_ADDR", "job-0.service"}};
  ExpectError({}, job, {"JOB_COMPLETION_INDEX=2", "JOB_COMPLETIONS"});
  ClusterFlags flags;
  flags.expect_world_size = 3;
  ExpectPlace(ResolveCluster(flags, job), {2, 3, 0, "job-0.service", 29500});
  job["JOB_COMPLETIONS"] = "3";
  ExpectPlace(ResolveCluster({}, job), {2, 3, 0, "job-0.service", 29500});
  job["RANK"] = "1";
  ExpectError({}, job, {"RANK=1", "JOB_COMPLETION_INDEX=2"});
}

TEST(ClusterTest, StartsRanksHere) {
  ClusterFlags flags;
  flags.worker_cpu = 4;
  Cluster cluster = ResolveCluster(flags, {});
  EXPECT_EQ(cluster.start_here, 4);
  EXPECT_EQ(cluster.world_size, 4);
  EXPECT_EQ(cluster.address, "127.0.0.1");
  EXPECT_EQ(cluster.port, 0);  // the launcher picks one
  flags.worker_cpu = 1;
  cluster = ResolveCluster(flags, {});
  EXPECT_EQ(cluster.start_here, 0);
  EXPECT_EQ(cluster.world_size, 1);
  // On the second of two machines.
  flags.worker_cpu = 2;
  flags.worker_id = 1;
  flags.worker_replicas = 2;
  flags.rendezvous = "a:1";
  cluster = ResolveCluster(flags, {});
  ExpectPlace(cluster, {2, 4, 0, "a", 1});
  EXPECT_EQ(cluster.start_here, 2);
  // What the launcher started does not start more.
  const Environment child = {{kLaunchedVariable, "1"}, {"RANK", "3"},
                             {"WORLD_SIZE", "4"},      {"LOCAL_RANK", "1"},
                             {"MASTER_ADDR", "a"},     {"MASTER_PORT", "1"}};
  cluster = ResolveCluster(flags, child);
  ExpectPlace(cluster, {3, 4, 1, "a", 1});
  EXPECT_EQ(cluster.start_here, 0);
  Environment torchrun = child;
  torchrun.erase(kLaunchedVariable);
  flags.worker_id = -1;
  flags.worker_replicas = 0;
  ExpectError(flags, torchrun, {"--worker_cpu=2", "LOCAL_RANK=1"});
  flags = {};
  flags.worker_gpu = 2;
  EXPECT_EQ(ResolveCluster(flags, {}).start_here, 2);
  ExpectError(flags, torchrun, {"--worker_gpu=2", "LOCAL_RANK=1"});
  flags.worker_cpu = 3;
  ExpectError(flags, {}, {"--worker_gpu=2", "--worker_cpu=3"});
}

TEST(ClusterTest, ExpectedSize) {
  ClusterFlags flags;
  flags.expect_world_size = 2;
  ExpectError(flags, {}, {"--expect_world_size=2", "1 rank"});
  const Environment three = {
      {"RANK", "0"}, {"WORLD_SIZE", "3"}, {"MASTER_ADDR", "a"}};
  ExpectError(flags, three, {"--expect_world_size=2", "WORLD_SIZE=3"});
  flags.expect_world_size = 3;
  EXPECT_EQ(ResolveCluster(flags, three).world_size, 3);
  flags.expect_world_size = 4;
  flags.worker_cpu = 4;
  EXPECT_EQ(ResolveCluster(flags, {}).world_size, 4);
  flags.worker_cpu = 3;
  ExpectError(flags, {}, {"--expect_world_size=4", "--worker_cpu=3"});
}

TEST(ClusterTest, LimitsOfTheSize) {
  ClusterFlags flags;
  flags.min_workers = 2;
  flags.max_workers = 3;
  ExpectError(flags, {}, {"--min_workers=2", "it has 1"});
  flags.worker_cpu = 3;
  EXPECT_EQ(ResolveCluster(flags, {}).world_size, 3);
  flags.worker_cpu = 4;
  ExpectError(flags, {}, {"--max_workers=3", "it has 4"});
  flags.max_workers = 0;
  EXPECT_EQ(ResolveCluster(flags, {}).world_size, 4);
  flags.max_workers = 1;
  ExpectError(flags, {}, {"--min_workers=2", "--max_workers=1"});
}

TEST(ClusterTest, ContradictingAddresses) {
  ClusterFlags flags;
  flags.rendezvous = "a:1";
  const Environment torchrun = {{"RANK", "0"},
                                {"WORLD_SIZE", "2"},
                                {"MASTER_ADDR", "b"},
                                {"MASTER_PORT", "1"}};
  ExpectError(flags, torchrun, {"--rendezvous=a:1", "MASTER_ADDR=b"});
  flags.rendezvous = "b:2";
  ExpectError(flags, torchrun, {"--rendezvous=b:2", "MASTER_PORT=1"});
}

TEST(ClusterTest, VariablesForALauncherToSet) {
  for (const char* const name :
       {"TF_CONFIG", "RANK", "PET_NNODES", "OMPI_COMM_WORLD_SIZE",
        "SLURM_PROCID", "JOB_COMPLETION_INDEX", "MASTER_PORT"}) {
    EXPECT_TRUE(IsClusterVariable(name)) << name;
  }
  EXPECT_FALSE(IsClusterVariable("HOME"));
}

}  // namespace
}  // namespace t2t
