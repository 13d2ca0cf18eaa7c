#include "launch/render/pod.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Variables that tell a process its place in the job: the operator's.
bool IsReservedVariable(const std::string& name) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "TF_CONFIG",       "RANK",        "WORLD_SIZE",
      "LOCAL_RANK",      "MASTER_ADDR", "MASTER_PORT",
      "JOB_COMPLETIONS", "NODE_RANK",   "JOB_COMPLETION_INDEX",
      "OMP_NUM_THREADS"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         StartsWith(name, "PET_") || StartsWith(name, "OMPI_");
}

std::pair<std::string, std::string> SplitPair(const std::string& text,
                                              char separator) {
  const size_t at = text.find(separator);
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + 1)};
}

void CheckLabels(const std::string& param,
                 const std::vector<std::pair<std::string, std::string>>& map,
                 bool annotations) {
  for (const auto& [key, value] : map) {
    if (!IsLabelKey(key) || (!annotations && !IsLabelValue(value))) {
      throw UsageError(
          "the parameter " + param + " has '" + key + "=" + value + "'",
          annotations
              ? "a key as example.com/name"
              : "a key as example.com/name and a value of at most 63 letters, "
                "digits, '-', '_' and '.'");
    }
  }
}

Json Environment(const Component& component, const PodOptions& options) {
  Json list = Json::Array();
  const auto add = [&](const std::string& name, const std::string& value) {
    list.Append(Object({{"name", name}, {"value", EscapeDollars(value)}}));
  };
  for (const auto& [name, value] : options.variables) add(name, value);
  for (const auto& [name, value] : component.params.Map("env")) {
    if (!IsVariableName(name)) {
      throw UsageError("the parameter env has a variable '" + name + "'",
                       "letters, digits and '_'");
    }
    if (IsReservedVariable(name)) {
      throw UsageError("the parameter env sets " + name,
                       "no variable that the operator or the launcher sets");
    }
    if (value.find('\0') != std::string::npos) {
      throw UsageError("the variable " + name + " has a NUL byte in it");
    }
    add(name, value);
  }
  for (const auto& [name, reference] : component.params.Map("secret_env")) {
    const auto [secret, key] = SplitPair(reference, '/');
    if (!IsVariableName(name) || IsReservedVariable(name) ||
        !IsDnsName(secret) || !IsLabelValue(key) || key.empty()) {
      throw UsageError(
          "the parameter secret_env has '" + name + "=" + reference + "'",
          "VARIABLE=secret/key");
    }
    list.Append(Object(
        {{"name", name},
         {"valueFrom", Object({{"secretKeyRef",
                                Object({{"name", secret}, {"key", key}})}})}}));
  }
  return list;
}

Json Resources(const Component& component, const PodOptions& options) {
  const Params& params = component.params;
  const bool own = options.cpu.empty();
  const std::string cpu = own ? params.String("cpu") : options.cpu;
  const std::string memory = own ? params.String("memory") : options.memory;
  const auto limit = [&](const char* name, const std::string& request) {
    const std::string text = own ? params.String(name) : "";
    if (text.empty()) return request;
    if (QuantityValue(text) < QuantityValue(request)) {
      throw UsageError(std::string("the parameter ") + name + " is " + text,
                       "no less than what is requested, " + request);
    }
    return text;
  };
  Json requests = Object({{"cpu", cpu}, {"memory", memory}});
  Json limits = Object({{"cpu", limit("cpu_limit", cpu)},
                        {"memory", limit("memory_limit", memory)}});
  const int64_t gpus = params.Int("gpus");
  if (options.gpus && gpus > 0) {
    const std::string resource = params.String("gpu_resource");
    requests.Set(resource, std::to_string(gpus));
    limits.Set(resource, std::to_string(gpus));
  }
  return Object({{"requests", requests}, {"limits", limits}});
}

// "key=value:Effect" or "key:Effect".
Json Toleration(const std::string& text) {
  const auto [rest, effect] = SplitPair(text, ':');
  const auto [key, value] = SplitPair(rest, '=');
  if (!IsLabelKey(key) || !IsLabelValue(value) ||
      (effect != "NoSchedule" && effect != "NoExecute" &&
       effect != "PreferNoSchedule")) {
    throw UsageError("the parameter tolerations has '" + text + "'",
                     "key=value:Effect or key:Effect; the effect is "
                     "NoSchedule, NoExecute or PreferNoSchedule");
  }
  Json toleration = Object({{"key", key}});
  if (value.empty()) {
    toleration.Set("operator", "Exists");
  } else {
    toleration.Set("operator", "Equal");
    toleration.Set("value", value);
  }
  toleration.Set("effect", effect);
  return toleration;
}

void AddPlacement(const Component& component, bool with_gpus, Json* spec) {
  const Params& params = component.params;
  auto selector = params.Map("node_selector");
  CheckLabels("node_selector", selector, /*annotations=*/false);
  Json tolerations = Json::Array();
  if (with_gpus && params.Int("gpus") > 0) {
    tolerations.Append(
        Toleration(params.String("gpu_resource") + ":NoSchedule"));
  }
  if (params.Bool("spot")) {
    const auto [key, value] = SplitPair(params.String("spot_label"), '=');
    CheckLabels("spot_label", {{key, value}}, /*annotations=*/false);
    selector.emplace_back(key, value);
    tolerations.Append(
        Toleration(key + (value.empty() ? "" : "=" + value) + ":NoSchedule"));
  }
  for (const std::string& text : params.List("tolerations")) {
    tolerations.Append(Toleration(text));
  }
  if (!selector.empty()) {
    Json map = Json::Object();
    for (const auto& [key, value] : selector) map.Set(key, value);
    spec->Set("nodeSelector", map);
  }
  if (!tolerations.items().empty()) spec->Set("tolerations", tolerations);
}

}  // namespace

std::vector<ParamSpec> PodParams() {
  using T = ParamType;
  return {
      {"image", T::kString, "t2t:local", "the programs' image"},
      {"image_pull_policy",
       T::kString,
       "IfNotPresent",
       "when the image is pulled",
       {"IfNotPresent", "Always", "Never"}},
      {"image_pull_secret", T::kName, "", "a Secret to pull the image with"},
      {"cpu", T::kQuantity, "2", "cores of a Pod"},
      {"memory", T::kQuantity, "4Gi", "memory of a Pod"},
      {"cpu_limit", T::kQuantity, "", "cores at most; empty: as cpu"},
      {"memory_limit", T::kQuantity, "", "memory at most; empty: as memory"},
      {"gpus", T::kInt, 0, "GPUs of a Pod", {}, 0, 64},
      {"gpu_resource", T::kString, "nvidia.com/gpu", "the GPUs' name"},
      {"node_selector", T::kMap, Json::Object(),
       "labels the node must have (the kind of GPU)"},
      {"tolerations", T::kList, Json::Array(),
       "taints that do not matter: key=value:Effect"},
      {"spot", T::kBool, false, "runs on preemptible nodes"},
      {"spot_label", T::kString, "cloud.google.com/gke-spot=true",
       "label and taint of preemptible nodes"},
      {"claim", T::kName, "t2t",
       "the PersistentVolumeClaim of data and models"},
      {"claim_path", T::kString, "/t2t", "where the claim is mounted"},
      {"tmp_size", T::kQuantity, "2Gi", "size of /tmp"},
      {"env", T::kMap, Json::Object(), "further variables"},
      {"secret_env", T::kMap, Json::Object(),
       "variables out of Secrets: NAME=secret/key"},
      {"config_map", T::kName, "", "a ConfigMap, mounted at /etc/t2t"},
      {"service_account", T::kName, "",
       "an existing ServiceAccount; empty: one without any rights is made"},
      {"priority_class", T::kName, "", "a PriorityClass"},
      {"scheduler", T::kName, "", "a scheduler other than the cluster's own"},
      {"labels", T::kMap, Json::Object(), "further labels"},
      {"annotations", T::kMap, Json::Object(), "further annotations"},
      {"network_policy", T::kBool, true, "only what must come in may come in"},
  };
}

Json Labels(const Component& component) {
  const Params& params = component.params;
  Json labels = Object({{"app.kubernetes.io/name", "t2t"},
                        {"app.kubernetes.io/instance", component.object()},
                        {"app.kubernetes.io/component", component.prototype},
                        {"app.kubernetes.io/part-of", component.app},
                        {"app.kubernetes.io/managed-by", "t2t-launch"}});
  if (params.Has("labels")) {
    CheckLabels("labels", params.Map("labels"), /*annotations=*/false);
    for (const auto& [key, value] : params.Map("labels")) {
      if (labels.Find(key) != nullptr || key == "t2t.dev/role") {
        throw UsageError("the parameter labels sets " + key,
                         "a label that t2t-launch does not set itself");
      }
      labels.Set(key, value);
    }
  }
  return labels;
}

Json Selector(const Component& component, const std::string& role) {
  Json labels = Object({{"app.kubernetes.io/instance", component.object()}});
  if (!role.empty()) labels.Set("t2t.dev/role", role);
  return labels;
}

Json ObjectHead(const Component& component, const std::string& api_version,
                const std::string& kind, const std::string& name) {
  Json metadata = Object({{"name", name}});
  if (!component.ns.empty()) metadata.Set("namespace", component.ns);
  metadata.Set("labels", Labels(component));
  if (component.params.Has("annotations")) {
    const auto annotations = component.params.Map("annotations");
    CheckLabels("annotations", annotations, /*annotations=*/true);
    Json map = Json::Object();
    for (const auto& [key, value] : annotations) map.Set(key, value);
    if (!annotations.empty()) metadata.Set("annotations", map);
  }
  return Object(
      {{"apiVersion", api_version}, {"kind", kind}, {"metadata", metadata}});
}

int64_t Threads(const Component& component) {
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(QuantityValue(
                                  component.params.String("cpu")))));
}

namespace {

// The claim, scratch folders, shared memory and files that the Pod sees.
void AddVolumes(const Component& component, const PodOptions& options,
                Json* mounts, Json* volumes) {
  const Params& params = component.params;
  const std::string claim = params.String("claim");
  const std::string claim_path = params.String("claim_path");
  if (!claim.empty()) {
    if (!StartsWith(claim_path, "/") || claim_path.size() < 2 ||
        claim_path.find(':') != std::string::npos ||
        EndsWith(claim_path, "/")) {
      throw UsageError("the parameter claim_path is '" + claim_path + "'",
                       "an absolute path as /t2t");
    }
    mounts->Append(Object({{"name", "data"}, {"mountPath", claim_path}}));
    volumes->Append(
        Object({{"name", "data"},
                {"persistentVolumeClaim", Object({{"claimName", claim}})}}));
  }
  mounts->Append(Object({{"name", "tmp"}, {"mountPath", "/tmp"}}));
  volumes->Append(Object(
      {{"name", "tmp"},
       {"emptyDir", Object({{"sizeLimit", params.String("tmp_size")}})}}));
  for (size_t i = 0; i < options.writable.size(); ++i) {
    const std::string name = "scratch-" + std::to_string(i);
    mounts->Append(
        Object({{"name", name}, {"mountPath", options.writable[i]}}));
    volumes->Append(Object({{"name", name}, {"emptyDir", Json::Object()}}));
  }
  if (options.shm > 0) {
    mounts->Append(Object({{"name", "shm"}, {"mountPath", "/dev/shm"}}));
    volumes->Append(Object(
        {{"name", "shm"},
         {"emptyDir", Object({{"medium", "Memory"},
                              {"sizeLimit", params.String("shm_size")}})}}));
  }
  if (!params.String("config_map").empty()) {
    mounts->Append(Object(
        {{"name", "config"}, {"mountPath", "/etc/t2t"}, {"readOnly", true}}));
    volumes->Append(Object(
        {{"name", "config"},
         {"configMap", Object({{"name", params.String("config_map")}})}}));
  }
}

Json Container(const Component& component, const PodOptions& options) {
  const Params& params = component.params;
  Json container =
      Object({{"name", options.container},
              {"image", params.String("image")},
              {"imagePullPolicy", params.String("image_pull_policy")}});
  if (params.String("image").empty()) {
    throw UsageError("the parameter image is empty", "the programs' image");
  }
  if (!options.command.empty()) {
    container.Set("command", Strings(options.command));
  }
  if (!options.arguments.empty()) {
    container.Set("args", Strings(options.arguments));
  }
  const Json environment = Environment(component, options);
  if (!environment.items().empty()) container.Set("env", environment);
  if (!options.ports.empty()) {
    Json ports = Json::Array();
    for (const auto& [name, port] : options.ports) {
      ports.Append(Object({{"name", name}, {"containerPort", port}}));
    }
    container.Set("ports", ports);
  }
  container.Set("resources", Resources(component, options));
  for (const auto& [name, probe] : options.probes.members()) {
    container.Set(name, probe);
  }
  container.Set("securityContext",
                Object({{"allowPrivilegeEscalation", false},
                        {"readOnlyRootFilesystem", true},
                        {"capabilities", Object({{"drop", List({"ALL"})}})}}));
  return container;
}

// All of a Pod's spec but for containers and volumes.
Json PodSpec(const Component& component, const PodOptions& options) {
  const Params& params = component.params;
  Json spec = Json::Object();
  if (options.service_account) {
    const std::string account = params.String("service_account");
    spec.Set("serviceAccountName",
             account.empty() ? component.object() : account);
    spec.Set("automountServiceAccountToken", false);
  }
  if (!options.restart_policy.empty()) {
    spec.Set("restartPolicy", options.restart_policy);
  }
  if (!options.subdomain.empty()) spec.Set("subdomain", options.subdomain);
  spec.Set("terminationGracePeriodSeconds", options.grace);
  spec.Set("enableServiceLinks", false);
  if (!params.String("priority_class").empty()) {
    spec.Set("priorityClassName", params.String("priority_class"));
  }
  if (!params.String("scheduler").empty()) {
    spec.Set("schedulerName", params.String("scheduler"));
  }
  if (!params.String("image_pull_secret").empty()) {
    spec.Set("imagePullSecrets",
             List({Object({{"name", params.String("image_pull_secret")}})}));
  }
  AddPlacement(component, options.gpus, &spec);
  spec.Set("securityContext",
           Object({{"runAsNonRoot", true},
                   {"runAsUser", 1000},
                   {"runAsGroup", 1000},
                   {"fsGroup", 1000},
                   {"fsGroupChangePolicy", "OnRootMismatch"},
                   {"seccompProfile", Object({{"type", "RuntimeDefault"}})}}));
  return spec;
}

}  // namespace

Json PodTemplate(const Component& component, const PodOptions& options) {
  Json mounts = Json::Array();
  Json volumes = Json::Array();
  AddVolumes(component, options, &mounts, &volumes);
  Json container = Container(component, options);
  container.Set("volumeMounts", mounts);
  Json spec = PodSpec(component, options);
  spec.Set("containers", List({container}));
  spec.Set("volumes", volumes);

  Json labels = Labels(component);
  if (!options.role.empty()) labels.Set("t2t.dev/role", options.role);
  return Object({{"metadata", Object({{"labels", labels}})}, {"spec", spec}});
}

void AddCompanions(const Component& component,
                   const std::vector<int64_t>& ports,
                   std::vector<Json>* objects) {
  const std::string name = component.object();
  if (component.params.String("service_account").empty()) {
    Json account = ObjectHead(component, "v1", "ServiceAccount", name);
    account.Set("automountServiceAccountToken", false);
    objects->push_back(account);
  }
  if (!component.params.Bool("network_policy")) return;
  Json policy =
      ObjectHead(component, "networking.k8s.io/v1", "NetworkPolicy", name);
  Json rule = Json::Object();
  if (ports.empty()) {
    rule.Set(
        "from",
        List({Object({{"podSelector",
                       Object({{"matchLabels", Selector(component)}})}})}));
  } else {
    Json list = Json::Array();
    for (const int64_t port : ports) {
      list.Append(Object({{"protocol", "TCP"}, {"port", port}}));
    }
    rule.Set("ports", list);
  }
  policy.Set(
      "spec",
      Object({{"podSelector", Object({{"matchLabels", Selector(component)}})},
              {"policyTypes", List({"Ingress"})},
              {"ingress", List({rule})}}));
  objects->push_back(policy);
}

}  // namespace t2t
