#include "launch/render/prototypes.h"

#include <algorithm>

#include "launch/render/job.h"
#include "launch/render/manifests.h"
#include "launch/render/pipeline.h"
#include "launch/render/server.h"
#include "launch/render/sweep.h"
#include "launch/render/train.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using T = ParamType;

std::vector<ParamSpec> Joined(
    std::initializer_list<std::vector<ParamSpec>> lists) {
  std::vector<ParamSpec> all;
  for (const std::vector<ParamSpec>& list : lists) {
    for (const ParamSpec& spec : list) {
      // The first one counts: a prototype's own default.
      const bool there = std::any_of(
          all.begin(), all.end(),
          [&](const ParamSpec& other) { return other.name == spec.name; });
      if (!there) all.push_back(spec);
    }
  }
  return all;
}

Json JobHead(const Component& component) {
  Json head = ObjectHead(component, "batch/v1", "Job", component.object());
  const std::string queue = component.params.String("queue");
  if (!queue.empty()) {
    Json metadata = head.At("metadata");
    Json labels = metadata.At("labels");
    labels.Set("kueue.x-k8s.io/queue-name", queue);
    metadata.Set("labels", labels);
    head.Set("metadata", metadata);
  }
  return head;
}

std::vector<Json> OneJob(const Component& component, PodOptions options,
                         int64_t completions, int64_t parallelism) {
  std::vector<Json> objects;
  AddCompanions(component, {}, &objects);
  options.restart_policy = "Never";
  Json job = JobHead(component);
  job.Set("spec", JobSpec(component, PodTemplate(component, options),
                          options.container, completions, parallelism,
                          component.params.Int("retries") *
                              std::max<int64_t>(completions, 1)));
  objects.push_back(job);
  return objects;
}

std::vector<Json> RenderStorage(const Component& component) {
  const Params& params = component.params;
  Json claim = ObjectHead(component, "v1", "PersistentVolumeClaim",
                          params.String("claim"));
  Json spec = Object(
      {{"accessModes", List({params.String("access_mode")})},
       {"resources",
        Object({{"requests", Object({{"storage", params.String("size")}})}})}});
  if (!params.String("storage_class").empty()) {
    spec.Set("storageClassName", params.String("storage_class"));
  }
  claim.Set("spec", spec);
  return {claim};
}

std::vector<Json> RenderDatagen(const Component& component) {
  const Params& params = component.params;
  PodOptions options;
  options.command = {"t2t-datagen"};
  options.arguments = {
      FlagArgument("problem", params.String("problem")),
      FlagArgument("data_dir", params.String("data_dir")),
      FlagArgument("tmp_dir", params.String("raw_dir")),
      FlagArgument("random_seed", std::to_string(params.Int("random_seed"))),
      FlagArgument("num_concurrent_processes",
                   std::to_string(Threads(component)))};
  const int64_t shards = params.Int("shards");
  int64_t completions = 0;
  if (shards > 0) {
    completions = shards + params.Int("eval_shards");
    options.arguments.push_back(
        FlagArgument("num_shards", std::to_string(shards)));
    // The variable of an indexed Job: on purpose not escaped.
    options.arguments.push_back("--task_id=$(JOB_COMPLETION_INDEX)");
  }
  AddArguments(component, "datagen_args", &options.arguments);
  return OneJob(component, options, completions,
                std::min(completions, params.Int("parallelism")));
}

std::vector<Json> RenderEvaluate(const Component& component) {
  const Params& params = component.params;
  PodOptions options;
  options.command = {"t2t-trainer"};
  options.arguments = {
      FlagArgument("problem", params.String("problem")),
      FlagArgument("model", params.String("model")),
      FlagArgument("hparams_set", params.String("hparams_set")),
      FlagArgument("data_dir", params.String("data_dir")),
      FlagArgument("output_dir", params.String("output_dir")),
      "--schedule=continuous_eval",
      FlagArgument("eval_timeout_mins",
                   std::to_string(params.Int("eval_timeout_mins"))),
      FlagArgument("threads", std::to_string(Threads(component)))};
  if (!params.String("hparams").empty()) {
    options.arguments.push_back(
        FlagArgument("hparams", params.String("hparams")));
  }
  AddArguments(component, "trainer_args", &options.arguments);
  options.variables = {{"OMP_NUM_THREADS", std::to_string(Threads(component))}};
  return OneJob(component, options, 0, 0);
}

std::vector<Json> RenderDecode(const Component& component) {
  const Params& params = component.params;
  PodOptions options;
  options.command = {"t2t-decoder"};
  options.arguments = {
      FlagArgument("output_dir", params.String("output_dir")),
      FlagArgument("data_dir", params.String("data_dir")),
      FlagArgument("decode_from_file", params.String("decode_from_file")),
      FlagArgument("decode_to_file", params.String("decode_to_file")),
      FlagArgument("threads", std::to_string(Threads(component)))};
  for (const char* const name :
       {"problem", "model", "hparams_set", "decode_hparams"}) {
    if (!params.String(name).empty()) {
      options.arguments.push_back(FlagArgument(name, params.String(name)));
    }
  }
  const int64_t shards = params.Int("shards");
  if (shards > 1) {
    options.arguments.push_back(
        FlagArgument("decode_shards", std::to_string(shards)));
    options.arguments.push_back("--worker_id=$(JOB_COMPLETION_INDEX)");
  }
  AddArguments(component, "decoder_args", &options.arguments);
  options.variables = {{"OMP_NUM_THREADS", std::to_string(Threads(component))}};
  return OneJob(component, options, shards > 1 ? shards : 0,
                std::min(shards, params.Int("parallelism")));
}

std::vector<Json> RenderTensorboard(const Component& component) {
  PodOptions options;
  options.container = "tensorboard";
  options.command = {"tensorboard"};
  options.arguments = {
      FlagArgument("logdir", component.params.String("log_dir")), "--bind_all",
      "--port=6006"};
  options.ports = {{"http", 6006}};
  options.gpus = false;
  options.probes = Object({{"startupProbe", HttpProbe("/", "http", 5, 60)},
                           {"readinessProbe", HttpProbe("/", "http", 10, 3)},
                           {"livenessProbe", HttpProbe("/", "http", 30, 4)}});
  std::vector<Json> objects;
  AddCompanions(component, PortNumbers(options), &objects);
  objects.push_back(ServiceOf(component, options));
  objects.push_back(DeploymentOf(component, options, 1, /*scaled=*/false));
  return objects;
}

std::vector<Json> RenderNotebook(const Component& component) {
  const Params& params = component.params;
  const std::string reference = params.String("token_secret");
  if (reference.empty()) {
    throw UsageError("the notebook has no token_secret",
                     "a Secret's name and key: NAME/KEY",
                     "kubectl create secret generic notebook "
                     "--from-literal=token=...; then "
                     "t2t-launch param set notebook token_secret "
                     "notebook/token");
  }
  // secret_env checks the reference and renders it.
  Component with_token = component;
  Json secrets = params.At("secret_env").value;
  secrets.Set("JUPYTER_TOKEN", reference);
  with_token.params.Set("secret_env", secrets, "token_secret");
  PodOptions options;
  options.container = "notebook";
  options.command = {"jupyter"};
  options.arguments = {
      "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser",
      FlagArgument("notebook-dir", params.String("notebook_dir"))};
  options.variables = {{"HOME", "/home/t2t"}};
  options.writable = {"/home/t2t"};
  options.ports = {{"http", 8888}};
  options.shm = 1;
  options.probes =
      Object({{"startupProbe", HttpProbe("/api", "http", 5, 60)},
              {"readinessProbe", HttpProbe("/api", "http", 10, 3)}});
  std::vector<Json> objects;
  AddCompanions(with_token, PortNumbers(options), &objects);
  objects.push_back(ServiceOf(with_token, options));
  // One at a time writes to the folder.
  Json set = DeploymentOf(with_token, options, 1, /*scaled=*/false);
  Json spec = set.At("spec");
  spec.Set("strategy", Object({{"type", "Recreate"}}));
  set.Set("spec", spec);
  objects.push_back(set);
  return objects;
}

const ParamSpec kProblem = {"problem", T::kString, "translate_ende_multi30k",
                            "the problem"};

// A table: as long as it has rows.
std::vector<Prototype> MakePrototypes() {
  std::vector<Prototype> list;
  list.push_back(
      {"storage",
       "the claim that data and models are kept in",
       {{"claim", T::kName, "t2t", "its name"},
        {"size", T::kQuantity, "100Gi", "its size"},
        {"storage_class", T::kName, "", "a class; empty: the cluster's own"},
        {"access_mode",
         T::kString,
         "ReadWriteMany",
         "who may mount it",
         {"ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"}},
        {"labels", T::kMap, Json::Object(), "further labels"},
        {"annotations", T::kMap, Json::Object(), "further annotations"}},
       RenderStorage});
  list.push_back(
      {"datagen", "makes a problem's vocabulary and data",
       Joined({{{"problem", T::kString, "translate_ende_multi30k",
                 "the problem; several with commas"},
                {"data_dir", T::kString, "/t2t/data", "where the data go"},
                {"raw_dir", T::kString, "/t2t/raw", "where the raw text is"},
                {"shards",
                 T::kInt,
                 0,
                 "training shards, a Pod each; 0: one Pod makes all",
                 {},
                 0,
                 10000},
                {"eval_shards",
                 T::kInt,
                 1,
                 "dev and test shards that the problem has",
                 {},
                 0,
                 1000},
                {"parallelism", T::kInt, 10, "Pods at once", {}, 1, 10000},
                {"random_seed", T::kInt, 429459, "the same seed, same data"},
                {"datagen_args", T::kList, Json::Array(),
                 "further flags of t2t-datagen"}},
               JobParams(3),
               PodParams()}),
       RenderDatagen});
  list.push_back({"train", "trains a model, on one Pod or many", TrainParams(),
                  RenderTrain});
  list.push_back(
      {"evaluate", "evaluates every checkpoint of a training as it comes",
       Joined({{kProblem,
                {"model", T::kString, "transformer", "the model"},
                {"hparams_set", T::kString, "transformer_base",
                 "its hyperparameters"},
                {"hparams", T::kString, "", "changes of them"},
                {"data_dir", T::kString, "/t2t/data", "where the data are"},
                {"output_dir", T::kString, "/t2t/train/train",
                 "where the training writes"},
                {"eval_timeout_mins",
                 T::kInt,
                 240,
                 "ends where no checkpoint has come for so long",
                 {},
                 1},
                {"trainer_args", T::kList, Json::Array(),
                 "further flags of t2t-trainer"}},
               JobParams(3),
               PodParams()}),
       RenderEvaluate});
  list.push_back(
      {"decode", "decodes a file, in shards",
       Joined(
           {{{"problem", T::kString, "",
              "empty, as model and hparams_set: what the training says"},
             {"model", T::kString, "", "the model"},
             {"hparams_set", T::kString, "", "its hyperparameters"},
             {"output_dir", T::kString, "/t2t/train/train",
              "where the model is"},
             {"data_dir", T::kString, "/t2t/data", "where the vocabulary is"},
             {"decode_from_file", T::kString, "/t2t/decode/source.txt",
              "lines to decode"},
             {"decode_to_file", T::kString, "/t2t/decode/decoded.txt",
              "where they go; with shards a file each"},
             {"decode_hparams", T::kString, "beam_size=4,alpha=0.6",
              "how it is decoded"},
             {"shards", T::kInt, 1, "Pods that share the lines", {}, 1, 10000},
             {"parallelism", T::kInt, 10, "Pods at once", {}, 1, 10000},
             {"decoder_args", T::kList, Json::Array(),
              "further flags of t2t-decoder"}},
            JobParams(3),
            PodParams()}),
       RenderDecode});
  list.push_back(
      {"tensorboard", "shows the curves of trainings",
       Joined({{{"log_dir", T::kString, "/t2t/train", "where they write"},
                {"image", T::kString, "tensorflow/tensorflow:2.15.0",
                 "an image with tensorboard"},
                {"cpu", T::kQuantity, "500m", "cores"},
                {"memory", T::kQuantity, "2Gi", "memory"}},
               PodParams()}),
       RenderTensorboard});
  list.push_back(
      {"notebook", "a Jupyter notebook next to data and models",
       Joined({{{"token_secret", T::kString, "",
                 "the Secret with the token to log in with: name/key"},
                {"notebook_dir", T::kString, "/t2t", "its folder"},
                {"image", T::kString, "jupyter/minimal-notebook:2023-10-20",
                 "an image with jupyter"},
                {"shm_size", T::kQuantity, "1Gi", "size of /dev/shm"}},
               PodParams()}),
       RenderNotebook});
  list.push_back({"serve", "serves exported models over REST and gRPC",
                  Joined({ServeParams(), PodParams()}), RenderServe});
  list.push_back({"sweep", "trains many variants of a train component",
                  SweepParams(), RenderSweep});
  list.push_back({kManifestsPrototype,
                  "manifests that were there before (t2t-launch import)",
                  ManifestsParams(), RenderManifests});
  list.push_back({"pipeline",
                  "data, trainings, scores, and the best to the servers (Argo)",
                  PipelineParams(), RenderPipeline});
  return list;
}

}  // namespace

const std::vector<Prototype>& Prototypes() {
  static const auto* const list = new std::vector<Prototype>(MakePrototypes());
  return *list;
}

const Prototype& FindPrototype(const std::string& name) {
  std::vector<std::string> names;
  for (const Prototype& prototype : Prototypes()) {
    if (prototype.name == name) return prototype;
    names.push_back(prototype.name);
  }
  const std::string near = DidYouMean(name, names);
  throw UsageError("there is no prototype '" + name + "'",
                   near.empty() ? "one of " + Join(names, ", ") : near,
                   "t2t-launch prototype list");
}

std::vector<Json> Render(const Component& component) {
  if (!IsDnsLabel(component.object(), 40)) {
    throw UsageError(
        "the objects' name '" + component.object() + "' can't be used",
        "app and component of lower case letters, digits and '-', together "
        "at most 39 characters");
  }
  return FindPrototype(component.prototype).render(component);
}

}  // namespace t2t
