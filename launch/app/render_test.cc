#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/app/explain.h"
#include "launch/app/facts.h"
#include "launch/app/testing_components.h"
#include "launch/app/validate.h"
#include "launch/render/job.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/restart_rules.h"
#include "launch/render/sweep.h"
#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Settings = ComponentSettings;

Component Make(const std::string& prototype, const Settings& settings = {}) {
  return MakeTestingComponent(prototype, settings);
}

TEST(RenderTest, Golden) {
  const char* const write = std::getenv("T2T_WRITE_GOLDEN");
  for (const auto& [name, component] : GoldenComponents()) {
    const std::string text = ToYamlStream(Render(component));
    if (write != nullptr) {
      WriteFileAtomically(JoinPath(write, name + ".yaml"), text);
      continue;
    }
    const std::string path = "k8s/golden/" + name + ".yaml";
    ASSERT_TRUE(Exists(path)) << path;
    EXPECT_EQ(text, ReadFile(path)) << name;
  }
}

TEST(RenderTest, DefaultsAreValid) {
  for (const auto& [name, component] : GoldenComponents()) {
    EXPECT_EQ(Join(CheckComponent(component), "\n"), "") << name;
    EXPECT_EQ(Join(CheckObjects(Render(component)), "\n"), "") << name;
  }
}

TEST(RenderTest, DollarsReachTheProgram) {
  for (const char* const text :
       {"$", "$$", "$(A)", "$$(A)", "$$$(A)", "a$b", "$(", "$()", "$$$"}) {
    EXPECT_EQ(ExpandVariables(EscapeDollars(text),
                              [](const std::string&) -> const std::string* {
                                ADD_FAILURE();
                                return nullptr;
                              }),
              text);
  }
  const std::string value = "1";
  EXPECT_EQ(ExpandVariables("--id=$(I) $(J) $$(I)",
                            [&](const std::string& name) {
                              return name == "I" ? &value : nullptr;
                            }),
            "--id=1 $(J) $(I)");
}

struct ExpectedEnd {
  int code;
  PodEnd end;
};

// The table in t2t/base/error.h: from 128 on it is tried again.
std::vector<ExpectedEnd> ExpectedEnds() {
  std::vector<ExpectedEnd> table = {{0, PodEnd::kDone}};
  for (const ExitCode code :
       {ExitCode::kInternal, ExitCode::kUsage, ExitCode::kBadData,
        ExitCode::kMissing, ExitCode::kIo, ExitCode::kDiverged,
        ExitCode::kMismatch}) {
    table.push_back({static_cast<int>(code), PodEnd::kFail});
  }
  for (const int code : {126, 127}) table.push_back({code, PodEnd::kFail});
  for (const ExitCode code :
       {ExitCode::kInterrupted, ExitCode::kRetry, ExitCode::kPreempted}) {
    table.push_back({static_cast<int>(code), PodEnd::kRestart});
  }
  for (const int code : {134, 137, 139}) {
    table.push_back({code, PodEnd::kRestart});
  }
  return table;
}

TEST(RenderTest, EachOperatorTriesExitCodesAgainFrom128On) {
  const std::map<std::string, std::pair<std::string, std::vector<std::string>>>
      places = {{"jobset", {"JobSet", {""}}},
                {"trainjob", {"TrainingRuntime", {""}}},
                {"pytorchjob", {"PyTorchJob", {"Master", "Worker"}}},
                {"tfjob", {"TFJob", {"Chief", "Worker", "Evaluator"}}},
                {"tfjob-v1alpha1", {"TFJob", {""}}},
                {"job", {"Job", {""}}}};
  for (const std::string& backend : TrainBackends()) {
    const std::vector<Json> objects = Render(
        Make("train",
             {{"backend", backend}, {"workers", "2"}, {"evaluator", "true"}}));
    if (StartsWith(backend, "mpijob")) {
      // mpirun ends with 1 where a node is lost: no code is permanent.
      for (const Json& object : objects) {
        if (object.At("kind").AsString() != "MPIJob") continue;
        EXPECT_EQ(DecidePodEnd(object, "Launcher", 2), PodEnd::kRestart);
        EXPECT_EQ(DecidePodEnd(object, "Launcher", 0), PodEnd::kDone);
      }
      continue;
    }
    int seen = 0;
    for (const Json& object : objects) {
      if (object.At("kind").AsString() != places.at(backend).first) continue;
      for (const std::string& role : places.at(backend).second) {
        for (const ExpectedEnd& expected : ExpectedEnds()) {
          EXPECT_EQ(DecidePodEnd(object, role, expected.code), expected.end)
              << backend << " " << role << " " << expected.code;
          ++seen;
        }
      }
    }
    EXPECT_GT(seen, 0) << backend;
  }
}

TEST(RenderTest, StepsOfPipelinesAndJobsAreTriedAgainFrom128On) {
  int steps = 0;
  const Json workflow = Render(Make("pipeline")).back();
  for (const Json& step : workflow.At("spec").At("templates").items()) {
    if (step.Find("container") == nullptr) continue;
    const Json spec = Object({{"retryStrategy", step.At("retryStrategy")}});
    const Json as_workload = Object({{"kind", "Step"}, {"spec", spec}});
    for (const ExpectedEnd& expected : ExpectedEnds()) {
      EXPECT_EQ(DecidePodEnd(as_workload, "", expected.code), expected.end);
    }
    EXPECT_EQ(RestartLimit(as_workload), 3);
    ++steps;
  }
  EXPECT_EQ(steps, 2);
  for (const char* const prototype : {"datagen", "evaluate", "decode"}) {
    const Json job = Render(Make(prototype)).back();
    for (const ExpectedEnd& expected : ExpectedEnds()) {
      EXPECT_EQ(DecidePodEnd(job, "", expected.code), expected.end);
    }
  }
}

TEST(RenderTest, PodsFitTheirGrace) {
  for (const std::string& backend : TrainBackends()) {
    const std::string yaml = ToYamlStream(
        Render(Make("train", {{"backend", backend},
                              {"workers", "2"},
                              {"preemption_grace_seconds", "77"}})));
    EXPECT_NE(yaml.find("terminationGracePeriodSeconds: 107"),
              std::string::npos)
        << backend;
    EXPECT_NE(yaml.find("--preemption_grace_seconds=77"), std::string::npos)
        << backend;
    // An evaluator has its Pod's half a minute, and the program's default.
    EXPECT_EQ(yaml.find("--preemption_grace_seconds=77",
                        yaml.find("continuous_eval")),
              std::string::npos)
        << backend;
  }
}

TEST(RenderTest, OlderPrototypesRenderAsThen) {
  Component component = Make("train");
  component.version = 1;
  EXPECT_EQ(Argument(Render(component), "--preemption_grace_seconds="), "");
  // Version 3 brought the facts.
  Component datagen = Make("datagen");
  EXPECT_TRUE(datagen.params.At("eval_shards").source == kFactSource);
  datagen.params = Params(FindPrototype("datagen").params);
  datagen.version = 2;
  AddFacts(&datagen, TestingCosts());
  EXPECT_TRUE(datagen.params.At("eval_shards").source == kDefaultSource);
}

TEST(RenderTest, ProbesOfAServerWithTls) {
  const auto https = [](const std::string& arguments) {
    std::string text;
    for (const Json& object :
         Render(Make("serve", {{"server_args", arguments}}))) {
      text += object.ToString();
    }
    size_t count = 0;
    for (size_t at = 0; (at = text.find("HTTPS", at)) != std::string::npos;
         ++at) {
      ++count;
    }
    return count;
  };
  EXPECT_EQ(https("--max_batch_size=8"), 0);
  EXPECT_EQ(https("--ssl_cert_file=/tls/tls.crt,--ssl_key_file=/tls/tls.key"),
            3);
}

TEST(RenderTest, ServersOfEveryBackendAreTheSame) {
  const auto server = [](const std::string& backend) {
    std::vector<std::string> arguments;
    std::function<void(const Json&)> visit = [&](const Json& value) {
      if (value.is_array()) {
        for (const Json& item : value.items()) visit(item);
      }
      if (!value.is_object()) return;
      if (value.Find("readinessProbe") != nullptr) {
        arguments.push_back(value.At("args").ToString() +
                            value.At("readinessProbe").ToString() +
                            value.At("resources").ToString() +
                            value.At("securityContext").ToString());
      }
      for (const auto& [key, member] : value.members()) visit(member);
    };
    for (const Json& object : Render(Make("serve", {{"backend", backend}}))) {
      visit(object);
    }
    EXPECT_EQ(arguments.size(), 1) << backend;
    return Join(arguments, "\n");
  };
  const std::string expected = server("deployment");
  EXPECT_EQ(server("kserve"), expected);
  EXPECT_EQ(server("seldon"), expected);
}

std::string Refusal(const std::string& text) {
  try {
    ParseManifests(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    return error.what();
  }
  return "";
}

TEST(RenderTest, ImportedManifests) {
  const std::vector<Json> objects =
      Render(Make("manifests", {{"set", "Service/web:spec.ports.0.port=81"}}));
  ASSERT_EQ(objects.size(), 2);
  const Json& metadata = objects[0].At("metadata");
  EXPECT_EQ(metadata.Find("uid"), nullptr);
  EXPECT_EQ(objects[0].Find("status"), nullptr);
  EXPECT_EQ(metadata.At("namespace").AsString(), "mt");
  EXPECT_EQ(metadata.At("labels").At("app").AsString(), "web");
  EXPECT_EQ(metadata.At("labels").At("app.kubernetes.io/managed-by").AsString(),
            "t2t-launch");
  // The Pods stay as they were.
  EXPECT_EQ(objects[0].At("spec").At("template").At("metadata").ToString(),
            "{\"labels\": {\"app\": \"web\"}}");
  EXPECT_EQ(objects[1].At("spec").At("ports").items()[0].At("port").AsInt(),
            81);

  const std::string pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
  EXPECT_EQ(Refusal(pod), "");
  EXPECT_NE(Refusal("").find("no object"), std::string::npos);
  EXPECT_NE(Refusal("- a").find("no mapping"), std::string::npos);
  EXPECT_NE(Refusal("kind: Pod").find("apiVersion"), std::string::npos);
  EXPECT_NE(Refusal("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}")
                .find("no name"),
            std::string::npos);
  EXPECT_NE(Refusal(pod + "---\n" + pod).find("twice"), std::string::npos);
  EXPECT_NE(Refusal("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n")
                .find("secrets"),
            std::string::npos);
  EXPECT_NE(Refusal(pod + "a: &x 1\nb: *x\n").find("line"), std::string::npos);
  EXPECT_NE(Refusal(pod + "mode: 0644\n").find("octal"), std::string::npos);
  EXPECT_NE(Refusal(pod + "a: {{ .Values.a }}\n").find("helm template"),
            std::string::npos);
  EXPECT_NE(Refusal("apiVersion: kustomize.config.k8s.io/v1beta1\n"
                    "kind: Kustomization\n")
                .find("kubectl kustomize"),
            std::string::npos);
  EXPECT_NE(Refusal("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"
                    "  ownerReferences: [{kind: Job}]\n")
                .find("owner"),
            std::string::npos);
}

TEST(RenderTest, WhatIsExplainedIsThere) {
  std::string goldens;
  for (const std::string& path : Glob("k8s/golden/*.yaml")) {
    goldens += ReadFile(path);
  }
  for (const auto& [field, help] : FieldHelps()) {
    EXPECT_NE(goldens.find(" " + field + ":"), std::string::npos) << field;
    EXPECT_NE(Explain("spec." + field).find(help), std::string::npos);
  }
  // The table of t2t/base/error.h.
  for (const int code : {0, 1, 2, 3, 4, 5, 6, 7, 130, 138, 143}) {
    EXPECT_EQ(Explain(std::to_string(code)).find("no code"), std::string::npos);
  }
  EXPECT_NE(Explain("143").find("tried again"), std::string::npos);
  EXPECT_NE(Explain("7").find("not tried again"), std::string::npos);
  EXPECT_NE(Explain("train.workers").find("Pods that train"),
            std::string::npos);
  EXPECT_NE(Explain("serve").find("model_base_path"), std::string::npos);
  EXPECT_NE(Explain("transformer_tiny").find("hidden_size=128"),
            std::string::npos);
  EXPECT_NE(Explain("transformer").find("transformer_base"), std::string::npos);
  EXPECT_NE(Explain("translate_ende_multi30k_rev").find("change places"),
            std::string::npos);
  for (const char* const wrong : {"transformer_bse", "train.workrs", "256",
                                  "podFailurPolicy", "", "x.y"}) {
    EXPECT_THROW(Explain(wrong), Error) << wrong;
  }
}

TEST(RenderTest, BackendsByEnvironment) {
  Component component = Make("train", {{"workers", "4"}});
  EXPECT_EQ(ChooseBackend(component), "job");
  component.operators = {"tfjob", "pytorchjob"};
  EXPECT_EQ(ChooseBackend(component), "pytorchjob");
  component.operators.push_back("jobset");
  EXPECT_EQ(ChooseBackend(component), "jobset");
  component.params.SetText("workers", "1", "test");
  EXPECT_EQ(ChooseBackend(component), "job");
  component.params.SetText("ps", "2", "test");
  EXPECT_EQ(ChooseBackend(component), "tfjob");
}

TEST(RenderTest, SweepPoints) {
  EXPECT_EQ(Join(SweepPoints(Make("sweep")), " "),
            "learning_rate=0.1,num_heads=4 learning_rate=0.1,num_heads=8 "
            "learning_rate=0.2,num_heads=4 learning_rate=0.2,num_heads=8");
  const Component drawn =
      Make("sweep", {{"algorithm", "random"}, {"trials", "3"}});
  EXPECT_EQ(SweepPoints(drawn).size(), 3);
  EXPECT_EQ(SweepPoints(drawn), SweepPoints(drawn));
  EXPECT_THROW(SweepPoints(Make("sweep", {{"grid", ""}})), Error);
  EXPECT_THROW(SweepPoints(Make("sweep", {{"grid", "a=1||2"}})), Error);
}

}  // namespace
}  // namespace t2t
