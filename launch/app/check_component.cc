#include <algorithm>
#include <functional>

#include "hparams/catalogue.h"
#include "launch/app/validate.h"
#include "launch/render/sweep.h"
#include "launch/render/trainer_arguments.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/key_rules.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

// A Pod for each of the problem's shards: no fewer, no more.
void CheckShards(const Params& params) {
  const std::string problem = params.String("problem");
  if (problem.find_first_of(",*?[") != std::string::npos) return;  // several
  const int64_t given = params.Int("eval_shards");
  const DataFacts data = DataFactsOf(problem);
  if (data.train_shards == 0 || given == data.other_shards) return;
  throw UsageError("the parameter eval_shards is " + std::to_string(given) +
                       ", and " + problem + " has " +
                       std::to_string(data.other_shards) +
                       " shards of dev and test",
                   std::to_string(data.other_shards), "leave it out");
}

// What t2t-trainer's evaluations print.
void CheckMetric(const Component& sweep) {
  const std::string trained = sweep.params.String("component");
  if (!sweep.find) return;
  const std::string problem = sweep.find(trained).params.String("problem");
  std::vector<std::string> metrics = MakeProblem(problem)->metrics;
  metrics.push_back(kLossMetric);
  const std::string metric = sweep.params.String("metric");
  if (std::find(metrics.begin(), metrics.end(), metric) != metrics.end()) {
    return;
  }
  const std::string near = DidYouMean(metric, metrics);
  throw UsageError("the sweep's metric is " + metric,
                   near.empty() ? "one of " + Join(metrics, ", ") : near);
}

// Runs the check; what it throws is added to `found`.
void Attempt(const Component& component, std::vector<std::string>* found,
             const std::function<void()>& check) {
  try {
    check();
  } catch (const Error& error) {
    found->push_back(component.name + ": " + error.what());
  }
}

// The parameter's text; "" where the prototype has no such parameter.
std::string TextOf(const Component& component, const char* name) {
  return component.params.Has(name) ? component.params.String(name) : "";
}

void CheckNames(const Component& component, std::vector<std::string>* found) {
  const std::string problems = TextOf(component, "problem");
  if (!problems.empty()) {
    for (const std::string& problem : Split(problems, ',')) {
      if (component.prototype == "datagen" &&
          problem.find_first_of("*?[") != std::string::npos) {
        continue;
      }
      Attempt(component, found,
              [&] { Problems().Get(ParseProblemName(problem).base_name); });
    }
  }
  const std::string model = TextOf(component, "model");
  const std::vector<std::string> models = ModelsHere();
  if (!model.empty() &&
      std::find(models.begin(), models.end(), model) == models.end()) {
    found->push_back(component.name + ": there is no model '" + model + "'\n" +
                     "  expected: " + DidYouMean(model, models));
  }
}

}  // namespace

std::vector<std::string> CheckComponent(const Component& component) {
  std::vector<std::string> found;
  const Params& params = component.params;
  const auto attempt = [&](const std::function<void()>& check) {
    Attempt(component, &found, check);
  };
  const auto text = [&](const char* name) { return TextOf(component, name); };
  CheckNames(component, &found);
  const std::string set = text("hparams_set");
  if (!set.empty()) {
    attempt([&] {
      CheckHParams(MakeHParams(set, component.prototype == "train"
                                        ? TrainerHParams(component)
                                        : text("hparams")));
    });
  }
  if (component.prototype == "sweep") {
    attempt([&] {
      for (const Component& trial : SweepTrials(component)) {
        CheckHParams(MakeHParams(trial.params.String("hparams_set"),
                                 trial.params.String("hparams")));
      }
    });
  }
  if (component.prototype == "datagen" && params.Int("shards") > 0) {
    attempt([&] { CheckShards(params); });
  }
  if (component.prototype == "sweep") {
    attempt([&] { CheckMetric(component); });
  }
  double price = 0;
  if (!text("gpu_hour_price").empty() &&
      (!ParseDouble(text("gpu_hour_price"), &price) || !(price >= 0))) {
    found.push_back(component.name + ": the parameter gpu_hour_price is '" +
                    text("gpu_hour_price") + "'\n  expected: a number");
  }
  for (const char* const name : {"data_dir", "output_dir"}) {
    const std::string path = text(name);
    if (!path.empty() && !StartsWith(path, "/")) {
      found.push_back(component.name + ": the parameter " + name + " is '" +
                      path + "'\n  expected: an absolute path");
    }
  }
  return found;
}

}  // namespace t2t
