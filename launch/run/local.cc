#include "launch/run/local.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "launch/render/pod.h"
#include "launch/render/restart_rules.h"
#include "launch/render/yaml.h"
#include "launch/run/backoff.h"
#include "launch/run/local_paths.h"
#include "launch/run/process.h"
#include "launch/run/workload.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/process_end.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

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

class Runner {
 public:
  Runner(const std::vector<Json>& objects, const LocalOptions& options)
      : objects_(objects),
        options_(options),
        paths_(options),
        rng_(options.seed),
        began_(NowSeconds()) {}

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
    if (!MakeWorkload(object, objects_, &workload)) return true;
    return RunWorkload(&workload);
  }

  // ----- Running

  void Start(Workload* workload, Pod* pod) const {
    const Json& spec = pod->pod_template->At("spec");
    const Json& container = spec.At("containers").items()[0];
    const auto mounts = paths_.MountsOf(spec);
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
          value = LocalPaths::Relocate(ExpandVariables(text->AsString(), find),
                                       mounts);
        } else {
          // A Secret is the cluster's; here the variable is ours or not there.
          continue;
        }
        known[name] = value;
        variables.emplace_back(name, value);
      }
    }
    variables.emplace_back("PATH", paths_.path());
    std::vector<std::string> command;
    const auto add = [&](const std::string& text) {
      command.push_back(
          LocalPaths::Relocate(ExpandVariables(text, find), mounts));
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
    command[0] = paths_.FindProgram(command[0]);
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
    do {
      ThrowIfStopped(workload);
      std::string why;
      if (options_.timeout_seconds > 0 &&
          NowSeconds() - began_ > options_.timeout_seconds) {
        result_.timed_out = true;
        why = ": not done in time";
      } else {
        StartWaiting(workload);
        ::usleep(10000);
        Chaos(workload);
        why = LookAtPods(workload, &restarts);
      }
      if (!why.empty()) {
        EndAll(workload);
        return Failed(name + why);
      }
    } while (!IsOver(*workload));
    EndAll(workload);
    std::printf("%s: done\n", name.c_str());
    return true;
  }

  static void ThrowIfStopped(Workload* workload) {
    if (stop_signal == 0) return;
    EndAll(workload);
    throw Error(static_cast<ExitCode>(ExitCodeOfStop(stop_signal)),
                std::string("stopped by ") + SignalName(stop_signal));
  }

  // Takes note of the Pods that have ended, and has them start again where
  // their operator would. Why the workload has failed, or nothing.
  std::string LookAtPods(Workload* workload, int64_t* restarts) {
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
      const std::string what = pod.name + " ended with " + std::to_string(code);
      if (end == PodEnd::kFail) {
        return " failed: " + what + ", which is not tried again";
      }
      if (++*restarts > workload->limit) {
        return " failed: " + what + ", after " +
               Count(workload->limit, "restart");
      }
      ++result_.restarts;
      const double pause =
          Pause(workload->together ? &workload->pods.front() : &pod, ran);
      std::printf("%s: it is started again in %.1f s (%lld of %lld)\n",
                  what.c_str(), pause, static_cast<long long>(*restarts),
                  static_cast<long long>(workload->limit));
      pod.start_at = NowSeconds() + pause;
      if (workload->together) {
        RestartAll(workload, pod.start_at);
        break;
      }
    }
    return "";
  }

  // start_at: not before, in NowSeconds()'s time.
  static void RestartAll(Workload* workload, double start_at) {
    EndAll(workload);
    for (Pod& pod : workload->pods) {
      pod.done = false;
      pod.start_at = start_at;
    }
  }

  double Pause(Pod* pod, double ran) const {
    if (pod->backoff == nullptr) {
      pod->backoff = std::make_unique<Backoff>(options_.restart_seconds,
                                               options_.restart_most_seconds,
                                               options_.restart_reset_seconds);
    }
    return pod->backoff->Next(ran);
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
  const LocalPaths paths_;
  Rng rng_;
  double began_;
  LocalResult result_;
};

}  // namespace

LocalResult RunLocally(const std::vector<Json>& objects,
                       const LocalOptions& options) {
  return Runner(objects, options).Run();
}

}  // namespace t2t
