#include "launch/app/testing_components.h"

#include <map>
#include <memory>
#include <string>

#include "launch/app/facts.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/train.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr char kImported[] = R"yaml(
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web
    uid: 1-2-3
    labels: {app: web}
  spec:
    replicas: 2
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
        - name: web
          image: "web:1"  # ours
          resources: {requests: {cpu: 1}}
  status: {replicas: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
)yaml";

std::string ArgumentBelow(const Json& value, const std::string& start) {
  std::string found;
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      if (found.empty()) found = ArgumentBelow(item, start);
    }
  }
  if (!value.is_object()) return found;
  for (const auto& [key, member] : value.members()) {
    if (found.empty() && key != "args") found = ArgumentBelow(member, start);
    if (key != "args") continue;
    for (const Json& item : member.items()) {
      const std::string text = ExpandVariables(
          item.AsString(), [](const std::string&) { return nullptr; });
      if (found.empty() && StartsWith(text, start)) found = text;
    }
  }
  return found;
}

}  // namespace

std::shared_ptr<Costs>& TestingCosts() {
  static auto* const costs = new std::shared_ptr<Costs>(
      std::make_shared<Costs>("tests/golden/launch/costs.json"));
  return *costs;
}

std::vector<ComponentSettings> TestingCostSettings() {
  return {
      {{"problem", "translate_ende_wmt32k"}},
      {{"hparams_set", "transformer_tiny"}},
      {{"hparams_set", "transformer_big"}},
      {{"hparams_set", "transformer_big"},
       {"hparams", "activation_dtype=bfloat16"}},
      {{"hparams", "hidden_size=1024"}},
      {{"hparams", "batch_size=200000"}},
      // Too large to be run: 3 and 13 billion parameters.
      {{"hparams", "hidden_size=4096,filter_size=16384"}},
      {{"hparams", "hidden_size=8192,filter_size=32768,num_hidden_layers=10"}},
      // Other models, other kinds of problems.
      {{"model", "lstm_seq2seq_attention"}, {"hparams_set", "lstm_attention"}},
      {{"model", "universal_transformer"},
       {"hparams_set", "universal_transformer_tiny"}},
      {{"model", "basic_fc_relu"},
       {"hparams_set", "basic_fc_small"},
       {"problem", "image_mnist"}},
      {{"problem", "algorithmic_reverse_binary40"},
       {"hparams_set", "transformer_tiny"}},
  };
}

Component MakeTestingComponent(const std::string& prototype,
                               const ComponentSettings& settings) {
  Component component;
  component.app = "ende";
  component.name = prototype;
  component.prototype = prototype;
  component.ns = "mt";
  component.params = Params(FindPrototype(prototype).params);
  if (prototype == "manifests") component.manifests = ParseManifests(kImported);
  if (prototype == "notebook") {
    component.params.SetText("token_secret", "notebook/token", "test");
  }
  if (prototype == "sweep") {
    component.params.SetText("grid", "learning_rate=0.1|0.2,num_heads=4|8",
                             "test");
  }
  for (const auto& [name, text] : settings) {
    component.params.SetText(name, text, "test");
  }
  component.find = [](const std::string& name) {
    return MakeTestingComponent(name);
  };
  AddFacts(&component, TestingCosts());
  return component;
}

std::map<std::string, Component> GoldenComponents() {
  const auto make = MakeTestingComponent;
  std::map<std::string, Component> cases;
  for (const Prototype& prototype : Prototypes()) {
    cases.emplace(prototype.name, make(prototype.name, {}));
  }
  for (const std::string& backend : TrainBackends()) {
    cases.emplace("train-" + backend,
                  make("train", {{"backend", backend},
                                 {"workers", "3"},
                                 {"gpus", "2"},
                                 {"evaluator", "true"},
                                 {"spot", "true"},
                                 {"gang", "volcano"},
                                 {"queue", "gpus"},
                                 {"hparams", "learning_rate=0.1"},
                                 {"env", "NCCL_DEBUG=WARN"},
                                 {"secret_env", "TOKEN=tokens/hub"}}));
  }
  cases.emplace("datagen-shards",
                make("datagen", {{"shards", "100"}, {"eval_shards", "2"}}));
  // What the registries know and the defaults do not.
  cases.emplace("datagen-facts", make("datagen", {{"shards", "10"}}));
  cases.emplace("train-facts",
                make("train", {{"hparams_set", "transformer_tpu_1b"},
                               {"backend", "job"},
                               {"workers", "2"}}));
  cases.emplace("decode-shards", make("decode", {{"shards", "8"}}));
  cases.emplace("serve-grpc", make("serve", {{"grpc", "true"},
                                             {"min_replicas", "1"},
                                             {"max_replicas", "1"}}));
  cases.emplace("serve-kserve",
                make("serve", {{"backend", "kserve"}, {"gpus", "1"}}));
  cases.emplace("serve-seldon", make("serve", {{"backend", "seldon"}}));
  cases.emplace("serve-seldon-canary",
                make("serve", {{"backend", "seldon"},
                               {"grpc", "true"},
                               {"min_replicas", "3"},
                               {"max_replicas", "3"},
                               {"canary_base_path", "/t2t/export/new"},
                               {"canary_percent", "5"}}));
  cases.emplace(
      "manifests-set",
      make("manifests", {{"set",
                          "Deployment/web:spec.replicas=3,Deployment/web:"
                          "spec.template.spec.containers.0.image='web:2'"},
                         {"labels", "team=mt"}}));
  cases.emplace("sweep-katib", make("sweep", {{"backend", "katib"}}));
  cases.emplace("pipeline-cron", make("pipeline", {{"schedule", "0 3 * * *"}}));
  return cases;
}

// With T2T_WRITE_GOLDEN=<folder> the files are written instead.
std::string Argument(const std::vector<Json>& objects,
                     const std::string& start) {
  Json list = Json::Array();
  for (const Json& object : objects) list.Append(object);
  return ArgumentBelow(list, start);
}

}  // namespace t2t
