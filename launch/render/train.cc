#include "launch/render/train.h"

#include <algorithm>
#include <string>
#include <vector>

#include "launch/render/gpus.h"
#include "launch/render/job.h"
#include "launch/render/pod.h"
#include "launch/render/train_backends.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

const std::vector<std::string>& TrainBackends() {
  static const auto* const names = [] {
    auto* list = new std::vector<std::string>;
    for (const auto& [name, render] : Renderers()) list->push_back(name);
    return list;
  }();
  return *names;
}

std::string ChooseBackend(const Component& component) {
  const std::string wanted = component.params.String("backend");
  if (wanted != "auto") return wanted;
  if (component.params.Int("ps") > 0) return "tfjob";
  if (component.params.Int("workers") > 1) {
    for (const std::string& backend : TrainBackends()) {
      if (std::find(component.operators.begin(), component.operators.end(),
                    backend) != component.operators.end()) {
        return backend;
      }
    }
  }
  return "job";
}

std::vector<ParamSpec> TrainParams() {
  using T = ParamType;
  std::vector<std::string> backends = {"auto"};
  backends.insert(backends.end(), TrainBackends().begin(),
                  TrainBackends().end());
  std::vector<ParamSpec> params = {
      {"problem", T::kString, "translate_ende_multi30k", "what is learned"},
      {"model", T::kString, "transformer", "the model"},
      {"hparams_set", T::kString, "transformer_base", "its hyperparameters"},
      {"hparams", T::kString, "", "changes of them: name=value,name=value"},
      {"train_steps", T::kInt, 250000, "steps in all", {}, 1},
      {"local_eval_frequency",
       T::kInt,
       1000,
       "steps between checkpoints",
       {},
       1},
      {"schedule", T::kString, "",
       "t2t-trainer's; empty: train with an evaluator, else both in one"},
      {"data_dir", T::kString, "/t2t/data", "where the data are"},
      {"output_dir", T::kString, "",
       "where the model goes; empty: /t2t/train/COMPONENT"},
      {"random_seed", T::kInt, 1234, "the seed of everything random"},
      {"keep_checkpoint_max", T::kInt, 20, "so many checkpoints stay"},
      {"trainer_args", T::kList, Json::Array(), "further flags of t2t-trainer"},
      {"workers", T::kInt, 1, "Pods that train together", {}, 1, 10000},
      {"evaluator", T::kBool, false, "a Pod of its own evaluates"},
      {"ps",
       T::kInt,
       0,
       "parameter servers of an old TFJob: accepted, they do nothing",
       {},
       0,
       100},
      {"backend", T::kString, "auto", "what runs the Pods", backends},
      {"gang",
       T::kString,
       "none",
       "start all Pods or none",
       {"none", "volcano"}},
      {"shm_size", T::kQuantity, "1Gi", "size of /dev/shm, out of the memory"},
      {"preemption_grace_seconds",
       T::kInt,
       120,
       "time for a last checkpoint when a Pod must go",
       {},
       1,
       3600},
      {"gpu_type", T::kString, "",
       "the kind of GPU, for estimates of time and memory", GpuTypes()},
      {"gpu_hour_price", T::kString, "",
       "what an hour of a GPU costs, for estimates"},
  };
  for (const std::vector<ParamSpec>& more : {JobParams(10), PodParams()}) {
    params.insert(params.end(), more.begin(), more.end());
  }
  return params;
}

std::vector<Json> RenderTrain(const Component& component) {
  const Params& params = component.params;
  const std::string backend = ChooseBackend(component);
  const Job job{component,
                component.object(),
                params.Int("workers"),
                params.Int("gpus"),
                params.Int("ps"),
                params.Bool("evaluator"),
                params.Int("retries"),
                params.String("gang")};
  if (job.ps > 0 && !StartsWith(backend, "tfjob")) {
    throw UsageError("the parameter ps is " + std::to_string(job.ps) +
                         " with the backend " + backend,
                     "0, or a tfjob", "training here needs no servers");
  }
  std::vector<Json> objects;
  AddCompanions(component, {}, &objects);
  for (const auto& [name, render] : Renderers()) {
    if (name == backend) render(job, &objects);
  }
  return objects;
}

}  // namespace t2t
