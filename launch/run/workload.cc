#include "launch/run/workload.h"

#include <algorithm>
#include <string>
#include <vector>

#include "launch/render/pod.h"
#include "launch/render/restart_rules.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

void AddJob(const std::string& name, const Json& spec, Workload* workload) {
  const Json* const completions = spec.Find("completions");
  if (completions == nullptr) {
    Pod pod;
    pod.name = name;
    pod.pod_template = &spec.At("template");
    workload->pods.push_back(std::move(pod));
    return;
  }
  if (const Json* const parallelism = spec.Find("parallelism")) {
    workload->parallelism = parallelism->AsInt();
  }
  for (int64_t i = 0; i < completions->AsInt(); ++i) {
    Pod pod;
    pod.name = name + "-" + std::to_string(i);
    pod.pod_template = &spec.At("template");
    pod.variables = {{"JOB_COMPLETION_INDEX", std::to_string(i)}};
    workload->pods.push_back(std::move(pod));
  }
}

void AddReplicatedJobs(const std::string& name, const Json& spec,
                       Workload* workload) {
  for (const Json& job : spec.At("replicatedJobs").items()) {
    AddJob(name + "-" + job.At("name").AsString() + "-0",
           job.At("template").At("spec"), workload);
  }
}

// Kubeflow Trainer merges the TrainJob into its runtime's JobSet and sets
// torchrun's variables.
void AddTrainJob(const std::string& name, const Json& spec,
                 const std::vector<Json>& objects, Workload* workload) {
  const std::string& wanted = spec.At("runtimeRef").At("name").AsString();
  const Json* runtime = nullptr;
  for (const Json& object : objects) {
    if (object.At("kind").AsString() == "TrainingRuntime" &&
        object.At("metadata").At("name").AsString() == wanted) {
      runtime = &object;
    }
  }
  if (runtime == nullptr) {
    throw DataError("the TrainJob's runtime " + wanted + " is not here");
  }
  workload->rules = *runtime;
  workload->together = true;
  const Json& runtime_spec = workload->rules.At("spec");
  const int64_t nodes = spec.At("trainer").At("numNodes").AsInt();
  const std::string per_node =
      std::to_string(spec.At("trainer").At("numProcPerNode").AsInt());
  const Json& job =
      runtime_spec.At("template").At("spec").At("replicatedJobs").items()[0];
  for (int64_t i = 0; i < nodes; ++i) {
    Pod pod;
    pod.name = name + "-node-0-" + std::to_string(i);
    pod.pod_template = &job.At("template").At("spec").At("template");
    pod.variables = {{"JOB_COMPLETION_INDEX", std::to_string(i)},
                     {"PET_NNODES", std::to_string(nodes)},
                     {"PET_NPROC_PER_NODE", per_node},
                     {"PET_NODE_RANK", std::to_string(i)},
                     {"PET_MASTER_ADDR", "127.0.0.1"},
                     {"PET_MASTER_PORT", std::to_string(workload->port)}};
    workload->pods.push_back(std::move(pod));
  }
}

void AddPyTorchJob(const std::string& name, const Json& spec,
                   Workload* workload) {
  const Json& replicas = spec.At("pytorchReplicaSpecs");
  int64_t total = 0;
  for (const auto& [role, replica] : replicas.members()) {
    total += replica.At("replicas").AsInt();
  }
  std::string per_node = "1";
  if (const Json* const given = spec.Find("nprocPerNode")) {
    per_node = given->AsString();
  }
  int64_t processes = 1;
  ParseInt(per_node, &processes);
  int64_t rank = 0;
  for (const auto& [role, replica] : replicas.members()) {
    for (int64_t i = 0; i < replica.At("replicas").AsInt(); ++i, ++rank) {
      Pod pod;
      pod.name = name + "-" + Lower(role) + "-" + std::to_string(i);
      pod.role = role;
      pod.pod_template = &replica.At("template");
      pod.variables = {{"MASTER_ADDR", "127.0.0.1"},
                       {"MASTER_PORT", std::to_string(workload->port)},
                       {"WORLD_SIZE", std::to_string(total * processes)},
                       {"RANK", std::to_string(rank)},
                       {"PET_NODE_RANK", std::to_string(rank)},
                       {"PET_NPROC_PER_NODE", per_node},
                       {"PET_NNODES", std::to_string(total)}};
      workload->pods.push_back(std::move(pod));
    }
  }
}

const Json* TfTemplate(const Json& spec, const std::string& role) {
  if (const Json* const list = spec.Find("replicaSpecs")) {
    for (const Json& replica : list->items()) {
      if (replica.At("tfReplicaType").AsString() == role) {
        return &replica.At("template");
      }
    }
  }
  return &spec.At("tfReplicaSpecs").At(role).At("template");
}

void AddTfJob(const std::string& name, const Json& spec, Workload* workload) {
  // v1alpha1 has a list, and other names.
  Json replicas = Json::Object();
  if (const Json* const list = spec.Find("replicaSpecs")) {
    for (const Json& replica : list->items()) {
      replicas.Set(replica.At("tfReplicaType").AsString(), replica);
    }
  } else {
    replicas = spec.At("tfReplicaSpecs");
  }
  workload->leader = replicas.Find("Chief") != nullptr ? "Chief" : "MASTER";
  Json cluster = Json::Object();
  for (const auto& [role, replica] : replicas.members()) {
    if (role == "Evaluator") continue;  // it is not part of the cluster
    Json hosts = Json::Array();
    for (int64_t i = 0; i < replica.At("replicas").AsInt(); ++i) {
      hosts.Append(Json("127.0.0.1:" + std::to_string(FreePort())));
    }
    cluster.Set(Lower(role), hosts);
  }
  const Json& source = workload->object.At("spec");
  for (const auto& [role, replica] : replicas.members()) {
    for (int64_t i = 0; i < replica.At("replicas").AsInt(); ++i) {
      Pod pod;
      pod.name = name + "-" + Lower(role) + "-" + std::to_string(i);
      pod.role = role;
      pod.pod_template = TfTemplate(source, role);
      pod.variables = {
          {"TF_CONFIG",
           Object({{"cluster", cluster},
                   {"task", Object({{"type", Lower(role)}, {"index", i}})},
                   {"environment", "cloud"}})
               .ToString()}};
      workload->pods.push_back(std::move(pod));
    }
  }
}

// The launcher's mpirun is played here: its ranks with Open MPI's variables.
void AddMpiJob(const std::string& name, const Json& spec, Workload* workload) {
  const Json& launcher =
      spec.At("mpiReplicaSpecs").At("Launcher").At("template");
  const std::vector<Json>& arguments =
      launcher.At("spec").At("containers").items()[0].At("args").items();
  int64_t ranks = 0;
  size_t at = 0;
  for (; at + 1 < arguments.size(); at += 2) {
    const std::string& option = arguments[at].AsString();
    if (option == "-np") ParseInt(arguments[at + 1].AsString(), &ranks);
    if (option.empty() || option[0] != '-') break;
  }
  std::vector<std::string> command;
  for (; at < arguments.size(); ++at) {
    command.push_back(arguments[at].AsString());
  }
  const int64_t slots = spec.At("slotsPerWorker").AsInt();
  for (int64_t i = 0; i < ranks; ++i) {
    Pod pod;
    pod.name = name + "-worker-" + std::to_string(i / slots) +
               (slots > 1 ? "." + std::to_string(i % slots) : "");
    pod.pod_template = &launcher;
    pod.command = command;
    pod.variables = {{"OMPI_COMM_WORLD_RANK", std::to_string(i)},
                     {"OMPI_COMM_WORLD_SIZE", std::to_string(ranks)},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", std::to_string(i % slots)},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", std::to_string(slots)}};
    workload->pods.push_back(std::move(pod));
  }
}

}  // namespace

bool MakeWorkload(const Json& object, const std::vector<Json>& objects,
                  Workload* workload) {
  const std::string& kind = object.At("kind").AsString();
  const std::string& name = object.At("metadata").At("name").AsString();
  workload->object = object;
  workload->rules = object;
  workload->port = FreePort();
  if (kind == "Job" || kind == "Step") {
    AddJob(name, workload->object.At("spec"), workload);
  } else if (kind == "JobSet") {
    workload->together = true;
    AddReplicatedJobs(name, workload->object.At("spec"), workload);
  } else if (kind == "TrainJob") {
    AddTrainJob(name, object.At("spec"), objects, workload);
  } else if (kind == "PyTorchJob") {
    workload->leader = "Master";
    AddPyTorchJob(name, workload->object.At("spec"), workload);
  } else if (kind == "TFJob") {
    AddTfJob(name, workload->object.At("spec"), workload);
  } else if (kind == "MPIJob") {
    workload->together = true;
    AddMpiJob(name, workload->object.At("spec"), workload);
  } else {
    return false;
  }
  workload->limit = RestartLimit(workload->rules);
  return true;
}

bool IsOver(const Workload& workload) {
  return std::all_of(
      workload.pods.begin(), workload.pods.end(), [&](const Pod& pod) {
        return pod.done ||
               (!workload.leader.empty() && pod.role != workload.leader);
      });
}

}  // namespace t2t
