#include "launch/run/local.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <map>
#include <memory>
#include <set>

#include "launch/render/pod.h"
#include "launch/render/restart_rules.h"
#include "launch/render/yaml.h"
#include "launch/run/backoff.h"
#include "launch/run/process.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/process_end.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

// Set by SIGINT, SIGTERM and SIGHUP: the Pods are ended, then we end.
volatile sig_atomic_t stop_signal = 0;
void OnStop(int signal) { stop_signal = signal; }

class StopSignals {
 public:
  StopSignals() {
    stop_signal = 0;
    struct sigaction action = {};
    action.sa_handler = OnStop;
    ::sigaction(SIGINT, &action, &old_int_);
    ::sigaction(SIGTERM, &action, &old_term_);
    ::sigaction(SIGHUP, nullptr, &old_hang_up_);
    if (!IsIgnored(SIGHUP)) ::sigaction(SIGHUP, &action, nullptr);
  }
  ~StopSignals() {
    ::sigaction(SIGINT, &old_int_, nullptr);
    ::sigaction(SIGTERM, &old_term_, nullptr);
    ::sigaction(SIGHUP, &old_hang_up_, nullptr);
  }

 private:
  struct sigaction old_int_ = {};
  struct sigaction old_term_ = {};
  struct sigaction old_hang_up_ = {};
};

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

// A workload's Pods, and what of them ends it.
struct Workload {
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

std::string SelfFolder() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? DirName(std::string(path, static_cast<size_t>(size))) : "";
}

class Runner {
 public:
  Runner(const std::vector<Json>& objects, const LocalOptions& options)
      : objects_(objects),
        options_(options),
        rng_(options.seed),
        began_(NowSeconds()) {
    FindPrograms();
  }

  LocalResult Run() {
    const StopSignals signals;
    for (const Json& object : objects_) {
      if (!RunObject(object) && (!options_.keep_going || result_.timed_out)) {
        return result_;
      }
    }
    result_.done = result_.failure.empty();
    return result_;
  }

 private:
  // ----- Programs and paths

  void FindPrograms() {
    std::string folders = options_.bin_dir;
    if (folders.empty()) {
      // bazel-bin/t2t/bin/launch/t2t-launch: its neighbours' folders.
      const std::string self = SelfFolder();
      folders = self;
      for (const char* const name :
           {"datagen", "trainer", "decoder", "bleu", "exporter", "import",
            "avg", "model_server"}) {
        const std::string folder = JoinPath(DirName(self), name);
        if (IsDirectory(folder)) folders += ":" + folder;
      }
    }
    const char* const path = ::getenv("PATH");
    path_ = folders + ":" + (path != nullptr ? path : "/usr/bin:/bin");
    programs_ = Split(path_, ':');
  }

  std::string FindProgram(const std::string& name) const {
    if (name.find('/') != std::string::npos) return name;
    for (const std::string& folder : programs_) {
      const std::string path = JoinPath(folder, name);
      if (::access(path.c_str(), X_OK) == 0 && !IsDirectory(path)) return path;
    }
    return name;
  }

  // The claims' mount paths and folders.
  std::vector<std::pair<std::string, std::string>> Mounts(
      const Json& pod_spec) const {
    std::vector<std::pair<std::string, std::string>> mounts;
    std::map<std::string, std::string> claims;
    const Json* const volumes = pod_spec.Find("volumes");
    if (volumes == nullptr) return mounts;
    for (const Json& volume : volumes->items()) {
      if (const Json* const claim = volume.Find("persistentVolumeClaim")) {
        claims[volume.At("name").AsString()] =
            claim->At("claimName").AsString();
      }
    }
    const Json& container = pod_spec.At("containers").items()[0];
    const Json* const list = container.Find("volumeMounts");
    if (list == nullptr) return mounts;
    for (const Json& mount : list->items()) {
      const auto claim = claims.find(mount.At("name").AsString());
      if (claim == claims.end()) continue;
      const std::string folder = JoinPath(options_.work_dir, claim->second);
      MakeDirectories(folder);
      mounts.emplace_back(mount.At("mountPath").AsString(), folder);
    }
    return mounts;
  }

  // Replaces a mount's path where it stands as a path of its own: at the
  // start, or after '=', ',', ':' or a blank.
  static std::string Relocate(
      const std::string& text,
      const std::vector<std::pair<std::string, std::string>>& mounts) {
    std::string out;
    for (size_t i = 0; i < text.size();) {
      bool replaced = false;
      const bool starts =
          i == 0 || std::string_view("=,: \n'\"").find(text[i - 1]) !=
                        std::string_view::npos;
      for (const auto& [path, folder] : mounts) {
        if (!starts || text.compare(i, path.size(), path) != 0) continue;
        const size_t end = i + path.size();
        if (end < text.size() &&
            std::string_view("/,: \n'\"").find(text[end]) ==
                std::string_view::npos) {
          continue;
        }
        out += folder;
        i = end;
        replaced = true;
        break;
      }
      if (!replaced) out += text[i++];
    }
    return out;
  }

  // ----- Workloads

  bool RunObject(const Json& object) {
    const std::string& kind = object.At("kind").AsString();
    if (kind == "Workflow") return RunWorkflow(object.At("spec"));
    if (kind == "CronWorkflow") {
      return RunWorkflow(object.At("spec").At("workflowSpec"));
    }
    for (const char* const endless :
         {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet",
          "InferenceService", "SeldonDeployment"}) {
      if (kind != endless) continue;
      throw UsageError("a " + kind + " does not end",
                       "components that do: trainings, data, decoding",
                       "run t2t-model-server itself on this machine");
    }
    for (const char* const other : {"Pod", "CronJob"}) {
      if (kind != other) continue;
      throw UsageError("a " + kind + " is not run here", "a Job");
    }
    if (kind == "Experiment") {
      throw UsageError("an Experiment needs Katib", "",
                       "set backend=jobs to run the sweep here");
    }
    Workload workload;
    if (!MakeWorkload(object, &workload)) return true;
    return RunWorkload(&workload);
  }

  // False for what has no Pods.
  bool MakeWorkload(const Json& object, Workload* workload) {
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
      AddTrainJob(name, object.At("spec"), workload);
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

  static void AddJob(const std::string& name, const Json& spec,
                     Workload* workload) {
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

  static void AddReplicatedJobs(const std::string& name, const Json& spec,
                                Workload* workload) {
    for (const Json& job : spec.At("replicatedJobs").items()) {
      AddJob(name + "-" + job.At("name").AsString() + "-0",
             job.At("template").At("spec"), workload);
    }
  }

  // Kubeflow Trainer merges the TrainJob into its runtime's JobSet and sets
  // torchrun's variables.
  void AddTrainJob(const std::string& name, const Json& spec,
                   Workload* workload) const {
    const std::string& wanted = spec.At("runtimeRef").At("name").AsString();
    const Json* runtime = nullptr;
    for (const Json& object : objects_) {
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

  static void AddPyTorchJob(const std::string& name, const Json& spec,
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

  static void AddTfJob(const std::string& name, const Json& spec,
                       Workload* workload) {
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

  static const Json* TfTemplate(const Json& spec, const std::string& role) {
    if (const Json* const list = spec.Find("replicaSpecs")) {
      for (const Json& replica : list->items()) {
        if (replica.At("tfReplicaType").AsString() == role) {
          return &replica.At("template");
        }
      }
    }
    return &spec.At("tfReplicaSpecs").At(role).At("template");
  }

  // The launcher's mpirun is played here: its ranks with Open MPI's variables.
  static void AddMpiJob(const std::string& name, const Json& spec,
                        Workload* workload) {
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
      pod.variables = {
          {"OMPI_COMM_WORLD_RANK", std::to_string(i)},
          {"OMPI_COMM_WORLD_SIZE", std::to_string(ranks)},
          {"OMPI_COMM_WORLD_LOCAL_RANK", std::to_string(i % slots)},
          {"OMPI_COMM_WORLD_LOCAL_SIZE", std::to_string(slots)}};
      workload->pods.push_back(std::move(pod));
    }
  }

  // ----- Running

  void Start(Workload* workload, Pod* pod) const {
    const Json& spec = pod->pod_template->At("spec");
    const Json& container = spec.At("containers").items()[0];
    const auto mounts = Mounts(spec);
    std::map<std::string, std::string> known(pod->variables.begin(),
                                             pod->variables.end());
    const auto find = [&](const std::string& name) -> const std::string* {
      const auto found = known.find(name);
      return found == known.end() ? nullptr : &found->second;
    };
    Variables variables = pod->variables;
    if (const Json* const env = container.Find("env")) {
      for (const Json& item : env->items()) {
        const std::string& name = item.At("name").AsString();
        const Json* const text = item.Find("value");
        std::string value;
        if (name == "MASTER_ADDR") {
          value = "127.0.0.1";
        } else if (name == "MASTER_PORT") {
          value = std::to_string(workload->port);
        } else if (text != nullptr) {
          value = Relocate(ExpandVariables(text->AsString(), find), mounts);
        } else {
          // A Secret is the cluster's; here the variable is ours or not there.
          continue;
        }
        known[name] = value;
        variables.emplace_back(name, value);
      }
    }
    variables.emplace_back("PATH", path_);
    std::vector<std::string> command;
    const auto add = [&](const std::string& text) {
      command.push_back(Relocate(ExpandVariables(text, find), mounts));
    };
    if (!pod->command.empty()) {
      for (const std::string& text : pod->command) add(text);
    } else {
      for (const char* const key : {"command", "args"}) {
        const Json* const list = container.Find(key);
        if (list == nullptr) continue;
        for (const Json& text : list->items()) add(text.AsString());
      }
    }
    command[0] = FindProgram(command[0]);
    pod->process = std::make_unique<Process>(pod->name, command, variables);
  }

  static void EndAll(Workload* workload) {
    for (Pod& pod : workload->pods) {
      if (pod.process != nullptr) pod.process->Signal(SIGTERM);
    }
    const double until = NowSeconds() + 10;
    for (Pod& pod : workload->pods) {
      while (pod.process != nullptr && !pod.process->Poll() &&
             NowSeconds() < until) {
        ::usleep(10000);
      }
      pod.process.reset();
    }
  }

  bool Failed(const std::string& text) {
    if (result_.failure.empty()) result_.failure = text;
    std::printf("%s\n", text.c_str());
    return false;
  }

  // Starts what may run and does not yet.
  void StartWaiting(Workload* workload) const {
    int64_t running = 0;
    for (const Pod& pod : workload->pods) running += pod.process != nullptr;
    for (Pod& pod : workload->pods) {
      if (pod.done || pod.process != nullptr ||
          running >= workload->parallelism)
        continue;
      if (NowSeconds() < pod.start_at) continue;
      Start(workload, &pod);
      ++running;
    }
  }

  void Chaos(Workload* workload) {
    if (result_.killed >= options_.chaos) return;
    std::vector<Pod*> candidates;
    for (Pod& pod : workload->pods) {
      if (pod.process != nullptr &&
          NowSeconds() - pod.process->started() >= options_.chaos_seconds) {
        candidates.push_back(&pod);
      }
    }
    // One tick in four, so that the moment is not always the same.
    if (candidates.empty() || rng_.Below(4) != 0) return;
    Pod* const pod = candidates[rng_.Below(candidates.size())];
    std::printf("chaos: kill -9 %s\n", pod->name.c_str());
    pod->process->Signal(SIGKILL);
    ++result_.killed;
  }

  bool RunWorkload(Workload* workload) {
    const std::string name =
        workload->object.At("kind").AsString() + " " +
        workload->object.At("metadata").At("name").AsString();
    int64_t restarts = 0;
    while (true) {
      if (stop_signal != 0) {
        EndAll(workload);
        throw Error(static_cast<ExitCode>(ExitCodeOfStop(stop_signal)),
                    std::string("stopped by ") + SignalName(stop_signal));
      }
      if (options_.timeout_seconds > 0 &&
          NowSeconds() - began_ > options_.timeout_seconds) {
        EndAll(workload);
        result_.timed_out = true;
        return Failed(name + ": not done in time");
      }
      StartWaiting(workload);
      ::usleep(10000);
      Chaos(workload);
      for (Pod& pod : workload->pods) {
        if (pod.process == nullptr || !pod.process->Poll()) continue;
        const int code = pod.process->exit_code();
        const double ran = NowSeconds() - pod.process->started();
        for (const auto& [metric, value] : pod.process->metrics()) {
          result_.metrics[pod.name][metric] = value;
        }
        pod.process.reset();
        const PodEnd end = DecidePodEnd(workload->rules, pod.role, code);
        if (end == PodEnd::kDone) {
          pod.done = true;
          continue;
        }
        const std::string what =
            pod.name + " ended with " + std::to_string(code);
        if (end == PodEnd::kFail) {
          EndAll(workload);
          return Failed(name + " failed: " + what +
                        ", which is not tried again");
        }
        if (++restarts > workload->limit) {
          EndAll(workload);
          return Failed(name + " failed: " + what + ", after " +
                        Count(workload->limit, "restart"));
        }
        ++result_.restarts;
        const double pause =
            Pause(workload->together ? &workload->pods.front() : &pod, ran);
        std::printf("%s: it is started again in %.1f s (%lld of %lld)\n",
                    what.c_str(), pause, static_cast<long long>(restarts),
                    static_cast<long long>(workload->limit));
        if (workload->together) {
          EndAll(workload);
          for (Pod& other : workload->pods) {
            other.done = false;
            other.start_at = NowSeconds() + pause;
          }
          break;
        }
        pod.start_at = NowSeconds() + pause;
      }
      if (Over(*workload)) break;
    }
    EndAll(workload);
    std::printf("%s: done\n", name.c_str());
    return true;
  }

  double Pause(Pod* pod, double ran) const {
    if (pod->backoff == nullptr) {
      pod->backoff = std::make_unique<Backoff>(options_.restart_seconds,
                                               options_.restart_most_seconds,
                                               options_.restart_reset_seconds);
    }
    return pod->backoff->Next(ran);
  }

  static bool Over(const Workload& workload) {
    return std::all_of(
        workload.pods.begin(), workload.pods.end(), [&](const Pod& pod) {
          return pod.done ||
                 (!workload.leader.empty() && pod.role != workload.leader);
        });
  }

  // ----- Argo

  bool RunWorkflow(const Json& spec) {
    std::map<std::string, const Json*> templates;
    for (const Json& item : spec.At("templates").items()) {
      templates[item.At("name").AsString()] = &item;
    }
    const std::vector<Json>& tasks =
        templates.at(spec.At("entrypoint").AsString())
            ->At("dag")
            .At("tasks")
            .items();
    std::set<std::string> done;
    while (done.size() < tasks.size()) {
      const size_t before = done.size();
      for (const Json& task : tasks) {
        const std::string& name = task.At("name").AsString();
        if (done.count(name) > 0 || !IsReady(task, done)) continue;
        if (!RunStep(name, *templates.at(task.At("template").AsString()))) {
          return false;
        }
        done.insert(name);
      }
      if (done.size() == before) {
        throw DataError("the workflow's tasks wait for each other");
      }
    }
    return true;
  }

  static bool IsReady(const Json& task, const std::set<std::string>& done) {
    const Json* const needed = task.Find("dependencies");
    if (needed == nullptr) return true;
    return std::all_of(
        needed->items().begin(), needed->items().end(),
        [&](const Json& item) { return done.count(item.AsString()) > 0; });
  }

  bool RunStep(const std::string& name, const Json& step) {
    if (const Json* const resource = step.Find("resource")) {
      if (resource->At("action").AsString() == "delete") return true;
      std::printf("step %s\n", name.c_str());
      return RunObject(ParseYaml(resource->At("manifest").AsString()));
    }
    std::printf("step %s\n", name.c_str());
    Json container = step.At("container");
    container.Set("name", "main");
    Json pod = Object({{"containers", List({container})}});
    if (const Json* const volumes = step.Find("volumes")) {
      pod.Set("volumes", *volumes);
    }
    Json spec = Object({{"template", Object({{"spec", pod}})}});
    if (const Json* const retry = step.Find("retryStrategy")) {
      spec.Set("retryStrategy", *retry);
    }
    return RunObject(Object({{"apiVersion", "argoproj.io/v1alpha1"},
                             {"kind", "Step"},
                             {"metadata", Object({{"name", name}})},
                             {"spec", spec}}));
  }

  const std::vector<Json>& objects_;
  const LocalOptions& options_;
  Rng rng_;
  double began_;
  std::string path_;
  std::vector<std::string> programs_;
  LocalResult result_;
};

}  // namespace

LocalResult RunLocally(const std::vector<Json>& objects,
                       const LocalOptions& options) {
  return Runner(objects, options).Run();
}

}  // namespace t2t
