#include "launch/app/validate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/app/testing_components.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Settings = ComponentSettings;

Component Make(const std::string& prototype, const Settings& settings = {}) {
  return MakeTestingComponent(prototype, settings);
}

std::string Wrong(const std::string& prototype, const Settings& settings) {
  try {
    const Component component = Make(prototype, settings);
    std::vector<std::string> found = CheckComponent(component);
    for (const std::string& text : CheckObjects(Render(component))) {
      found.push_back(text);
    }
    return Join(found, "\n");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
}

TEST(ValidateTest, WhatIsWrongIsFoundBeforeItIsSent) {
  const auto finds = [](const std::string& prototype, const Settings& settings,
                        const std::string& text) {
    const std::string found = Wrong(prototype, settings);
    EXPECT_NE(found.find(text), std::string::npos) << found;
  };
  finds("train", {{"problem", "translate_ende_multi30"}},
        "translate_ende_multi30k");
  finds("train", {{"model", "transfromer"}}, "'transformer'");
  finds("train", {{"hparams_set", "transformer_bse"}}, "transformer_base");
  finds("train", {{"hparams", "learning_rat=1"}}, "learning_rate");
  finds("train", {{"hparams", "num_heads=many"}}, "num_heads");
  finds("train", {{"data_dir", "data"}}, "absolute path");
  finds("train", {{"cpu_limit", "1"}}, "no less than");
  finds("train", {{"memory", "1Gi"}}, "/dev/shm");
  finds("train", {{"backend", "jobst"}}, "'jobset'");
  finds("train", {{"workrs", "1"}}, "'workers'");
  finds("train", {{"workers", "0"}}, "1 to 10000");
  finds("train", {{"cpu", "2cores"}}, "quantity");
  finds("train", {{"env", "RANK=1"}}, "operator");
  finds("train", {{"env", "a-b=1"}}, "letters");
  finds("train", {{"secret_env", "A=b"}}, "secret/key");
  finds("train", {{"labels", "a=b c"}}, "63 letters");
  finds("train", {{"labels", "app.kubernetes.io/name=x"}}, "does not set");
  finds("train", {{"tolerations", "a:Nope"}}, "NoSchedule");
  finds("train", {{"ps", "1"}, {"backend", "jobset"}}, "needs no servers");
  finds("train", {{"trainer_args", "x"}}, "flags");
  finds("train", {{"claim", "No"}}, "DNS");
  finds("datagen", {{"shards", "10"}, {"eval_shards", "1"}},
        "2 shards of dev and test");
  finds("sweep", {{"metric", "acuracy"}}, "'accuracy'");
  finds("serve", {{"min_replicas", "5"}}, "min_replicas");
  finds("serve", {{"canary_percent", "5"}}, "canary_base_path");
  finds("serve", {{"canary_percent", "5"}, {"canary_base_path", "/t2t/x"}},
        "seldon");
  finds("serve", {{"backend", "kservr"}}, "'kserve'");
  finds("sweep", {{"grid", "learning_rat=0.1|0.2"}}, "learning_rate");
  finds("train", {{"gpu_type", "h10"}}, "'h100'");
  finds("train", {{"gpu_hour_price", "two"}}, "a number");
  finds("manifests", {{"set", "Deployment/wob:spec.replicas=3"}},
        "Deployment/web");
  finds("manifests", {{"set", "Deployment/web:spec.replics.x=3"}}, "replicas");
  finds("manifests", {{"set", "Service/web:spec.ports.1.port=3"}}, "0 to 0");
  finds("manifests", {{"set", "Service/web:metadata.name=other"}}, "the name");
  finds("manifests", {{"set", "Service/web:metadata.namespace=other"}},
        "namespace");
  finds("notebook", {{"token_secret", ""}}, "token_secret");
  finds("pipeline", {{"schedule", "daily"}}, "five fields");
  finds("pipeline", {{"source", "{{ x }}"}}, "'{{'");
  finds("pipeline", {{"train", ""}}, "trains nothing");
}

// What is found where one thing of a rendered manifest is another: rules that
// schemas lack.
void ExpectFound(const std::string& prototype, const Settings& settings,
                 const std::string& kind, const std::string& path,
                 const std::string& value, const std::string& expected) {
  Component component = Make("manifests");
  component.manifests = Render(Make(prototype, settings));
  std::string changed;
  for (const Json& object : component.manifests) {
    if (object.At("kind").AsString() == kind) {
      changed = kind + "/" + object.At("metadata").At("name").AsString();
    }
  }
  component.params.Set("set", Object({{changed + ":" + path, value}}), "test");
  std::vector<Json> objects = RenderManifests(component);
  // As if they were our own, for which all rules count.
  for (Json& object : objects) {
    Json metadata = object.At("metadata");
    metadata.Set("labels", Labels(Make(prototype)));
    object.Set("metadata", metadata);
  }
  const std::string found = Join(CheckObjects(objects), "\n");
  EXPECT_NE(found.find(expected), std::string::npos)
      << kind << " " << path << ": " << found;
}

TEST(ValidateTest, RulesBeyondSchemas) {
  const auto& finds = ExpectFound;
  finds("serve", {}, "HorizontalPodAutoscaler", "spec.maxReplicas", "1",
        "below minReplicas");
  finds("serve", {}, "HorizontalPodAutoscaler", "spec.scaleTargetRef.name",
        "other", "not there");
  finds("serve", {}, "PodDisruptionBudget",
        "spec.selector.matchLabels.app\\.kubernetes\\.io/instance", "other",
        "selects no Pod");
  finds("serve", {{"backend", "kserve"}}, "InferenceService",
        "spec.predictor.maxReplicas", "1", "below minReplicas");
  finds("serve", {{"backend", "kserve"}}, "InferenceService",
        "spec.predictor.containers.0.name", "server", "kserve-container");
  finds("serve", {{"backend", "seldon"}}, "SeldonDeployment",
        "spec.predictors.0.traffic", "90", "90%");
  finds("serve", {{"backend", "seldon"}}, "SeldonDeployment",
        "spec.predictors.0.graph.name", "other", "no container is named other");
  finds("serve", {{"backend", "seldon"}}, "SeldonDeployment",
        "spec.predictors.0.componentSpecs.0.hpaSpec.maxReplicas", "1",
        "below minReplicas");
  finds("serve",
        {{"backend", "seldon"},
         {"canary_percent", "5"},
         {"canary_base_path", "/t2t/new"}},
        "SeldonDeployment", "spec.predictors.1.name", "main", "one name");
  finds("train", {{"backend", "trainjob"}, {"workers", "2"}}, "TrainJob",
        "spec.runtimeRef.name", "other", "not there");
  finds("train", {{"backend", "jobset"}, {"workers", "2"}}, "JobSet",
        "spec.replicatedJobs.0.name", std::string(60, 'x'), "host names");
  finds("pipeline", {}, "Workflow", "spec.entrypoint", "other", "no template");
  finds("pipeline", {}, "Workflow", "spec.templates.0.dag.tasks.0.template",
        "other", "has no template");
  finds("pipeline", {}, "Workflow", "spec.templates.0.dag.tasks.1.name",
        "train", "which is not there");
  finds("pipeline", {}, "RoleBinding", "roleRef.name", "other", "not there");
  finds("train", {}, "Job", "spec.template.spec.restartPolicy", "OnFailure",
        "restartPolicy Never");
  finds("train", {}, "Job",
        "spec.template.spec.containers.0.resources.limits.cpu", "1m",
        "below the request");
}

}  // namespace
}  // namespace t2t
