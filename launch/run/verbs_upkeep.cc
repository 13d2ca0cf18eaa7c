// Verbs that look at the whole app in its cluster.

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/render/train.h"
#include "launch/run/cluster_objects.h"
#include "launch/run/cluster_verbs.h"
#include "launch/run/kubectl.h"
#include "t2t/base/error.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {

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

namespace {

// "deployment.v1.apps/name": an object as kubectl takes it.
std::string KubectlName(const Json& object) {
  const std::string api = object.At("apiVersion").AsString();
  const size_t slash = api.find('/');
  return Lower(object.At("kind").AsString()) +
         (slash == std::string::npos
              ? ""
              : "." + api.substr(slash + 1) + "." + api.substr(0, slash)) +
         "/" + object.At("metadata").At("name").AsString();
}

// Objects of this app in the cluster whose component is gone.
std::vector<std::string> Orphans(const App& app, const std::string& env) {
  const AppEnvironment& environment = app.Environment(env);
  std::set<std::string> instances;
  std::set<std::string> resources = {"services", "serviceaccounts",
                                     "networkpolicies.networking.k8s.io",
                                     "jobs.batch", "deployments.apps"};
  for (const std::string& name : app.ComponentNames()) {
    const Component component = app.Resolve(name, env);
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
    orphans.push_back(KubectlName(object));
  }
  return orphans;
}

}  // namespace

int Gc(const LaunchArgs& args) {
  args.NoMoreThan(0);
  const App app = LoadApp(args);
  const std::vector<std::string> orphans = Orphans(app, args.Get("env"));
  for (const std::string& orphan : orphans) {
    std::printf("%s\n", orphan.c_str());
  }
  if (orphans.empty() || !args.Has("yes")) return 0;
  std::vector<std::string> arguments = {"delete", "--ignore-not-found"};
  arguments.insert(arguments.end(), orphans.begin(), orphans.end());
  CheckKubectl(Kubectl(app.Environment(args.Get("env")), arguments, "", false),
               "delete the objects");
  return 0;
}

}  // namespace t2t
