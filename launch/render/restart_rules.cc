#include "launch/render/restart_rules.h"

#include <functional>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// The first member of that name anywhere below, in the manifest's order.
const Json* FindBelow(const Json& value, const std::string& key) {
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      if (const Json* const found = FindBelow(item, key)) return found;
    }
  }
  if (!value.is_object()) return nullptr;
  if (const Json* const found = value.Find(key)) return found;
  for (const auto& [name, member] : value.members()) {
    if (const Json* const found = FindBelow(member, key)) return found;
  }
  return nullptr;
}

// By a Job's podFailurePolicy: the first rule that matches counts.
PodEnd ByFailurePolicy(const Json& policy, int exit_code) {
  for (const Json& rule : policy.At("rules").items()) {
    const Json* const codes = rule.Find("onExitCodes");
    if (codes == nullptr) continue;
    bool listed = false;
    for (const Json& value : codes->At("values").items()) {
      listed = listed || value.AsInt() == exit_code;
    }
    const bool matches = listed == (codes->At("operator").AsString() == "In");
    if (!matches) continue;
    return rule.At("action").AsString() == "FailJob" ? PodEnd::kFail
                                                     : PodEnd::kRestart;
  }
  return PodEnd::kRestart;
}

// Argo's retryStrategy. Of expressions the one that t2t-launch writes is known.
PodEnd ByRetryStrategy(const Json* strategy, int exit_code) {
  if (strategy == nullptr) return PodEnd::kFail;
  // A container that ends with a code has failed; OnError is for the rest.
  if (strategy->At("retryPolicy").AsString() == "OnError") {
    return PodEnd::kFail;
  }
  const Json* const expression = strategy->Find("expression");
  if (expression == nullptr) return PodEnd::kRestart;
  static constexpr char kFrom[] = "asInt(lastRetry.exitCode) >= ";
  const std::string& text = expression->AsString();
  const size_t at = text.find(kFrom);
  int64_t from = 0;
  if (at == std::string::npos ||
      !ParseInt(text.substr(at + sizeof(kFrom) - 1), &from)) {
    throw DataError("the expression '" + text + "' is not known",
                    std::string(kFrom) + "128");
  }
  return exit_code >= from ? PodEnd::kRestart : PodEnd::kFail;
}

}  // namespace

PodEnd DecidePodEnd(const Json& workload, const std::string& role,
                    int exit_code) {
  if (exit_code == 0) return PodEnd::kDone;
  const std::string& kind = workload.At("kind").AsString();
  const Json& spec = workload.At("spec");
  if (kind == "Job" || kind == "JobSet" || kind == "TrainingRuntime") {
    const Json* const policy = FindBelow(spec, "podFailurePolicy");
    return policy == nullptr ? PodEnd::kRestart
                             : ByFailurePolicy(*policy, exit_code);
  }
  if (kind == "Step") {
    return ByRetryStrategy(spec.Find("retryStrategy"), exit_code);
  }
  if (workload.At("apiVersion").AsString() == "kubeflow.org/v1alpha1") {
    return exit_code >= 128 ? PodEnd::kRestart : PodEnd::kFail;
  }
  // MPIJob v2beta1's launcher is a Job without a policy.
  if (kind == "MPIJob") return PodEnd::kRestart;
  for (const char* const replicas : {"tfReplicaSpecs", "pytorchReplicaSpecs"}) {
    const Json* const specs = spec.Find(replicas);
    if (specs == nullptr) continue;
    const std::string& policy = specs->At(role).At("restartPolicy").AsString();
    if (policy == "ExitCode") {
      return exit_code >= 128 ? PodEnd::kRestart : PodEnd::kFail;
    }
    return policy == "Never" ? PodEnd::kFail : PodEnd::kRestart;
  }
  throw DataError("what ends a " + kind + " is not known");
}

int64_t RestartLimit(const Json& workload) {
  if (workload.At("kind").AsString() == "Step") {
    const Json* const strategy = workload.At("spec").Find("retryStrategy");
    int64_t times = 0;
    if (strategy != nullptr) ParseInt(strategy->At("limit").AsString(), &times);
    return times;
  }
  const Json* limit = FindBelow(workload.At("spec"), "maxRestarts");
  if (limit == nullptr) limit = FindBelow(workload.At("spec"), "backoffLimit");
  return limit == nullptr ? 6 : limit->AsInt();  // Kubernetes' own default
}

}  // namespace t2t
