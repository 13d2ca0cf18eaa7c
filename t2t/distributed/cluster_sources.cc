#include "t2t/distributed/cluster_sources.h"

#include <vector>

#include "t2t/base/strings.h"
#include "t2t/distributed/tf_config.h"

namespace t2t {
namespace {

constexpr int64_t kMaxRanks = 1 << 20;

int64_t ParseNumber(const std::string& text, const std::string& source,
                    int64_t low, int64_t high) {
  int64_t value = 0;
  if (!ParseInt(text, &value) || value < low || value > high) {
    throw UsageError(
        source + " is no number that can be used here",
        "from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

// "host:port", "[v6]:port" or "host".
void AddHostPort(const std::string& text, const std::string& source,
                 bool port_needed, JobSettings* job) {
  std::string rest = text;
  const size_t scheme = rest.find("://");
  if (scheme != std::string::npos) rest = rest.substr(scheme + 3);
  std::string host = rest;
  std::string port;
  const size_t bracket = rest.rfind(']');
  const size_t colon = rest.rfind(':');
  if (colon != std::string::npos &&
      (bracket == std::string::npos ? rest.find(':') == colon
                                    : colon == bracket + 1)) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host.find('/') != std::string::npos ||
      (port_needed && port.empty())) {
    throw UsageError(source + ": '" + text + "' is no address", "host:port");
  }
  job->address.Add(host, source);
  if (!port.empty()) {
    job->port.Add(ParseNumber(port, source + " (the port)", 1, 65535), source);
  }
}

// PET_NNODES is a number of machines, or a range of them.
void AddTorchNodes(const Variables& variables, JobSettings* job) {
  const std::string* const nodes = variables.Find("PET_NNODES");
  if (nodes == nullptr || variables.Has("LOCAL_RANK")) return;
  const std::string source = "PET_NNODES=" + *nodes;
  const std::vector<std::string> range = Split(*nodes, ':');
  const int64_t low = ParseNumber(range[0], source, 1, kMaxRanks);
  const int64_t high =
      range.size() == 2 ? ParseNumber(range[1], source, low, kMaxRanks) : low;
  if (range.size() > 2) throw UsageError(source + " is no number or range");
  if (low == high) {
    job->size.Add(low, source);
  } else if (!job->size.known()) {
    throw UsageError(source + " is a range, and nothing tells the number",
                     "WORLD_SIZE or --worker_replicas beside it");
  } else if (job->size.value() < low || job->size.value() > high) {
    throw UsageError("the number of ranks is told in two ways: " +
                         job->size.source() + " and " + source,
                     "a number in that range");
  }
}

}  // namespace

const std::string* Variables::Find(const std::string& name) const {
  const auto found = environment_.find(name);
  return found == environment_.end() || found->second.empty() ? nullptr
                                                              : &found->second;
}

void Variables::AddNumber(const std::string& name, int64_t low, int64_t high,
                          Setting<int64_t>* setting) const {
  if (const std::string* value = Find(name)) {
    const std::string source = Source(name, *value);
    setting->Add(ParseNumber(*value, source, low, high), source);
  }
}

void Variables::AddText(const std::string& name,
                        Setting<std::string>* setting) const {
  if (const std::string* value = Find(name)) {
    setting->Add(*value, Source(name, *value));
  }
}

void Variables::CheckBoth(const std::string& a, const std::string& b) const {
  if (Has(a) == Has(b)) return;
  const std::string& there = Has(a) ? a : b;
  throw UsageError(Source(there, *Find(there)) + " is set, but " +
                       (Has(a) ? b : a) + " is not",
                   "both or neither");
}

void AddFlags(const ClusterFlags& flags, JobSettings* job) {
  if (flags.worker_replicas > 0) {
    job->size.Add(flags.worker_replicas,
                  "--worker_replicas=" + std::to_string(flags.worker_replicas));
  }
  if (flags.worker_id >= 0) {
    job->rank.Add(flags.worker_id,
                  "--worker_id=" + std::to_string(flags.worker_id));
  }
  if (!flags.rendezvous.empty()) {
    AddHostPort(flags.rendezvous, "--rendezvous=" + flags.rendezvous,
                /*port_needed=*/true, job);
  }
}

Cluster::Role AddTfConfig(const std::string& text, JobSettings* job) {
  const TfConfig config = ReadTfConfig(text);
  switch (config.task) {
    case TfConfig::Task::kEvaluator:
      return Cluster::Role::kEvaluator;
    case TfConfig::Task::kParameterServer:
      return Cluster::Role::kParameterServer;
    case TfConfig::Task::kTraining:
      break;
  }
  if (config.addresses.empty()) return Cluster::Role::kWorker;
  job->rank.Add(config.rank, "TF_CONFIG (" + config.place + ")");
  job->size.Add(static_cast<int64_t>(config.addresses.size()),
                "TF_CONFIG (" + config.job + ")");
  AddHostPort(config.addresses[0], "TF_CONFIG (" + config.addresses[0] + ")",
              /*port_needed=*/false, job);
  return Cluster::Role::kWorker;
}

void AddTorch(const Variables& variables, JobSettings* job) {
  int64_t each = 1;
  const std::string* const per_node = variables.Find("PET_NPROC_PER_NODE");
  const bool starts_here =
      per_node != nullptr && !variables.Has("LOCAL_RANK") &&
      (variables.Has("PET_NODE_RANK") || variables.Has("PET_NNODES"));
  if (starts_here) {
    const std::string source = "PET_NPROC_PER_NODE=" + *per_node;
    if (*per_node == "gpu" || *per_node == "auto" || *per_node == "cpu") {
      throw UsageError(source + " is not known here",
                       "the number of ranks a machine");
    }
    each = ParseNumber(*per_node, source, 1, kMaxRanks);
    if (each > 1) job->start_here.Add(each, source);
  }
  variables.AddNumber("RANK", 0, kMaxRanks, &job->rank);
  if (starts_here || !variables.Has("RANK")) {
    variables.AddNumber("PET_NODE_RANK", 0, kMaxRanks, &job->rank);
  }
  if (const std::string* size = variables.Find("WORLD_SIZE")) {
    const std::string source = "WORLD_SIZE=" + *size;
    const int64_t value = ParseNumber(*size, source, 1, kMaxRanks);
    if (value % each != 0) {
      throw UsageError(source + " is no multiple of PET_NPROC_PER_NODE=" +
                       std::to_string(each));
    }
    job->size.Add(value / each, source);
  }
  AddTorchNodes(variables, job);
  variables.AddNumber("LOCAL_RANK", 0, kMaxRanks, &job->local_rank);
  variables.AddNumber("LOCAL_WORLD_SIZE", 1, kMaxRanks, &job->local_size);
  variables.AddText("MASTER_ADDR", &job->address);
  variables.AddNumber("MASTER_PORT", 1, 65535, &job->port);
  variables.AddText("PET_MASTER_ADDR", &job->address);
  variables.AddNumber("PET_MASTER_PORT", 1, 65535, &job->port);
  if (const std::string* endpoint = variables.Find("PET_RDZV_ENDPOINT")) {
    if (!job->address.known()) {
      AddHostPort(*endpoint, "PET_RDZV_ENDPOINT=" + *endpoint,
                  /*port_needed=*/false, job);
    }
  }
}

void AddOpenMpi(const Variables& variables, JobSettings* job) {
  variables.CheckBoth("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
  variables.AddNumber("OMPI_COMM_WORLD_RANK", 0, kMaxRanks, &job->rank);
  variables.AddNumber("OMPI_COMM_WORLD_SIZE", 1, kMaxRanks, &job->size);
  variables.AddNumber("OMPI_COMM_WORLD_LOCAL_RANK", 0, kMaxRanks,
                      &job->local_rank);
  variables.AddNumber("OMPI_COMM_WORLD_LOCAL_SIZE", 1, kMaxRanks,
                      &job->local_size);
  const std::string* const size = variables.Find("OMPI_COMM_WORLD_SIZE");
  const std::string* const local = variables.Find("OMPI_COMM_WORLD_LOCAL_SIZE");
  job->one_machine |= size != nullptr && local != nullptr && *size == *local;
  for (const char* const name : {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}) {
    if (const std::string* found = variables.Find(name)) job->job_name = *found;
  }
}

void AddSlurm(const Variables& variables, JobSettings* job) {
  if (!variables.Has("SLURM_STEP_ID") &&
      !variables.Has("SLURM_STEP_NUM_TASKS")) {
    return;
  }
  variables.AddNumber("SLURM_PROCID", 0, kMaxRanks, &job->rank);
  variables.AddNumber(variables.Has("SLURM_STEP_NUM_TASKS")
                          ? "SLURM_STEP_NUM_TASKS"
                          : "SLURM_NTASKS",
                      1, kMaxRanks, &job->size);
  variables.AddNumber("SLURM_LOCALID", 0, kMaxRanks, &job->local_rank);
  for (const char* const name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"}) {
    const std::string* const nodes = variables.Find(name);
    if (nodes != nullptr && !job->address.known()) {
      job->address.Add(FirstHost(*nodes), Variables::Source(name, *nodes));
    }
  }
  if (const std::string* id = variables.Find("SLURM_JOB_ID")) {
    job->job_name = *id;
    if (const std::string* step = variables.Find("SLURM_STEP_ID")) {
      job->job_name += "." + *step;
    }
  }
}

void AddIndexedJob(const Variables& variables, JobSettings* job) {
  if (!variables.Has("JOB_COMPLETION_INDEX")) return;
  variables.AddNumber("JOB_COMPLETION_INDEX", 0, kMaxRanks, &job->rank);
  variables.AddNumber("JOB_COMPLETIONS", 1, kMaxRanks, &job->size);
}

}  // namespace t2t
