#include "launch/run/cluster_objects.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

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

}  // namespace

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

std::string ObjectName(const Json& object) {
  return object.At("metadata").At("name").AsString();
}

void CheckKubectl(const KubectlResult& result, const std::string& doing) {
  if (result.code != 0) {
    throw Error(ExitCode::kRetry,
                "kubectl could not " + doing + " (exit code " +
                    std::to_string(result.code) + ")",
                "", "t2t-launch doctor looks at the cluster");
  }
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

int WaitFor(const AppEnvironment& environment, const std::vector<Json>& objects,
            double timeout) {
  const double began = NowSeconds();
  std::vector<std::pair<std::string, std::string>> waiting;
  for (const Json& object : objects) {
    const Kind* const kind = FindKind(object);
    if (kind != nullptr && !kind->suspend.empty()) {
      waiting.emplace_back(kind->resource, ObjectName(object));
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

}  // namespace t2t
