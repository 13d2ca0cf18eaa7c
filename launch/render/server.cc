#include "launch/render/server.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

Json HttpProbe(const std::string& path, const std::string& port, int64_t period,
               int64_t failures) {
  return Object({{"httpGet", Object({{"path", path}, {"port", port}})},
                 {"periodSeconds", period},
                 {"failureThreshold", failures}});
}

Json DeploymentOf(const Component& component, const PodOptions& options,
                  int64_t replicas, bool scaled) {
  Json deployment =
      ObjectHead(component, "apps/v1", "Deployment", component.object());
  Json spec = Json::Object();
  // With an autoscaler the number is its business.
  if (!scaled) spec.Set("replicas", replicas);
  spec.Set("selector", Object({{"matchLabels", Selector(component)}}));
  spec.Set("template", PodTemplate(component, options));
  deployment.Set("spec", spec);
  return deployment;
}

Json ServiceOf(const Component& component, const PodOptions& options) {
  Json service = ObjectHead(component, "v1", "Service", component.object());
  Json ports = Json::Array();
  for (const auto& [name, port] : options.ports) {
    ports.Append(
        Object({{"name", name}, {"port", port}, {"targetPort", name}}));
  }
  service.Set("spec", Object({{"type", "ClusterIP"},
                              {"selector", Selector(component)},
                              {"ports", ports}}));
  return service;
}

std::vector<int64_t> PortNumbers(const PodOptions& options) {
  std::vector<int64_t> numbers;
  for (const auto& [name, port] : options.ports) numbers.push_back(port);
  return numbers;
}

namespace {

struct Scale {
  int64_t least = 1;
  int64_t most = 1;
  int64_t cpu_percent = 70;

  bool moves() const { return most > least; }
};

// The server's Pod; `container` as the operator wants it called.
PodOptions ServerPod(const Component& component, const std::string& container,
                     const std::string& model_base_path) {
  const Params& params = component.params;
  PodOptions options;
  options.container = container;
  options.command = {"t2t-model-server"};
  options.arguments = {"--host=0.0.0.0", "--rest_api_port=8501",
                       FlagArgument("model_name", params.String("model_name")),
                       FlagArgument("model_base_path", model_base_path)};
  AddArguments(component, "server_args", &options.arguments);
  options.variables = {{"OMP_NUM_THREADS", std::to_string(Threads(component))}};
  options.ports = {{"http", 8501}};
  if (params.Bool("grpc")) {
    options.arguments.push_back("--port=8500");
    options.ports.emplace_back("grpc", 8500);
  }
  options.grace = 60;
  bool tls = false;
  for (const std::string& argument : options.arguments) {
    tls = tls || argument.rfind("--ssl_cert_file=", 0) == 0;
  }
  const auto probe = [tls](const char* path, int64_t period, int64_t failures) {
    Json probe = HttpProbe(path, "http", period, failures);
    if (!tls) return probe;
    Json get = probe.At("httpGet");
    get.Set("scheme", "HTTPS");
    probe.Set("httpGet", get);
    return probe;
  };
  options.probes = Object(
      {// Loading and warming a model may take long; only then is it alive.
       {"startupProbe", probe("/healthz", 5, 120)},
       {"readinessProbe", probe("/readyz", 5, 2)},
       {"livenessProbe", probe("/healthz", 10, 6)},
       // Clients are sent elsewhere before the server stops to listen.
       {"lifecycle",
        Object({{"preStop",
                 Object({{"exec",
                          Object({{"command", List({"sleep", "10"})}})}})}})}});
  return options;
}

Json CpuMetrics(const Scale& scale) {
  return List({Object(
      {{"type", "Resource"},
       {"resource", Object({{"name", "cpu"},
                            {"target", Object({{"type", "Utilization"},
                                               {"averageUtilization",
                                                scale.cpu_percent}})}})}})});
}

// A new server is there before an old one goes.
Json Rolling() {
  return Object(
      {{"type", "RollingUpdate"},
       {"rollingUpdate", Object({{"maxUnavailable", 0}, {"maxSurge", 1}})}});
}

void AddBudget(const Component& component, const Scale& scale,
               std::vector<Json>* objects) {
  if (scale.least < 2) return;
  Json budget = ObjectHead(component, "policy/v1", "PodDisruptionBudget",
                           component.object());
  budget.Set(
      "spec",
      Object({{"maxUnavailable", 1},
              {"selector", Object({{"matchLabels", Selector(component)}})}}));
  objects->push_back(budget);
}

void RenderDeployment(const Component& component, const Scale& scale,
                      std::vector<Json>* objects) {
  const PodOptions options = ServerPod(
      component, "server", component.params.String("model_base_path"));
  objects->push_back(ServiceOf(component, options));
  Json deployment =
      DeploymentOf(component, options, scale.least, scale.moves());
  Json spec = deployment.At("spec");
  spec.Set("strategy", Rolling());
  deployment.Set("spec", spec);
  objects->push_back(deployment);
  if (scale.moves()) {
    Json scaler = ObjectHead(component, "autoscaling/v2",
                             "HorizontalPodAutoscaler", component.object());
    scaler.Set(
        "spec",
        Object({{"scaleTargetRef", Object({{"apiVersion", "apps/v1"},
                                           {"kind", "Deployment"},
                                           {"name", component.object()}})},
                {"minReplicas", scale.least},
                {"maxReplicas", scale.most},
                {"metrics", CpuMetrics(scale)}}));
    objects->push_back(scaler);
  }
  AddBudget(component, scale, objects);
}

// Of a metadata, with one more annotation.
void Annotate(const std::string& key, const std::string& value, Json* object) {
  Json metadata = object->At("metadata");
  Json annotations = Json::Object();
  if (const Json* const there = metadata.Find("annotations")) {
    annotations = *there;
  }
  annotations.Set(key, value);
  metadata.Set("annotations", annotations);
  object->Set("metadata", metadata);
}

// As a Deployment of KServe's making, so that a Pod can be what it is
// elsewhere: Knative would refuse the claim and half of the fields.
void RenderKServe(const Component& component, const Scale& scale,
                  std::vector<Json>* objects) {
  const Json pod = PodTemplate(
      component, ServerPod(component, "kserve-container",
                           component.params.String("model_base_path")));
  Json predictor = Object({{"minReplicas", scale.least},
                           {"maxReplicas", scale.most},
                           {"scaleMetric", "cpu"},
                           {"scaleTarget", scale.cpu_percent},
                           {"deploymentStrategy", Rolling()},
                           {"labels", pod.At("metadata").At("labels")}});
  for (const auto& [key, value] : pod.At("spec").members()) {
    predictor.Set(key, value);
  }
  Json service = ObjectHead(component, "serving.kserve.io/v1beta1",
                            "InferenceService", component.object());
  Annotate("serving.kserve.io/deploymentMode", "RawDeployment", &service);
  service.Set("spec", Object({{"predictor", predictor}}));
  objects->push_back(service);
  AddBudget(component, scale, objects);
}

// Without Seldon's own server in between, which would not know of /translate
// and not pass on deadlines.
void RenderSeldon(const Component& component, const Scale& scale,
                  std::vector<Json>* objects) {
  const Params& params = component.params;
  const int64_t canary = params.Int("canary_percent");
  Json predictors = Json::Array();
  const auto add = [&](const std::string& name, const std::string& path,
                       int64_t traffic, const Scale& own) {
    PodOptions options = ServerPod(component, "server", path);
    options.role = name;
    const Json pod = PodTemplate(component, options);
    Json spec =
        Object({{"metadata", pod.At("metadata")}, {"spec", pod.At("spec")}});
    Json predictor = Object({{"name", name}});
    if (own.moves()) {
      spec.Set("hpaSpec", Object({{"minReplicas", own.least},
                                  {"maxReplicas", own.most},
                                  {"metricsv2", CpuMetrics(own)}}));
    } else {
      predictor.Set("replicas", own.least);
    }
    if (own.least > 1) {
      spec.Set("pdbSpec", Object({{"maxUnavailable", 1}}));
    }
    predictor.Set("traffic", traffic);
    predictor.Set("annotations", Object({{"seldon.io/no-engine", "true"}}));
    predictor.Set("componentSpecs", List({spec}));
    predictor.Set(
        "graph",
        Object({{"name", "server"},
                {"type", "MODEL"},
                {"endpoint", Object({{"type", "REST"}, {"httpPort", 8501}})}}));
    predictors.Append(predictor);
  };
  add("main", params.String("model_base_path"), 100 - canary, scale);
  if (canary > 0) {
    add("canary", params.String("canary_base_path"), canary,
        {1, 1, scale.cpu_percent});
  }
  Json deployment = ObjectHead(component, "machinelearning.seldon.io/v1",
                               "SeldonDeployment", component.object());
  deployment.Set("spec", Object({{"name", component.object()},
                                 {"protocol", "tensorflow"},
                                 {"predictors", predictors}}));
  objects->push_back(deployment);
}

}  // namespace

std::vector<ParamSpec> ServeParams() {
  using T = ParamType;
  return {{"model_name", T::kString, "t2t", "the model's name in URLs"},
          {"model_base_path", T::kString, "/t2t/export/t2t",
           "the folder of its versions"},
          {"backend",
           T::kString,
           "deployment",
           "what runs the servers",
           {"deployment", "kserve", "seldon"}},
          {"min_replicas", T::kInt, 2, "servers at least", {}, 1, 1000},
          {"max_replicas", T::kInt, 4, "servers at most", {}, 1, 1000},
          {"target_cpu_percent",
           T::kInt,
           70,
           "load from which on there are more",
           {},
           1,
           100},
          {"grpc", T::kBool, false, "gRPC on port 8500 too"},
          {"canary_base_path", T::kString, "",
           "another folder of versions, for a part of the requests (seldon)"},
          {"canary_percent", T::kInt, 0, "how large a part", {}, 0, 99},
          {"server_args", T::kList, Json::Array(),
           "further flags of t2t-model-server"}};
}

std::vector<Json> RenderServe(const Component& component) {
  const Params& params = component.params;
  const Scale scale{params.Int("min_replicas"), params.Int("max_replicas"),
                    params.Int("target_cpu_percent")};
  if (scale.most < scale.least) {
    throw UsageError(
        "max_replicas is " + std::to_string(scale.most),
        "no less than min_replicas, " + std::to_string(scale.least));
  }
  const std::string backend = params.String("backend");
  const bool canary = params.Int("canary_percent") > 0;
  if (canary != !params.String("canary_base_path").empty()) {
    throw UsageError("only one of canary_percent and canary_base_path is set",
                     "both, or none");
  }
  if (canary && backend != "seldon") {
    throw UsageError("a canary with the backend " + backend, "seldon",
                     "a new version in model_base_path replaces the old one "
                     "everywhere");
  }
  std::vector<int64_t> ports = {8501};
  if (params.Bool("grpc")) ports.push_back(8500);
  std::vector<Json> objects;
  AddCompanions(component, ports, &objects);
  if (backend == "kserve") {
    RenderKServe(component, scale, &objects);
  } else if (backend == "seldon") {
    RenderSeldon(component, scale, &objects);
  } else {
    RenderDeployment(component, scale, &objects);
  }
  return objects;
}

}  // namespace t2t
