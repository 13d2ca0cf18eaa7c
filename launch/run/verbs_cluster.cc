#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "launch/run/kubectl.h"
#include "launch/run/local.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int kFailed = 20;
constexpr int kNotInTime = 21;

// Kinds that run something: what kubectl calls them, and how each is stopped.
struct Kind {
  const char* kind;
  const char* api;  // the start of its apiVersion
  const char* resource;
  std::vector<std::string> suspend;  // the field
};

const std::vector<Kind>& Kinds() {
  static const auto* const kinds = new std::vector<Kind>{
      {"Job", "batch/", "jobs.batch", {"suspend"}},
      {"JobSet", "jobset.x-k8s.io/", "jobsets.jobset.x-k8s.io", {"suspend"}},
      {"TrainJob",
       "trainer.kubeflow.org/",
       "trainjobs.trainer.kubeflow.org",
       {"suspend"}},
      {"PyTorchJob",
       "kubeflow.org/v1",
       "pytorchjobs.kubeflow.org",
       {"runPolicy", "suspend"}},
      {"TFJob",
       "kubeflow.org/v1",
       "tfjobs.kubeflow.org",
       {"runPolicy", "suspend"}},
      {"MPIJob",
       "kubeflow.org/v",
       "mpijobs.kubeflow.org",
       {"runPolicy", "suspend"}},
      {"Workflow", "argoproj.io/", "workflows.argoproj.io", {"suspend"}},
      {"CronWorkflow",
       "argoproj.io/",
       "cronworkflows.argoproj.io",
       {"suspend"}},
      {"Experiment", "kubeflow.org/", "experiments.kubeflow.org", {}},
      {"Deployment", "apps/", "deployments.apps", {}},
      {"InferenceService",
       "serving.kserve.io/",
       "inferenceservices.serving.kserve.io",
       {}},
      {"SeldonDeployment",
       "machinelearning.seldon.io/",
       "seldondeployments.machinelearning.seldon.io",
       {}},
  };
  return *kinds;
}

const Kind* FindKind(const Json& object) {
  for (const Kind& kind : Kinds()) {
    if (object.At("kind").AsString() == kind.kind &&
        StartsWith(object.At("apiVersion").AsString(), kind.api)) {
      return &kind;
    }
  }
  return nullptr;
}

std::string Name(const Json& object) {
  return object.At("metadata").At("name").AsString();
}

// kubectl's failure is ours; its message is on stderr already.
void CheckKubectl(const KubectlResult& result, const std::string& doing) {
  if (result.code != 0) {
    throw Error(ExitCode::kRetry,
                "kubectl could not " + doing + " (exit code " +
                    std::to_string(result.code) + ")",
                "", "t2t-launch doctor looks at the cluster");
  }
}

std::vector<Component> NamedComponents(const App& app, const LaunchArgs& args) {
  if (args.words.empty() && !args.Has("all")) {
    throw UsageError("no component is named", "names, or --all",
                     "t2t-launch component list");
  }
  return SelectComponents(app, args, 0);
}

Component OneComponent(const App& app, const LaunchArgs& args) {
  args.Word(0, "component's name");
  args.NoMoreThan(1);
  return app.Resolve(args.words[0], args.Get("env"), args.params);
}

std::string InstanceSelector(const Component& component) {
  return "app.kubernetes.io/instance=" + component.object();
}

void ApplyObjects(const AppEnvironment& environment,
                  const std::vector<Json>& objects, bool dry_run) {
  std::vector<std::string> arguments = {"apply", "--server-side",
                                        "--field-manager=t2t-launch"};
  if (dry_run) arguments.push_back("--dry-run=server");
  arguments.insert(arguments.end(), {"-f", "-"});
  CheckKubectl(Kubectl(environment, arguments, ToYamlStream(objects), false),
               "apply the manifests");
}

int Apply(const LaunchArgs& args) {
  const App app = LoadApp(args);
  const std::vector<Component> components = NamedComponents(app, args);
  const std::vector<Json> objects = RenderAll(components);
  ValidateOrThrow(components, objects);
  ApplyObjects(app.Environment(args.Get("env")), objects, args.Has("dry_run"));
  return 0;
}

int Delete(const LaunchArgs& args) {
  const App app = LoadApp(args);
  std::vector<Json> objects;
  for (Json& object : RenderAll(NamedComponents(app, args))) {
    // What is learned must not go with what learned it.
    const std::string& kind = object.At("kind").AsString();
    if (!args.Has("yes") &&
        (kind == "PersistentVolumeClaim" || kind == "Namespace" ||
         kind == "CustomResourceDefinition")) {
      std::printf("the %s %s is kept; --yes deletes it and all that is in it\n",
                  kind.c_str(), Name(object).c_str());
      continue;
    }
    objects.push_back(std::move(object));
  }
  if (objects.empty()) return 0;
  std::reverse(objects.begin(), objects.end());
  CheckKubectl(Kubectl(app.Environment(args.Get("env")),
                       {"delete", "--ignore-not-found", "-f", "-"},
                       ToYamlStream(objects), false),
               "delete the objects");
  return 0;
}

int Diff(const LaunchArgs& args) {
  const App app = LoadApp(args);
  const std::string text =
      ToYamlStream(RenderAll(SelectComponents(app, args, 0)));
  if (!args.Has("against")) {
    const KubectlResult result = Kubectl(
        app.Environment(args.Get("env")),
        {"diff", "--server-side", "--field-manager=t2t-launch", "-f", "-"},
        text, false);
    if (result.code > 1) CheckKubectl(result, "compare with the cluster");
    return result.code;
  }
  LaunchArgs other = args;
  other.flags["env"] = args.Get("against");
  const std::string other_text =
      ToYamlStream(RenderAll(SelectComponents(app, other, 0)));
  const std::string diff =
      DiffText(other_text, text, args.Get("against"),
               args.Get("env").empty() ? "(no environment)" : args.Get("env"));
  std::fputs(diff.c_str(), stdout);
  return diff.empty() ? 0 : 1;
}

int Status(const LaunchArgs& args) {
  const App app = LoadApp(args);
  std::set<std::string> resources = {"pods"};
  std::string names;
  for (const Component& component : SelectComponents(app, args, 0)) {
    names += (names.empty() ? "" : ",") + component.object();
    for (const Json& object : RenderAll({component})) {
      if (const Kind* const kind = FindKind(object)) {
        resources.insert(kind->resource);
      }
    }
  }
  std::vector<std::string> arguments = {
      "get",
      Join(std::vector<std::string>(resources.begin(), resources.end()), ","),
      "--selector=app.kubernetes.io/instance in (" + names + ")"};
  if (args.Has("json")) arguments.push_back("--output=json");
  CheckKubectl(Kubectl(app.Environment(args.Get("env")), arguments, "", false),
               "list the objects");
  return 0;
}

int Logs(const LaunchArgs& args) {
  const App app = LoadApp(args);
  const Component component = OneComponent(app, args);
  std::vector<std::string> arguments = {
      "logs",
      "--selector=" + InstanceSelector(component),
      "--all-containers",
      "--prefix",
      "--max-log-requests=100",
      "--tail=" + std::to_string(args.GetInt("tail", 100))};
  if (args.Has("follow")) arguments.push_back("--follow");
  CheckKubectl(Kubectl(app.Environment(args.Get("env")), arguments, "", false),
               "read the logs");
  return 0;
}

// Of the component's objects and their Pods, whose names start with its name.
int Events(const LaunchArgs& args) {
  const App app = LoadApp(args);
  const Component component = OneComponent(app, args);
  const KubectlResult result = Kubectl(
      app.Environment(args.Get("env")),
      {"get", "events", "--sort-by=.lastTimestamp", "--output=json"}, "", true);
  CheckKubectl(result, "list the events");
  const auto text = [](const Json& value, const char* key) {
    const Json* const found = value.Find(key);
    return found != nullptr && found->is_string() ? found->AsString()
                                                  : std::string("-");
  };
  const Json events = Json::Parse(result.output);
  for (const Json& event : events.At("items").items()) {
    const Json& about = event.At("involvedObject");
    const std::string name = text(about, "name");
    const std::string own = component.object();
    if (name != own && !StartsWith(name, own + "-")) continue;
    std::printf("%s  %s  %s %s  %s: %s\n", text(event, "lastTimestamp").c_str(),
                text(event, "type").c_str(), text(about, "kind").c_str(),
                name.c_str(), text(event, "reason").c_str(),
                text(event, "message").c_str());
  }
  return 0;
}

int PortForward(const LaunchArgs& args) {
  const App app = LoadApp(args);
  const Component component = OneComponent(app, args);
  for (const Json& object : RenderAll({component})) {
    const std::string& kind = object.At("kind").AsString();
    std::string name = Name(object);
    int64_t port = 80;
    if (kind == "Service") {
      port = object.At("spec").At("ports").items()[0].At("port").AsInt();
    } else if (kind == "InferenceService") {
      name += "-predictor";  // the Service that KServe makes
    } else {
      continue;
    }
    const std::string local =
        std::to_string(args.GetInt("port", port == 80 ? 8501 : port));
    CheckKubectl(Kubectl(app.Environment(args.Get("env")),
                         {"port-forward", "service/" + name,
                          local + ":" + std::to_string(port)},
                         "", false),
                 "forward the port");
    return 0;
  }
  throw UsageError("the component " + component.name + " has no Service",
                   "a tensorboard, a notebook or servers");
}

int Suspend(const LaunchArgs& args, bool stop) {
  const App app = LoadApp(args);
  const AppEnvironment& environment = app.Environment(args.Get("env"));
  for (const Json& object : RenderAll(NamedComponents(app, args))) {
    const Kind* const kind = FindKind(object);
    if (kind == nullptr) continue;
    const std::string what = std::string(kind->resource) + "/" + Name(object);
    std::vector<std::string> arguments;
    if (std::string(kind->kind) == "Deployment") {
      const Json* const replicas = object.At("spec").Find("replicas");
      arguments = {"scale", what,
                   "--replicas=" + std::to_string(stop       ? 0
                                                  : replicas ? replicas->AsInt()
                                                             : 1)};
    } else if (kind->suspend.empty() ||
               object.At("apiVersion").AsString() == "kubeflow.org/v1alpha1") {
      throw UsageError(std::string("a ") + kind->kind + " of " +
                           object.At("apiVersion").AsString() +
                           " can't be stopped",
                       "", "t2t-launch delete ends it; what is trained stays");
    } else {
      Json patch(stop);
      for (size_t i = kind->suspend.size(); i-- > 0;) {
        patch = Object({{kind->suspend[i], patch}});
      }
      arguments = {"patch", what, "--type=merge",
                   "--patch=" + Object({{"spec", patch}}).ToString()};
    }
    CheckKubectl(Kubectl(environment, arguments, "", false),
                 stop ? "stop it" : "resume it");
  }
  return 0;
}

int Stop(const LaunchArgs& args) { return Suspend(args, true); }
int Resume(const LaunchArgs& args) { return Suspend(args, false); }

std::string AbsolutePath(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.c_str(), nullptr), &std::free);
  if (real == nullptr) throw IoError("can't find", path);
  return real.get();
}

enum class State { kRunning, kDone, kFailed };

// Out of a workload's status, as its operator writes it.
State StateOf(const Json& object) {
  const Json* const status = object.Find("status");
  if (status == nullptr || !status->is_object()) return State::kRunning;
  for (const char* const key : {"phase", "state", "terminalState"}) {
    const Json* const phase = status->Find(key);
    if (phase == nullptr || !phase->is_string()) continue;
    const std::string& text = phase->AsString();
    if (text == "Succeeded" || text == "Completed") return State::kDone;
    if (text == "Failed" || text == "Error") return State::kFailed;
  }
  const Json* const conditions = status->Find("conditions");
  if (conditions == nullptr || !conditions->is_array()) return State::kRunning;
  for (const Json& condition : conditions->items()) {
    if (condition.At("status").AsString() != "True") continue;
    const std::string& type = condition.At("type").AsString();
    if (type == "Complete" || type == "Completed" || type == "Succeeded") {
      return State::kDone;
    }
    if (type == "Failed" || type == "FailureTarget") return State::kFailed;
  }
  return State::kRunning;
}

int WaitFor(const AppEnvironment& environment, const std::vector<Json>& objects,
            double timeout) {
  const double began = NowSeconds();
  std::vector<std::pair<std::string, std::string>> waiting;
  for (const Json& object : objects) {
    const Kind* const kind = FindKind(object);
    if (kind != nullptr && !kind->suspend.empty()) {
      waiting.emplace_back(kind->resource, Name(object));
    }
  }
  if (waiting.empty()) {
    throw UsageError("nothing of this ends by itself",
                     "trainings, data, decoding, sweeps, pipelines");
  }
  while (true) {
    for (size_t i = 0; i < waiting.size();) {
      const KubectlResult result =
          Kubectl(environment,
                  {"get", waiting[i].first, waiting[i].second, "--output=json"},
                  "", true);
      CheckKubectl(result, "look at " + waiting[i].second);
      const State state = StateOf(Json::Parse(result.output));
      if (state == State::kFailed) {
        std::printf("%s has failed\n", waiting[i].second.c_str());
        return kFailed;
      }
      if (state == State::kDone) {
        std::printf("%s is done\n", waiting[i].second.c_str());
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
    if (waiting.empty()) return 0;
    if (timeout > 0 && NowSeconds() - began >= timeout) {
      std::printf("%s is not done yet\n", waiting[0].second.c_str());
      return kNotInTime;
    }
    ::usleep(timeout > 0 && timeout < 10 ? 100000 : 5000000);
  }
}

int Wait(const LaunchArgs& args) {
  const App app = LoadApp(args);
  return WaitFor(app.Environment(args.Get("env")),
                 RenderAll(NamedComponents(app, args)),
                 args.GetDouble("timeout", 0));
}

}  // namespace

const std::vector<std::string>& RunFlags() {
  static const auto* const flags = new std::vector<std::string>{
      "env=",     "timeout=", "local",          "local_dir=",
      "bin_dir=", "chaos=",   "chaos_seconds=", "chaos_seed="};
  return *flags;
}

int RunComponents(const App& app, const LaunchArgs& args,
                  const std::vector<Component>& components, bool keep_going,
                  LocalResult* result) {
  const std::vector<Json> objects = RenderAll(components);
  ValidateOrThrow(components, objects);
  std::fputs(EstimatesText(app, components).c_str(), stdout);
  std::fflush(stdout);
  if (!args.Has("local")) {
    const AppEnvironment& environment = app.Environment(args.Get("env"));
    ApplyObjects(environment, objects, /*dry_run=*/false);
    return WaitFor(environment, objects, args.GetDouble("timeout", 0));
  }
  LocalOptions options;
  options.work_dir = args.Get("local_dir", JoinPath(app.folder(), ".local"));
  MakeDirectories(options.work_dir);
  options.work_dir = AbsolutePath(options.work_dir);
  options.bin_dir = args.Get("bin_dir");
  options.chaos = args.GetInt("chaos", 0);
  options.chaos_seconds = args.GetDouble("chaos_seconds", 1);
  options.seed = static_cast<uint64_t>(args.GetInt("chaos_seed", 1));
  options.timeout_seconds = args.GetDouble("timeout", 0);
  options.keep_going = keep_going;
  *result = RunLocally(objects, options);
  std::printf("%s, %lld killed on purpose\n",
              Count(result->restarts, "restart").c_str(),
              static_cast<long long>(result->killed));
  return result->done ? 0 : result->timed_out ? kNotInTime : kFailed;
}

namespace {}  // namespace

LaunchArgs WithLocal(LaunchArgs args) {
  for (size_t i = 0; i < args.params.size();) {
    if (args.params[i] ==
        std::make_pair(std::string("backend"), std::string("local"))) {
      args.flags["local"] = "true";
      args.params.erase(args.params.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  return args;
}

namespace {

int Run(const LaunchArgs& given) {
  const LaunchArgs args = WithLocal(given);
  const App app = LoadApp(args);
  LocalResult result;
  return RunComponents(app, args, NamedComponents(app, args),
                       /*keep_going=*/false, &result);
}

std::vector<std::string> RunFlagsAndAll() {
  std::vector<std::string> flags = RunFlags();
  flags.push_back("all");
  return flags;
}

int Doctor(const LaunchArgs& args) {
  args.NoMoreThan(0);
  const App app = LoadApp(args);
  const AppEnvironment& environment = app.Environment(args.Get("env"));
  const KubectlResult result =
      Kubectl(environment, {"api-resources", "--output=name", "--no-headers"},
              "", true);
  CheckKubectl(result, "reach the cluster");
  std::set<std::string> there;
  for (const std::string& line : Split(result.output, '\n')) {
    there.insert(std::string(Trim(line)));
  }
  static const std::map<std::string, std::string>* const backends =
      new std::map<std::string, std::string>{
          {"jobset", "jobsets.jobset.x-k8s.io"},
          {"trainjob", "trainjobs.trainer.kubeflow.org"},
          {"pytorchjob", "pytorchjobs.kubeflow.org"},
          {"tfjob", "tfjobs.kubeflow.org"},
          {"mpijob", "mpijobs.kubeflow.org"}};
  std::vector<std::string> operators;
  for (const auto& [backend, resource] : *backends) {
    const bool has = there.count(resource) > 0;
    std::printf("%-12s %s\n", backend.c_str(), has ? "yes" : "no");
    if (has) operators.push_back(backend);
  }
  for (const auto& [what, resource] :
       std::vector<std::pair<std::string, std::string>>{
           {"argo", "workflows.argoproj.io"},
           {"katib", "experiments.kubeflow.org"},
           {"kueue", "localqueues.kueue.x-k8s.io"},
           {"volcano", "podgroups.scheduling.volcano.sh"},
           {"kserve", "inferenceservices.serving.kserve.io"},
           {"seldon", "seldondeployments.machinelearning.seldon.io"}}) {
    std::printf("%-12s %s\n", what.c_str(),
                there.count(resource) > 0 ? "yes" : "no");
  }
  bool allowed = true;
  for (const char* const what :
       {"jobs.batch", "services", "persistentvolumeclaims"}) {
    const KubectlResult can =
        Kubectl(environment, {"auth", "can-i", "create", what}, "", true);
    if (can.code != 0) {
      std::printf("not allowed: create %s\n", what);
      allowed = false;
    }
  }
  if (!environment.name.empty() && operators != environment.operators) {
    std::printf("to do: t2t-launch env set %s --operators=%s\n",
                environment.name.c_str(), Join(operators, ",").c_str());
  }
  return allowed ? 0 : kFailed;
}

// Objects of this app in the cluster whose component is gone.
int Gc(const LaunchArgs& args) {
  args.NoMoreThan(0);
  const App app = LoadApp(args);
  const AppEnvironment& environment = app.Environment(args.Get("env"));
  std::set<std::string> instances;
  std::set<std::string> resources = {"services", "serviceaccounts",
                                     "networkpolicies.networking.k8s.io",
                                     "jobs.batch", "deployments.apps"};
  for (const std::string& name : app.ComponentNames()) {
    const Component component = app.Resolve(name, args.Get("env"));
    instances.insert(component.object());
    for (const Json& object : RenderAll({component})) {
      if (const Kind* const kind = FindKind(object)) {
        resources.insert(kind->resource);
      }
    }
  }
  for (const std::string& name : environment.operators) {
    for (const Kind& kind : Kinds()) {
      if (StartsWith(name, Lower(kind.kind))) resources.insert(kind.resource);
    }
  }
  const KubectlResult result = Kubectl(
      environment,
      {"get",
       Join(std::vector<std::string>(resources.begin(), resources.end()), ","),
       "--selector=app.kubernetes.io/managed-by=t2t-launch,"
       "app.kubernetes.io/part-of=" +
           app.name(),
       "--output=json"},
      "", true);
  CheckKubectl(result, "list the objects");
  std::vector<std::string> orphans;
  const Json there = Json::Parse(result.output);
  for (const Json& object : there.At("items").items()) {
    const Json& metadata = object.At("metadata");
    // What another object owns goes with that one.
    if (metadata.Find("ownerReferences") != nullptr) continue;
    const Json* const instance =
        metadata.At("labels").Find("app.kubernetes.io/instance");
    if (instance == nullptr || instances.count(instance->AsString()) > 0) {
      continue;
    }
    const std::string api = object.At("apiVersion").AsString();
    const size_t slash = api.find('/');
    orphans.push_back(
        Lower(object.At("kind").AsString()) +
        (slash == std::string::npos
             ? ""
             : "." + api.substr(slash + 1) + "." + api.substr(0, slash)) +
        "/" + metadata.At("name").AsString());
  }
  for (const std::string& orphan : orphans) {
    std::printf("%s\n", orphan.c_str());
  }
  if (orphans.empty() || !args.Has("yes")) return 0;
  std::vector<std::string> arguments = {"delete", "--ignore-not-found"};
  arguments.insert(arguments.end(), orphans.begin(), orphans.end());
  CheckKubectl(Kubectl(environment, arguments, "", false),
               "delete the objects");
  return 0;
}

}  // namespace

std::vector<Verb> ClusterVerbs() {
  return {
      {"diff",
       "[COMPONENT...]",
       "compares with the cluster, or with another environment\n"
       "The exit code is 1 where there are differences.",
       "t2t-launch diff train --env=lab --against=lab",
       {"env=", "against="},
       true,
       Diff},
      {"apply",
       "COMPONENT...",
       "checks and sends the manifests",
       "t2t-launch apply train --env=lab",
       {"env=", "all", "dry_run"},
       true,
       Apply},
      {"run", "COMPONENT...",
       "sends and waits; with --local, runs the manifests here\n"
       "The exit code is 0 when all is done, 20 where something has failed, 21 "
       "when time is up.",
       "t2t-launch run train --env=lab --timeout=5", RunFlagsAndAll(), true,
       Run},
      {"status",
       "[COMPONENT...]",
       "what runs, and its Pods",
       "t2t-launch status train --env=lab",
       {"env=", "json"},
       false,
       Status},
      {"logs",
       "COMPONENT",
       "what its Pods print",
       "t2t-launch logs train --env=lab --tail=20",
       {"env=", "tail=", "follow"},
       false,
       Logs},
      {"events",
       "COMPONENT",
       "what the cluster says of it",
       "t2t-launch events train --env=lab",
       {"env="},
       false,
       Events},
      {"port-forward",
       "COMPONENT",
       "its Service on a port here",
       "t2t-launch generate tensorboard && "
       "t2t-launch port-forward tensorboard --env=lab --port=16006",
       {"env=", "port="},
       false,
       PortForward},
      {"stop",
       "COMPONENT...",
       "suspends it; what is trained stays",
       "t2t-launch stop train --env=lab",
       {"env=", "all"},
       false,
       Stop},
      {"resume",
       "COMPONENT...",
       "goes on where it was stopped",
       "t2t-launch resume train --env=lab",
       {"env=", "all"},
       false,
       Resume},
      {"wait",
       "COMPONENT...",
       "until it is done (exit code 0), has failed (20) or time is up (21)",
       "t2t-launch wait train --env=lab --timeout=5",
       {"env=", "all", "timeout="},
       false,
       Wait},
      {"doctor",
       "",
       "what the cluster has and allows\n"
       "The exit code is 20 where something is not allowed.",
       "t2t-launch doctor --env=lab",
       {"env="},
       false,
       Doctor},
      {"gc",
       "",
       "lists what no component stands for any more",
       "t2t-launch gc --env=lab",
       {"env=", "yes"},
       false,
       Gc},
      {"delete",
       "COMPONENT...",
       "deletes its objects; claims only with --yes",
       "t2t-launch delete train --env=lab",
       {"env=", "all", "yes"},
       false,
       Delete},
  };
}

}  // namespace t2t
