#include "launch/render/pipeline.h"

#include <map>
#include <set>

#include "launch/render/job.h"
#include "launch/render/prototypes.h"
#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Decodes with one variant and leaves its BLEU in a file. Arguments: the
// training's folder, data, source, reference, where the results go.
constexpr char kScoreScript[] = R"(set -eu
mkdir -p "$5"
t2t-decoder --output_dir="$1" --data_dir="$2" \
  --decode_from_file="$3" --decode_to_file="$5/decoded.txt"
t2t-bleu --translation="$5/decoded.txt" --reference="$4" > "$5/bleu.txt"
cat "$5/bleu.txt"
)";

// Exports the variant of the highest BLEU as the next version where it beats
// the one before. First the choice. Arguments: the servers' folder, data, then
// pairs of a training's folder and its results.
constexpr char kChooseScript[] = R"(set -eu
target=$1 data=$2
shift 2
mkdir -p "$target"
best=-1 from=
while [ $# -ge 2 ]; do
  bleu=$(sed -n 's/^BLEU_cased = *//p' "$2/bleu.txt")
  if awk -v a="$bleu" -v b="$best" 'BEGIN { exit !(a > b) }'; then
    best=$bleu from=$1
  fi
  shift 2
done
)";

// A version's BLEU comes with it, so that being killed on the way leaves both
// or none.
constexpr char kDeployScript[] =
    R"(last=$(ls "$target" | grep -E '^[0-9]+$' | sort -n | tail -n 1)
before=$(cat "$target/${last:-none}/bleu.txt" 2>/dev/null ||
  cat "$target/.bleu" 2>/dev/null || echo -1)
if ! awk -v a="$best" -v b="$before" 'BEGIN { exit !(a > b) }'; then
  echo "BLEU $best does not beat $before: the servers stay as they are"
  exit 0
fi
next=$((${last:-0} + 1))
rm -rf "$target/.next"
t2t-exporter --output_dir="$from" --data_dir="$data" \
  --export_dir="$target/.next"
echo "$best" > "$target/.next/bleu.txt"
mv "$target/.next" "$target/$next"
echo "BLEU $best beats $before: version $next"
)";

// Of version 2.
constexpr char kOldDeployScript[] =
    R"(before=$(cat "$target/.bleu" 2>/dev/null || echo -1)
if ! awk -v a="$best" -v b="$before" 'BEGIN { exit !(a > b) }'; then
  echo "BLEU $best does not beat $before: the servers stay as they are"
  exit 0
fi
last=$(ls "$target" | grep -E '^[0-9]+$' | sort -n | tail -n 1)
next=$((${last:-0} + 1))
rm -rf "$target/.next"
t2t-exporter --output_dir="$from" --data_dir="$data" \
  --export_dir="$target/.next"
mv "$target/.next" "$target/$next"
echo "$best" > "$target/.bleu"
echo "BLEU $best beats $before: version $next"
)";

void CheckNoTemplate(const Json& value, const std::string& component) {
  if (value.is_string() && value.AsString().find("{{") != std::string::npos) {
    throw UsageError(
        "a parameter of the component " + component + " has '{{' in it",
        "text without it in a pipeline: Argo replaces what it finds there");
  }
  if (value.is_array()) {
    for (const Json& item : value.items()) CheckNoTemplate(item, component);
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.members()) {
      CheckNoTemplate(member, component);
    }
  }
}

bool IsWorkload(const Json& object) {
  static const auto* const kinds = new std::set<std::string>{
      "Job", "JobSet", "TrainJob", "PyTorchJob", "TFJob", "MPIJob"};
  return kinds->count(object.At("kind").AsString()) > 0;
}

// "path.0.type in (...)" for the first few conditions: of failure conditions,
// Argo takes one that holds as enough.
std::string AnyCondition(const std::string& types) {
  std::vector<std::string> parts;
  for (int i = 0; i < 6; ++i) {
    parts.push_back("status.conditions." + std::to_string(i) + ".type in (" +
                    types + ")");
  }
  return Join(parts, ",");
}

// How Argo sees that a workload is done, or has failed: label selectors over
// its status. (A failed Pod is no failed workload: it is tried again.)
std::pair<std::string, std::string> Conditions(const Json& workload) {
  const std::string kind = workload.At("kind").AsString();
  if (workload.At("apiVersion").AsString() == "kubeflow.org/v1alpha1") {
    return {"status.state == Succeeded", "status.state == Failed"};
  }
  if (kind == "JobSet") {
    return {"status.terminalState == Completed",
            "status.terminalState == Failed"};
  }
  if (kind == "Job") {
    return {"status.completionTime", AnyCondition("Failed,FailureTarget")};
  }
  if (kind == "TrainJob") {
    return {"status.jobsStatus.0.succeeded > 0", AnyCondition("Failed")};
  }
  const std::string leader = kind == "TFJob"        ? "Chief"
                             : kind == "PyTorchJob" ? "Master"
                                                    : "Launcher";
  return {"status.replicaStatuses." + leader + ".succeeded > 0",
          AnyCondition("Failed")};
}

class Pipeline {
 public:
  explicit Pipeline(const Component& component) : component_(component) {}

  std::vector<Json> Render() {
    AddSteps();
    std::vector<Json> objects = Rights();
    for (const Json& object : companions_) objects.push_back(object);
    objects.push_back(Workflow(Spec()));
    return objects;
  }

 private:
  // Data, then every variant's training and its score, then what is deployed.
  void AddSteps() {
    const Params& params = component_.params;
    const std::string data = params.String("datagen");
    if (!data.empty()) {
      AddResource("data", Find(data, "datagen"), {});
    }
    std::vector<std::string> pairs;
    std::vector<std::string> scores;
    const std::vector<std::string> variants = params.List("train");
    if (variants.empty()) {
      throw UsageError("the pipeline trains nothing",
                       "names of train components in train");
    }
    std::string data_dir;
    for (const std::string& variant : variants) {
      const Component train = Find(variant, "train");
      if (train.params.Bool("evaluator") && ChooseBackend(train) != "tfjob") {
        throw UsageError("the component " + variant + " has an evaluator",
                         "none in a pipeline: its scores come at the end");
      }
      data_dir = train.params.String("data_dir");
      const std::string output = OutputDir(train);
      const std::string results = params.String("work_dir") + "/" + variant;
      const std::string step = "train-" + variant;
      AddResource(step, train,
                  data.empty() ? std::vector<std::string>{}
                               : std::vector<std::string>{"data"});
      AddScript("score-" + variant, kScoreScript,
                {output, data_dir, params.String("source"),
                 params.String("reference"), results},
                {step});
      scores.push_back("score-" + variant);
      pairs.push_back(output);
      pairs.push_back(results);
    }
    std::vector<std::string> arguments = {params.String("deploy_to"), data_dir};
    arguments.insert(arguments.end(), pairs.begin(), pairs.end());
    AddScript(
        "deploy",
        kChooseScript + std::string(component_.version >= 3 ? kDeployScript
                                                            : kOldDeployScript),
        arguments, scores);
  }

  Json Spec() const {
    const Params& params = component_.params;
    Json templates = List(
        {Object({{"name", "main"}, {"dag", Object({{"tasks", tasks_}})}})});
    for (const Json& item : templates_.items()) templates.Append(item);
    Json spec = Object({{"entrypoint", "main"},
                        {"serviceAccountName", component_.object()},
                        {"podGC", Object({{"strategy", "OnPodSuccess"}})},
                        {"ttlStrategy", Object({{"secondsAfterCompletion",
                                                 params.Int("ttl_seconds")}})},
                        {"templates", templates}});
    if (params.Int("deadline_seconds") > 0) {
      spec.Set("activeDeadlineSeconds", params.Int("deadline_seconds"));
    }
    return spec;
  }

  Json Workflow(const Json& spec) const {
    const std::string schedule = component_.params.String("schedule");
    if (schedule.empty()) {
      Json workflow = ObjectHead(component_, "argoproj.io/v1alpha1", "Workflow",
                                 component_.object());
      workflow.Set("spec", spec);
      return workflow;
    }
    if (Split(std::string(Trim(schedule)), ' ').size() != 5) {
      throw UsageError("the parameter schedule is '" + schedule + "'",
                       "five fields as cron's: '0 3 * * *'");
    }
    Json workflow = ObjectHead(component_, "argoproj.io/v1alpha1",
                               "CronWorkflow", component_.object());
    workflow.Set("spec", Object({{"schedules", List({schedule})},
                                 {"concurrencyPolicy", "Forbid"},
                                 {"workflowSpec", spec}}));
    return workflow;
  }

  Component Find(const std::string& name, const std::string& prototype) const {
    if (!component_.find) {
      throw UsageError("the pipeline's component " + name + " is not at hand");
    }
    Component found = component_.find(name);
    if (found.prototype != prototype) {
      throw UsageError(
          "the pipeline's component " + name + " is a " + found.prototype,
          "one of the prototype " + prototype);
    }
    return found;
  }

  static std::string OutputDir(const Component& train) {
    const std::string output = train.params.String("output_dir");
    return output.empty()
               ? train.params.String("claim_path") + "/train/" + train.name
               : output;
  }

  void AddTask(const std::string& name, const std::vector<std::string>& after) {
    Json task = Object({{"name", name}, {"template", name}});
    if (!after.empty()) task.Set("dependencies", Strings(after));
    tasks_.Append(task);
  }

  // A step that makes a component's workload and waits for its end.
  void AddResource(const std::string& step, const Component& component,
                   const std::vector<std::string>& after) {
    Json workload;
    for (Json& object : t2t::Render(component)) {
      CheckNoTemplate(object, component.name);
      if (!IsWorkload(object)) {
        companions_.push_back(std::move(object));
      } else {
        workload = std::move(object);
      }
    }
    kinds_[workload.At("apiVersion").AsString()].insert(
        workload.At("kind").AsString());
    const auto [done, failed] = Conditions(workload);
    const std::string manifest = ToYaml(workload);
    // What an earlier run left is not this one's result.
    const Json& metadata = workload.At("metadata");
    Json name = Object({{"name", metadata.At("name")}});
    if (const Json* const ns = metadata.Find("namespace")) {
      name.Set("namespace", *ns);
    }
    const Json named = Object({{"apiVersion", workload.At("apiVersion")},
                               {"kind", workload.At("kind")},
                               {"metadata", name}});
    templates_.Append(
        Object({{"name", "clear-" + step},
                {"resource", Object({{"action", "delete"},
                                     {"flags", List({"--ignore-not-found"})},
                                     {"manifest", ToYaml(named)}})}}));
    AddTask("clear-" + step, after);
    templates_.Append(Object({{"name", step},
                              {"resource", Object({{"action", "create"},
                                                   {"setOwnerReference", true},
                                                   {"successCondition", done},
                                                   {"failureCondition", failed},
                                                   {"manifest", manifest}})}}));
    AddTask(step, {"clear-" + step});
  }

  void AddScript(const std::string& step, const std::string& script,
                 const std::vector<std::string>& arguments,
                 const std::vector<std::string>& after) {
    PodOptions options;
    options.container = "main";
    options.gpus = false;
    options.command = {"/bin/sh", "-c", EscapeDollars(script), step};
    for (const std::string& argument : arguments) {
      options.arguments.push_back(EscapeDollars(argument));
    }
    options.variables = {
        {"OMP_NUM_THREADS", std::to_string(Threads(component_))}};
    const Json pod = PodTemplate(component_, options);
    const Json& spec = pod.At("spec");
    const Json& container = spec.At("containers").items()[0];
    Json clean = Json::Object();
    for (const auto& [key, value] : container.members()) {
      if (key != "name") clean.Set(key, value);
    }
    CheckNoTemplate(clean, component_.name);
    Json step_template = Object({{"name", step}});
    step_template.Set("metadata", pod.At("metadata"));
    for (const char* const key :
         {"nodeSelector", "tolerations", "priorityClassName", "schedulerName",
          "securityContext", "volumes"}) {
      if (const Json* value = spec.Find(key)) step_template.Set(key, *value);
    }
    step_template.Set("automountServiceAccountToken", true);
    step_template.Set("container", clean);
    // A node that goes away is no reason to give up; of exit codes, those from
    // 128 on are none.
    Json retry =
        Object({{"limit", std::to_string(component_.params.Int("retries"))},
                {"retryPolicy", "OnError"}});
    if (component_.version >= 3) {
      retry.Set("retryPolicy", "Always");
      retry.Set("expression",
                "lastRetry.status == 'Error' or "
                "asInt(lastRetry.exitCode) >= 128");
    }
    step_template.Set("retryStrategy", retry);
    templates_.Append(step_template);
    AddTask(step, after);
  }

  // What the workflow's account may do: report to Argo, and make and watch
  // the workloads that the steps make.
  std::vector<Json> Rights() const {
    const std::string name = component_.object();
    Json account = ObjectHead(component_, "v1", "ServiceAccount", name);
    Json role =
        ObjectHead(component_, "rbac.authorization.k8s.io/v1", "Role", name);
    Json rules = List({Object({{"apiGroups", List({"argoproj.io"})},
                               {"resources", List({"workflowtaskresults"})},
                               {"verbs", List({"create", "patch"})}})});
    for (const auto& [version, kinds] : kinds_) {
      const size_t slash = version.find('/');
      Json resources = Json::Array();
      for (const std::string& kind : kinds) {
        resources.Append(Json(Lower(kind) + "s"));
      }
      rules.Append(Object(
          {{"apiGroups", List({version.substr(0, slash)})},
           {"resources", resources},
           {"verbs", List({"create", "get", "list", "watch", "delete"})}}));
    }
    role.Set("rules", rules);
    Json binding = ObjectHead(component_, "rbac.authorization.k8s.io/v1",
                              "RoleBinding", name);
    binding.Set("roleRef", Object({{"apiGroup", "rbac.authorization.k8s.io"},
                                   {"kind", "Role"},
                                   {"name", name}}));
    Json subject = Object({{"kind", "ServiceAccount"}, {"name", name}});
    if (!component_.ns.empty()) subject.Set("namespace", component_.ns);
    binding.Set("subjects", List({subject}));
    return {account, role, binding};
  }

  const Component& component_;
  Json tasks_ = Json::Array();
  Json templates_ = Json::Array();
  std::vector<Json> companions_;
  std::map<std::string, std::set<std::string>> kinds_;
};

}  // namespace

std::vector<ParamSpec> PipelineParams() {
  using T = ParamType;
  std::vector<ParamSpec> params = {
      {"datagen", T::kString, "datagen",
       "the datagen component; empty: the data are there"},
      {"train", T::kList, List({"train"}), "the train components to compare"},
      {"source", T::kString, "/t2t/decode/source.txt", "lines to decode"},
      {"reference", T::kString, "/t2t/decode/reference.txt",
       "their translations"},
      {"work_dir", T::kString, "/t2t/pipeline", "where results are kept"},
      {"deploy_to", T::kString, "/t2t/export/t2t",
       "the model_base_path of the servers"},
      {"schedule", T::kString, "",
       "cron's five fields; empty: runs when it is applied"},
  };
  for (const std::vector<ParamSpec>& more : {JobParams(3), PodParams()}) {
    params.insert(params.end(), more.begin(), more.end());
  }
  return params;
}

std::vector<Json> RenderPipeline(const Component& component) {
  return Pipeline(component).Render();
}

}  // namespace t2t
