#include "t2t/distributed/cluster.h"

#include <unistd.h>

#include <optional>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/tf_config.h"

namespace t2t {
namespace {

constexpr int64_t kDefaultPort = 29500;  // torchrun's
constexpr int64_t kMaxRanks = 1 << 20;

// One fact, as each source has it.
template <typename T>
class Fact {
 public:
  explicit Fact(std::string name) : name_(std::move(name)) {}

  void Add(const T& value, const std::string& source) {
    if (!value_) {
      value_ = value;
      source_ = source;
    } else if (*value_ != value) {
      throw UsageError(
          name_ + " is told in two ways: " + source_ + " and " + source,
          "sources that agree", "unset one of them");
    }
  }
  bool known() const { return value_.has_value(); }
  const T& value() const { return *value_; }
  const std::string& source() const { return source_; }

 private:
  std::string name_;
  std::optional<T> value_;
  std::string source_;
};

struct Facts {
  Fact<int64_t> rank{"the rank"};
  Fact<int64_t> size{"the number of ranks"};
  Fact<int64_t> local_rank{"the local rank"};
  Fact<int64_t> local_size{"the number of ranks on this machine"};
  Fact<int64_t> start_here{"the number of ranks to start here"};
  Fact<std::string> address{"the rendezvous address"};
  Fact<int64_t> port{"the rendezvous port"};
  // Every rank is on this machine.
  bool one_machine = false;
  // Names the job, so that two jobs on a machine take two ports.
  std::string job;
};

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

class Variables {
 public:
  explicit Variables(const Environment& environment)
      : environment_(environment) {}

  // nullptr where it is not set, or empty.
  const std::string* Find(const std::string& name) const {
    const auto found = environment_.find(name);
    return found == environment_.end() || found->second.empty()
               ? nullptr
               : &found->second;
  }
  bool Has(const std::string& name) const { return Find(name) != nullptr; }
  static std::string Source(const std::string& name, const std::string& value) {
    return name + "=" + value;
  }
  void AddNumber(const std::string& name, int64_t low, int64_t high,
                 Fact<int64_t>* fact) const {
    if (const std::string* value = Find(name)) {
      const std::string source = Source(name, *value);
      fact->Add(ParseNumber(*value, source, low, high), source);
    }
  }
  void AddText(const std::string& name, Fact<std::string>* fact) const {
    if (const std::string* value = Find(name)) {
      fact->Add(*value, Source(name, *value));
    }
  }
  // Where one is set, the other must be.
  void Together(const std::string& a, const std::string& b) const {
    if (Has(a) == Has(b)) return;
    const std::string& there = Has(a) ? a : b;
    throw UsageError(Source(there, *Find(there)) + " is set, but " +
                         (Has(a) ? b : a) + " is not",
                     "both or neither");
  }

 private:
  const Environment& environment_;
};

// "host:port", "[v6]:port" or "host".
void AddHostPort(const std::string& text, const std::string& source,
                 bool port_needed, Facts* facts) {
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
  facts->address.Add(host, source);
  if (!port.empty()) {
    facts->port.Add(ParseNumber(port, source + " (the port)", 1, 65535),
                    source);
  }
}

void AddFlags(const ClusterFlags& flags, Facts* facts) {
  if (flags.worker_replicas > 0) {
    facts->size.Add(
        flags.worker_replicas,
        "--worker_replicas=" + std::to_string(flags.worker_replicas));
  }
  if (flags.worker_id >= 0) {
    facts->rank.Add(flags.worker_id,
                    "--worker_id=" + std::to_string(flags.worker_id));
  }
  if (!flags.rendezvous.empty()) {
    AddHostPort(flags.rendezvous, "--rendezvous=" + flags.rendezvous,
                /*port_needed=*/true, facts);
  }
}

Cluster::Role AddTfConfig(const std::string& text, Facts* facts) {
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
  facts->rank.Add(config.rank, "TF_CONFIG (" + config.place + ")");
  facts->size.Add(static_cast<int64_t>(config.addresses.size()),
                  "TF_CONFIG (" + config.job + ")");
  AddHostPort(config.addresses[0], "TF_CONFIG (" + config.addresses[0] + ")",
              /*port_needed=*/false, facts);
  return Cluster::Role::kWorker;
}

// torchrun's and PyTorchJob's. For a PyTorchJob with several processes a
// machine, RANK and PET_NODE_RANK count machines and WORLD_SIZE processes.
void AddTorch(const Variables& variables, Facts* facts) {
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
    if (each > 1) facts->start_here.Add(each, source);
  }
  variables.AddNumber("RANK", 0, kMaxRanks, &facts->rank);
  if (starts_here || !variables.Has("RANK")) {
    variables.AddNumber("PET_NODE_RANK", 0, kMaxRanks, &facts->rank);
  }
  if (const std::string* size = variables.Find("WORLD_SIZE")) {
    const std::string source = "WORLD_SIZE=" + *size;
    const int64_t value = ParseNumber(*size, source, 1, kMaxRanks);
    if (value % each != 0) {
      throw UsageError(source + " is no multiple of PET_NPROC_PER_NODE=" +
                       std::to_string(each));
    }
    facts->size.Add(value / each, source);
  }
  const std::string* const nodes = variables.Find("PET_NNODES");
  if (nodes != nullptr && !variables.Has("LOCAL_RANK")) {
    const std::string source = "PET_NNODES=" + *nodes;
    const std::vector<std::string> range = Split(*nodes, ':');
    const int64_t low = ParseNumber(range[0], source, 1, kMaxRanks);
    const int64_t high =
        range.size() == 2 ? ParseNumber(range[1], source, low, kMaxRanks) : low;
    if (range.size() > 2) throw UsageError(source + " is no number or range");
    if (low == high) {
      facts->size.Add(low, source);
    } else if (!facts->size.known()) {
      throw UsageError(source + " is a range, and nothing tells the number",
                       "WORLD_SIZE or --worker_replicas beside it");
    } else if (facts->size.value() < low || facts->size.value() > high) {
      throw UsageError("the number of ranks is told in two ways: " +
                           facts->size.source() + " and " + source,
                       "a number in that range");
    }
  }
  variables.AddNumber("LOCAL_RANK", 0, kMaxRanks, &facts->local_rank);
  variables.AddNumber("LOCAL_WORLD_SIZE", 1, kMaxRanks, &facts->local_size);
  variables.AddText("MASTER_ADDR", &facts->address);
  variables.AddNumber("MASTER_PORT", 1, 65535, &facts->port);
  variables.AddText("PET_MASTER_ADDR", &facts->address);
  variables.AddNumber("PET_MASTER_PORT", 1, 65535, &facts->port);
  if (const std::string* endpoint = variables.Find("PET_RDZV_ENDPOINT")) {
    if (!facts->address.known()) {
      AddHostPort(*endpoint, "PET_RDZV_ENDPOINT=" + *endpoint,
                  /*port_needed=*/false, facts);
    }
  }
}

void AddOpenMpi(const Variables& variables, Facts* facts) {
  variables.Together("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
  variables.AddNumber("OMPI_COMM_WORLD_RANK", 0, kMaxRanks, &facts->rank);
  variables.AddNumber("OMPI_COMM_WORLD_SIZE", 1, kMaxRanks, &facts->size);
  variables.AddNumber("OMPI_COMM_WORLD_LOCAL_RANK", 0, kMaxRanks,
                      &facts->local_rank);
  variables.AddNumber("OMPI_COMM_WORLD_LOCAL_SIZE", 1, kMaxRanks,
                      &facts->local_size);
  const std::string* const size = variables.Find("OMPI_COMM_WORLD_SIZE");
  const std::string* const local = variables.Find("OMPI_COMM_WORLD_LOCAL_SIZE");
  facts->one_machine |= size != nullptr && local != nullptr && *size == *local;
  for (const char* const name : {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"}) {
    if (const std::string* job = variables.Find(name)) facts->job = *job;
  }
}

// Within an srun step only: a batch script sees SLURM_NTASKS as well, and is
// one process.
void AddSlurm(const Variables& variables, Facts* facts) {
  if (!variables.Has("SLURM_STEP_ID") &&
      !variables.Has("SLURM_STEP_NUM_TASKS")) {
    return;
  }
  variables.AddNumber("SLURM_PROCID", 0, kMaxRanks, &facts->rank);
  variables.AddNumber(variables.Has("SLURM_STEP_NUM_TASKS")
                          ? "SLURM_STEP_NUM_TASKS"
                          : "SLURM_NTASKS",
                      1, kMaxRanks, &facts->size);
  variables.AddNumber("SLURM_LOCALID", 0, kMaxRanks, &facts->local_rank);
  for (const char* const name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"}) {
    const std::string* const nodes = variables.Find(name);
    if (nodes != nullptr && !facts->address.known()) {
      facts->address.Add(FirstHost(*nodes), Variables::Source(name, *nodes));
    }
  }
  if (const std::string* job = variables.Find("SLURM_JOB_ID")) {
    facts->job = *job;
    if (const std::string* step = variables.Find("SLURM_STEP_ID")) {
      facts->job += "." + *step;
    }
  }
}

void AddIndexedJob(const Variables& variables, Facts* facts) {
  if (!variables.Has("JOB_COMPLETION_INDEX")) return;
  variables.AddNumber("JOB_COMPLETION_INDEX", 0, kMaxRanks, &facts->rank);
  variables.AddNumber("JOB_COMPLETIONS", 1, kMaxRanks, &facts->size);
}

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
  Facts facts;
  Cluster cluster;
  if (!launched) AddFlags(flags, &facts);
  if (const std::string* config = variables.Find("TF_CONFIG")) {
    cluster.role = AddTfConfig(*config, &facts);
    if (cluster.role != Cluster::Role::kWorker) {
      cluster.source = "TF_CONFIG";
      return cluster;
    }
  }
  AddTorch(variables, &facts);
  AddOpenMpi(variables, &facts);
  const bool nested =
      variables.Has("OMPI_COMM_WORLD_RANK") || variables.Has("LOCAL_RANK");
  if (!nested) {
    AddSlurm(variables, &facts);
    AddIndexedJob(variables, &facts);
  }
  if (!launched && flags.worker_gpu > 0 && flags.worker_cpu > 0) {
    throw UsageError(
        "--worker_gpu=" + std::to_string(flags.worker_gpu) +
            " and --worker_cpu=" + std::to_string(flags.worker_cpu),
        "one of them");
  }
  if (!launched && flags.worker_gpu > 0) {
    facts.start_here.Add(flags.worker_gpu,
                         "--worker_gpu=" + std::to_string(flags.worker_gpu));
  }
  if (!launched && flags.worker_cpu > 0) {
    facts.start_here.Add(flags.worker_cpu,
                         "--worker_cpu=" + std::to_string(flags.worker_cpu));
  }
  if (!launched && facts.local_rank.known() &&
      std::max(flags.worker_cpu, flags.worker_gpu) > 1) {
    throw UsageError("the ranks of this machine are started twice: by " +
                         facts.start_here.source() + " and by what set " +
                         facts.local_rank.source(),
                     "one of them", "leave --worker_cpu and --worker_gpu out");
  }

  // An indexed Job's pods are not told how many there are, but
  // --expect_world_size may.
  if (!facts.size.known() && facts.rank.known() &&
      flags.expect_world_size > 0) {
    const int64_t each =
        facts.start_here.known() ? facts.start_here.value() : 1;
    if (flags.expect_world_size % each == 0) {
      facts.size.Add(
          flags.expect_world_size / each,
          "--expect_world_size=" + std::to_string(flags.expect_world_size));
    }
  }
  if (facts.rank.known() && !facts.size.known() && facts.rank.value() > 0) {
    throw UsageError("the rank is told (" + facts.rank.source() +
                         "), but not the number of ranks",
                     "WORLD_SIZE, JOB_COMPLETIONS, --worker_replicas or "
                     "--expect_world_size beside it");
  }
  if (facts.size.known() && facts.size.value() > 1 && !facts.rank.known()) {
    throw UsageError("the number of ranks is told (" + facts.size.source() +
                         "), but not which one this is",
                     "RANK, JOB_COMPLETION_INDEX or --worker_id beside it",
                     "--worker_cpu=N starts N ranks on this machine");
  }
  int64_t size = facts.size.known() ? facts.size.value() : 1;
  int64_t rank = facts.rank.known() ? facts.rank.value() : 0;
  if (rank >= size) {
    throw UsageError("there is no rank " + std::to_string(rank) + " (" +
                         facts.rank.source() + ") of " + std::to_string(size) +
                         " (" +
                         (facts.size.known() ? facts.size.source()
                                             : std::string("one process")) +
                         ")",
                     "a rank below the number of ranks");
  }
  const bool one_machine = facts.one_machine || size == 1;
  if (facts.start_here.known() && facts.start_here.value() > 1) {
    cluster.start_here = facts.start_here.value();
    rank *= cluster.start_here;
    size *= cluster.start_here;
  }
  if (flags.expect_world_size > 0 && size != flags.expect_world_size) {
    throw UsageError(
        "--expect_world_size=" + std::to_string(flags.expect_world_size) +
            ", but the job has " + Count(size, "rank") +
            (facts.size.known() ? " by " + facts.size.source() : "") +
            (cluster.start_here > 0 ? " and " + facts.start_here.source() : ""),
        "that many",
        size == 1 ? "nothing told this process of the others: look at what "
                    "started it"
                  : "");
  }
  CheckLimits(flags, size);
  cluster.rank = rank;
  cluster.world_size = size;
  if (facts.local_rank.known()) cluster.local_rank = facts.local_rank.value();
  if (facts.local_size.known()) cluster.local_size = facts.local_size.value();
  std::vector<std::string> sources;
  if (facts.rank.known()) sources.push_back(facts.rank.source());
  if (facts.size.known() &&
      (sources.empty() || sources[0] != facts.size.source())) {
    sources.push_back(facts.size.source());
  }
  if (cluster.start_here > 0) sources.push_back(facts.start_here.source());
  cluster.source = Join(sources, ", ");
  if (size == 1) return cluster;
  if (facts.address.known()) {
    cluster.address = facts.address.value();
  } else if (one_machine) {
    cluster.address = "127.0.0.1";
  } else {
    throw UsageError("nothing tells where rank 0 is (" + cluster.source + ")",
                     "MASTER_ADDR and MASTER_PORT, or --rendezvous=host:port");
  }
  if (facts.port.known()) {
    cluster.port = facts.port.value();
  } else if (!facts.job.empty()) {
    cluster.port = 20000 + static_cast<int64_t>(Rng::Combine(0, facts.job) %
                                                uint64_t{10000});
  } else if (cluster.start_here == 0 || !one_machine) {
    cluster.port = kDefaultPort;
  }
  return cluster;
}

}  // namespace t2t
