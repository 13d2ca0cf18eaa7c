#include "launch/app/facts.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "launch/app/estimate.h"
#include "launch/render/sweep.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/problem/data_facts.h"

namespace t2t {
namespace {

constexpr double kGi = 1024.0 * 1024.0 * 1024.0;
// Of the estimated memory, what a Pod gets: an estimate that is too low by a
// third still fits.
constexpr double kMemoryMargin = 1.5;
// What a checkpoint is written with at least.
constexpr double kBytesASecond = 1e8;

// The model that a set is for; "" where it is for none, or for one that is not
// here.
std::string ModelOfSet(const std::string& set) {
  if (!AllHParams().Has(set)) return "";
  const CatalogueModel* const model = FirstModel(AllHParams().Family(set));
  return model != nullptr && model->here ? model->name : "";
}

// The model's own set; "" where it has none, or is not here.
std::string SetOfModel(const std::string& name) {
  const CatalogueModel* const model = FindCatalogueModel(name);
  return model != nullptr && model->here ? model->default_set : "";
}

void AddModelFacts(Params* params) {
  const bool model_set = params->At("model").is_set();
  const bool set_set = params->At("hparams_set").is_set();
  if (set_set == model_set) return;  // both, or none
  if (set_set) {
    const std::string set = params->String("hparams_set");
    const std::string model = ModelOfSet(set);
    if (!model.empty()) {
      params->SetFact("model", model, "the set " + set + " is for it");
    }
  } else {
    const std::string model = params->String("model");
    const std::string set = SetOfModel(model);
    const Json& initial = params->Spec("hparams_set").initial;
    if (!set.empty() && set != initial.AsString()) {
      params->SetFact("hparams_set", set, "a set for the model " + model);
    }
  }
}

struct Memory {
  double gi = 0;
  std::string fact;
};

// Of the component's model, with vocabularies as large as the problem says:
// files of this machine are not looked at.
std::optional<ModelCost> FindCost(const Component& component, Costs* costs) {
  try {
    return costs->Of(CostQuestion::Of(component, {}));
  } catch (const Error&) {
    return std::nullopt;  // validate and explain say why
  }
}

// Of a Pod that trains or evaluates on CPUs.
std::optional<Memory> FindMemory(const Component& component, Costs* costs) {
  const Params& params = component.params;
  if (params.Int("gpus") > 0) return std::nullopt;
  const bool trains = component.prototype == "train";
  const std::optional<ModelCost> cost = FindCost(component, costs);
  if (!cost || !cost->step_known) return std::nullopt;
  const double needed = kProgramBytes + cost->activation_bytes +
                        (trains ? cost->state_bytes() : cost->weight_bytes);
  Memory memory;
  memory.gi = std::max(2.0, std::ceil(kMemoryMargin * needed / kGi));
  memory.fact = params.String("hparams_set") + " on " +
                params.String("problem") + " needs about " + BytesText(needed) +
                (trains ? "" : " at most") + "; half as much again";
  const double shm =
      trains ? QuantityValue(params.String("shm_size")) / kGi : 0;
  if (shm > 0) {
    memory.gi += std::ceil(shm);
    memory.fact += ", and /dev/shm";
  }
  const std::string limit = params.String("memory_limit");
  if (!limit.empty() && QuantityValue(limit) < memory.gi * kGi) {
    return std::nullopt;
  }
  return memory;
}

void SetMemory(const Memory& memory, Params* params) {
  params->SetFact("memory", Json(Format("%.0fGi", memory.gi)), memory.fact);
}

void AddGraceFact(Component* component, Costs* costs) {
  const std::optional<ModelCost> cost = FindCost(*component, costs);
  if (!cost) return;
  Params& params = component->params;
  const double bytes = cost->checkpoint_bytes;
  const ParamSpec& spec = params.Spec("preemption_grace_seconds");
  const double seconds = std::min(60 + std::ceil(bytes / kBytesASecond),
                                  static_cast<double>(spec.most));
  if (seconds <= static_cast<double>(spec.initial.AsInt())) return;
  params.SetFact(spec.name, Json(static_cast<int64_t>(seconds)),
                 "a checkpoint has " + BytesText(bytes) +
                     ": a minute, and a second for each 100 MB");
}

void AddTrainFacts(Component* component, Costs* costs) {
  AddModelFacts(&component->params);
  if (component->prototype == "train") AddGraceFact(component, costs);
  if (const auto memory = FindMemory(*component, costs)) {
    SetMemory(*memory, &component->params);
  }
}

std::optional<DataFacts> FindData(const std::string& problem) {
  try {
    const DataFacts facts = DataFactsOf(problem);
    if (facts.train_shards > 0) return facts;
  } catch (const Error&) {
    // There is no such problem, or it is a list of several.
  }
  return std::nullopt;
}

void AddDatagenFacts(Params* params) {
  const std::string problem = params->String("problem");
  const auto data = FindData(problem);
  if (!data) return;
  params->SetFact("eval_shards", Json(int64_t{data->other_shards}),
                  problem + " has " + std::to_string(data->train_shards) +
                      " training shards, where shards does not say otherwise, "
                      "and " +
                      std::to_string(data->other_shards) + " of dev and test");
}

// All trials' Pods are alike, so the largest one's memory counts.
std::optional<Memory> LargestTrial(const Component& sweep, Costs* costs) {
  std::optional<Memory> most;
  try {
    for (const Component& trial : SweepTrials(sweep)) {
      const auto memory = FindMemory(trial, costs);
      if (!memory) return std::nullopt;
      if (!most || memory->gi > most->gi) most = memory;
    }
  } catch (const Error&) {
    return std::nullopt;  // rendering says what is wrong with the sweep
  }
  if (most) most->fact = "the largest trial: " + most->fact;
  return most;
}

void AddSweepFacts(Component* sweep, const std::shared_ptr<Costs>& costs) {
  const std::string metric = sweep->params.String("metric");
  const bool least = LowerIsBetter(metric);
  sweep->params.SetFact("direction", Json(least ? "minimize" : "maximize"),
                        "a " + std::string(least ? "smaller " : "larger ") +
                            metric + " is a better one");
  if (!sweep->find) return;
  const auto plain = std::make_shared<const Component>(*sweep);
  const auto known = std::make_shared<std::optional<Memory>>();
  const auto looked = std::make_shared<bool>(false);
  sweep->find = [plain, known, looked, costs](const std::string& name) {
    Component trained = plain->find(name);
    if (name != plain->params.String("component")) return trained;
    if (!*looked) *known = LargestTrial(*plain, costs.get());
    *looked = true;
    if (*known) SetMemory(**known, &trained.params);
    return trained;
  };
}

void AddPipelineFacts(Component* pipeline) {
  if (!pipeline->find) return;
  std::string problem;
  std::string data_dir;
  for (const std::string& name : pipeline->params.List("train")) {
    try {
      const Component train = pipeline->find(name);
      if (train.prototype != "train") return;
      const std::string own = train.params.String("problem");
      if (!problem.empty() && own != problem) return;
      problem = own;
      data_dir = train.params.String("data_dir");
    } catch (const Error&) {
      return;
    }
  }
  const auto data = FindData(problem);
  if (!data || data->dev_inputs.empty()) return;
  const std::string fact =
      "t2t-datagen leaves the dev text of " + problem + " there";
  pipeline->params.SetFact("source", Json(data_dir + "/" + data->dev_inputs),
                           fact);
  pipeline->params.SetFact("reference",
                           Json(data_dir + "/" + data->dev_targets), fact);
}

}  // namespace

void AddFacts(Component* component, const std::shared_ptr<Costs>& costs) {
  if (component->version < 3) return;
  const std::string& prototype = component->prototype;
  if (prototype == "train" || prototype == "evaluate") {
    AddTrainFacts(component, costs.get());
  }
  if (prototype == "datagen") AddDatagenFacts(&component->params);
  if (prototype == "sweep") AddSweepFacts(component, costs);
  if (prototype == "pipeline") AddPipelineFacts(component);
}

}  // namespace t2t
