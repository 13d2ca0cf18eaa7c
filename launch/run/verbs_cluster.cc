#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "launch/run/cluster_objects.h"
#include "launch/run/cluster_verbs.h"
#include "launch/run/kubectl.h"
#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {

std::vector<Component> NamedComponents(const App& app, const LaunchArgs& args) {
  if (args.words.empty() && !args.Has("all")) {
    throw UsageError("no component is named", "names, or --all",
                     "t2t-launch component list");
  }
  return SelectComponents(app, args, 0);
}

namespace {

Component OneComponent(const App& app, const LaunchArgs& args) {
  args.Word(0, "component's name");
  args.NoMoreThan(1);
  return app.Resolve(args.words[0], args.Get("env"), args.params);
}

int Apply(const LaunchArgs& args) {
  const App app = LoadAppToRender(args);
  const std::vector<Component> components = NamedComponents(app, args);
  const std::vector<Json> objects = RenderAll(components);
  ValidateOrThrow(app, components, objects);
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
                  kind.c_str(), ObjectName(object).c_str());
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
  const App app = LoadAppToRender(args);
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
    std::string name = ObjectName(object);
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
    const std::string what =
        std::string(kind->resource) + "/" + ObjectName(object);
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

int Wait(const LaunchArgs& args) {
  const App app = LoadApp(args);
  return WaitFor(app.Environment(args.Get("env")),
                 RenderAll(NamedComponents(app, args)),
                 args.GetDouble("timeout", 0));
}

}  // namespace

// A table: as long as it has rows.
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
