#include "launch/render/sweep.h"

#include <algorithm>
#include <set>

#include "launch/render/train.h"
#include "launch/render/trainer_arguments.h"
#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr size_t kMaxTrials = 1000;

struct Axis {
  std::string name;
  std::vector<std::string> values;
};

std::vector<Axis> Axes(const Component& component) {
  std::vector<Axis> axes;
  for (const auto& [name, text] : component.params.Map("grid")) {
    if (!IsVariableName(name)) {
      throw UsageError("the parameter grid has '" + name + "'",
                       "names of hyperparameters");
    }
    Axis axis{name, {}};
    for (const std::string& value : Split(text, '|')) {
      const std::string trimmed(Trim(value));
      if (trimmed.empty() || trimmed.find(',') != std::string::npos) {
        throw UsageError("the parameter grid has " + name + "=" + text,
                         "values with '|' between: num_heads=4|8");
      }
      if (std::find(axis.values.begin(), axis.values.end(), trimmed) ==
          axis.values.end()) {
        axis.values.push_back(trimmed);
      }
    }
    axes.push_back(axis);
  }
  if (axes.empty()) {
    throw UsageError("the sweep has no grid", "hyperparameters and values",
                     "t2t-launch param set SWEEP grid "
                     "'learning_rate_constant=1|2,num_heads=4|8'");
  }
  return axes;
}

Component TrialComponent(const Component& component) {
  const std::string name = component.params.String("component");
  if (!component.find) {
    throw UsageError("the sweep's component " + name + " is not at hand");
  }
  Component trial = component.find(name);
  if (trial.prototype != "train") {
    throw UsageError(
        "the sweep's component " + name + " is a " + trial.prototype,
        "one of the prototype train");
  }
  if (trial.params.Int("workers") > 1 || trial.params.Bool("evaluator")) {
    throw UsageError(
        "the sweep's component " + name + " has several Pods a training",
        "workers=1 and no evaluator");
  }
  trial.ns = component.ns;
  // Its objects are the sweep's: found, deleted and cleaned up with it.
  trial.name = component.name;
  return trial;
}

std::string WithHParams(const Component& trial, const std::string& changes) {
  return JoinSettings(TrainerHParams(trial), changes);
}

// Values that Katib is to choose from.
Json KatibParameters(const std::vector<Axis>& axes) {
  Json parameters = Json::Array();
  for (const Axis& axis : axes) {
    bool numbers = true;
    for (const std::string& value : axis.values) {
      double number = 0;
      numbers = numbers && ParseDouble(value, &number);
    }
    parameters.Append(
        Object({{"name", axis.name},
                {"parameterType", numbers ? "discrete" : "categorical"},
                {"feasibleSpace", Object({{"list", Strings(axis.values)}})}}));
  }
  return parameters;
}

void CheckNoKatibPattern(const Json& value) {
  if (value.is_string() &&
      value.AsString().find("${trial") != std::string::npos) {
    throw UsageError("a parameter of the sweep's component has '${trial' in it",
                     "text that Katib does not replace");
  }
  if (value.is_array()) {
    for (const Json& item : value.items()) CheckNoKatibPattern(item);
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.members()) {
      CheckNoKatibPattern(Json(key));
      CheckNoKatibPattern(member);
    }
  }
}

std::vector<Json> RenderKatib(const Component& component,
                              const Component& trial) {
  const Params& params = component.params;
  const std::vector<Axis> axes = Axes(component);
  size_t points = 1;
  for (const Axis& axis : axes) points *= axis.values.size();
  const int64_t wanted = params.Int("trials");
  const int64_t trials = wanted == 0 || params.String("algorithm") == "grid"
                             ? static_cast<int64_t>(points)
                             : wanted;
  CheckNoKatibPattern(TrialJob(trial, component.object(), {}));
  std::string changes;
  Json references = Json::Array();
  for (const Axis& axis : axes) {
    if (!changes.empty()) changes += ",";
    changes += axis.name + "=${trialParameters." + axis.name + "}";
    references.Append(Object({{"name", axis.name}, {"reference", axis.name}}));
  }
  references.Append(
      Object({{"name", "trialName"}, {"reference", "${trialSpec.Name}"}}));
  // Katib's placeholders must reach it as they are.
  const std::string hparams =
      JoinSettings(EscapeDollars(TrainerHParams(trial)), changes);
  Json job = TrialJob(trial, component.object(),
                      {"--hparams=" + hparams,
                       FlagArgument("output_dir", params.String("output_dir")) +
                           "/${trialParameters.trialName}"});
  Json trial_spec = Object({{"apiVersion", job.At("apiVersion")},
                            {"kind", job.At("kind")},
                            {"spec", job.At("spec")}});
  Json head = ObjectHead(component, "kubeflow.org/v1beta1", "Experiment",
                         component.object());
  head.Set(
      "spec",
      Object(
          {{"objective",
            Object({{"type", params.String("direction")},
                    {"objectiveMetricName", params.String("metric")}})},
           {"algorithm",
            Object({{"algorithmName", params.String("algorithm")}})},
           {"parallelTrialCount", std::min(params.Int("parallelism"), trials)},
           {"maxTrialCount", trials},
           {"maxFailedTrialCount", std::min<int64_t>(3, trials)},
           {"parameters", KatibParameters(axes)},
           // t2t-trainer's line "t2t-metric: loss=1.234567 step=9", and no
           // other: Katib takes each number that the pattern finds.
           {"metricsCollectorSpec",
            Object(
                {{"collector", Object({{"kind", "StdOut"}})},
                 {"source",
                  Object({{"filter", Object({{"metricsFormat",
                                              List({"^t2t-metric: ([^ =]+)="
                                                    "([+-]?[0-9]+\\.[0-9]+) "
                                                    "step=[0-9]+$"})}})}})}})},
           {"trialTemplate", Object({{"primaryContainerName", "t2t"},
                                     {"trialParameters", references},
                                     {"trialSpec", trial_spec}})}}));
  return {head};
}

}  // namespace

std::vector<ParamSpec> SweepParams() {
  using T = ParamType;
  return {
      {"component", T::kString, "train", "the train component to vary"},
      {"grid", T::kMap, Json::Object(),
       "hyperparameters and their values: learning_rate_constant=1|2"},
      {"algorithm",
       T::kString,
       "grid",
       "all points, or drawn ones (Katib knows more)",
       {"grid", "random", "bayesianoptimization", "tpe", "hyperband"}},
      {"trials", T::kInt, 0, "points at most; 0: the whole grid", {}, 0, 10000},
      {"seed", T::kInt, 1, "of the points that are drawn"},
      {"parallelism", T::kInt, 4, "trials at once (Katib)", {}, 1, 1000},
      {"metric", T::kString, "loss", "what is compared"},
      {"direction",
       T::kString,
       "minimize",
       "which value is good",
       {"minimize", "maximize"}},
      {"output_dir", T::kString, "/t2t/sweep", "where the trials write"},
      {"backend",
       T::kString,
       "jobs",
       "a Job each, or an Experiment",
       {"jobs", "katib"}},
      {"labels", T::kMap, Json::Object(), "further labels"},
      {"annotations", T::kMap, Json::Object(), "further annotations"},
  };
}

std::vector<std::string> SweepPoints(const Component& component) {
  const std::vector<Axis> axes = Axes(component);
  double all = 1;
  for (const Axis& axis : axes) all *= static_cast<double>(axis.values.size());
  if (all > 1e6) {
    throw UsageError("the grid has " + Format("%.0f", all) + " points",
                     "a million at most");
  }
  const int64_t points = static_cast<int64_t>(all);
  std::vector<int64_t> order(static_cast<size_t>(points));
  for (int64_t i = 0; i < points; ++i) order[static_cast<size_t>(i)] = i;
  if (component.params.String("algorithm") != "grid") {
    Rng(static_cast<uint64_t>(component.params.Int("seed"))).Shuffle(&order);
  }
  const int64_t trials = component.params.Int("trials");
  if (trials > 0 && trials < points) order.resize(static_cast<size_t>(trials));
  std::vector<std::string> texts;
  for (int64_t point : order) {
    std::string text;
    for (size_t i = axes.size(); i-- > 0;) {
      const int64_t count = static_cast<int64_t>(axes[i].values.size());
      const std::string one =
          axes[i].name + "=" +
          axes[i].values[static_cast<size_t>(point % count)];
      text = text.empty() ? one : one + "," + text;
      point /= count;
    }
    texts.push_back(text);
  }
  return texts;
}

std::vector<Component> SweepTrials(const Component& component) {
  const Component trial = TrialComponent(component);
  std::vector<std::string> points = SweepPoints(component);
  if (points.size() > kMaxTrials) points.resize(kMaxTrials);
  std::vector<Component> trials;
  for (const std::string& point : points) {
    trials.push_back(trial);
    trials.back().params.SetText("hparams", WithHParams(trial, point), "sweep");
  }
  return trials;
}

std::vector<Json> RenderSweep(const Component& component) {
  const Component trial = TrialComponent(component);
  std::vector<Json> objects;
  AddCompanions(trial, {}, &objects);
  if (component.params.String("backend") == "katib") {
    for (Json& object : RenderKatib(component, trial)) {
      objects.push_back(std::move(object));
    }
    return objects;
  }
  const std::string algorithm = component.params.String("algorithm");
  if (algorithm != "grid" && algorithm != "random") {
    throw UsageError("the sweep's algorithm is " + algorithm,
                     "grid or random, without Katib",
                     "set backend=katib where the cluster has it");
  }
  const std::vector<std::string> points = SweepPoints(component);
  if (points.size() > kMaxTrials) {
    throw UsageError(
        "the sweep has " + std::to_string(points.size()) + " trials",
        "a thousand at most", "set trials");
  }
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string number = std::to_string(i);
    Json job = TrialJob(
        trial, component.object() + "-" + number,
        {FlagArgument("hparams", WithHParams(trial, points[i])),
         FlagArgument("output_dir",
                      component.params.String("output_dir") + "/" + number)});
    Json metadata = job.At("metadata");
    metadata.Set("annotations", Object({{"t2t.dev/hparams", points[i]}}));
    Json labels = metadata.At("labels");
    labels.Set("t2t.dev/sweep", component.object());
    metadata.Set("labels", labels);
    job.Set("metadata", metadata);
    objects.push_back(job);
  }
  return objects;
}

}  // namespace t2t
