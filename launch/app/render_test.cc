#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "hparams/catalogue.h"
#include "launch/app/explain.h"
#include "launch/app/facts.h"
#include "launch/app/validate.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/restart_rules.h"
#include "launch/render/sweep.h"
#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

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

Component Make(const std::string& prototype, const Settings& settings = {}) {
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
  component.find = [](const std::string& name) { return Make(name); };
  AddFacts(&component);
  return component;
}

// Every prototype at its defaults, and training by each backend.
std::map<std::string, Component> Cases() {
  std::map<std::string, Component> cases;
  for (const Prototype& prototype : Prototypes()) {
    cases.emplace(prototype.name, Make(prototype.name));
  }
  for (const std::string& backend : TrainBackends()) {
    cases.emplace("train-" + backend,
                  Make("train", {{"backend", backend},
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
                Make("datagen", {{"shards", "100"}, {"eval_shards", "2"}}));
  // What the registries know and the defaults do not.
  cases.emplace("datagen-facts", Make("datagen", {{"shards", "10"}}));
  cases.emplace("train-facts",
                Make("train", {{"hparams_set", "transformer_tpu_1b"},
                               {"backend", "job"},
                               {"workers", "2"}}));
  cases.emplace("decode-shards", Make("decode", {{"shards", "8"}}));
  cases.emplace("serve-grpc", Make("serve", {{"grpc", "true"},
                                             {"min_replicas", "1"},
                                             {"max_replicas", "1"}}));
  cases.emplace("serve-kserve",
                Make("serve", {{"backend", "kserve"}, {"gpus", "1"}}));
  cases.emplace("serve-seldon", Make("serve", {{"backend", "seldon"}}));
  cases.emplace("serve-seldon-canary",
                Make("serve", {{"backend", "seldon"},
                               {"grpc", "true"},
                               {"min_replicas", "3"},
                               {"max_replicas", "3"},
                               {"canary_base_path", "/t2t/export/new"},
                               {"canary_percent", "5"}}));
  cases.emplace(
      "manifests-set",
      Make("manifests", {{"set",
                          "Deployment/web:spec.replicas=3,Deployment/web:"
                          "spec.template.spec.containers.0.image='web:2'"},
                         {"labels", "team=mt"}}));
  cases.emplace("sweep-katib", Make("sweep", {{"backend", "katib"}}));
  cases.emplace("pipeline-cron", Make("pipeline", {{"schedule", "0 3 * * *"}}));
  return cases;
}

// With T2T_WRITE_GOLDEN=<folder> the files are written instead.
TEST(RenderTest, Golden) {
  const char* const write = std::getenv("T2T_WRITE_GOLDEN");
  for (const auto& [name, component] : Cases()) {
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
  for (const auto& [name, component] : Cases()) {
    EXPECT_EQ(Join(CheckComponent(component), "\n"), "") << name;
    EXPECT_EQ(Join(CheckObjects(Render(component)), "\n"), "") << name;
  }
}

std::string RandomText(Rng* rng) {
  static const auto* const pieces = new std::vector<std::string>{
      "\n", "\"",    "'",       "\\",  ": ",       " #",
      "{",  "}",     "$(HOME)", "$$",  "$",        "${trial}",
      "\t", "a",     "=",       ",",   "\xC3\xA4", "\xF0\x9F\x98\x80",
      "- ", "---\n", "x: y\n",  "|",   "&a",       "*a",
      "!",  "%",     "yes",     "1e3", " "};
  std::string text;
  for (uint64_t n = rng->Below(6); n > 0; --n) {
    text += (*pieces)[rng->Below(pieces->size())];
  }
  return text;
}

Json RandomValue(const ParamSpec& spec, Rng* rng) {
  switch (spec.type) {
    case ParamType::kInt:
      return Json(spec.least + static_cast<int64_t>(rng->Below(
                                   static_cast<uint64_t>(std::min<int64_t>(
                                       spec.most - spec.least, 20)) +
                                   1)));
    case ParamType::kBool:
      return Json(rng->Below(2) == 0);
    case ParamType::kQuantity:
      return Json(std::to_string(1 + rng->Below(64)) +
                  std::vector<std::string>{"", "Gi", "Mi"}[rng->Below(3)]);
    case ParamType::kName:
      return Json(std::vector<std::string>{"", "a", "x-1"}[rng->Below(3)]);
    case ParamType::kList: {
      Json list = Json::Array();
      for (uint64_t n = rng->Below(3); n > 0; --n) {
        list.Append(spec.name == "tolerations"
                        ? Json("gpu=a100:NoExecute")
                        : Json("--x=" + RandomText(rng)));
      }
      return list;
    }
    case ParamType::kMap: {
      Json map = Json::Object();
      for (uint64_t n = rng->Below(3); n > 0; --n) {
        const std::string number = std::to_string(rng->Below(5));
        map.Set("K" + number, spec.name == "secret_env" ? "s" + number + "/key"
                              : spec.name == "env" || spec.name == "annotations"
                                  ? RandomText(rng)
                                  : "v" + number);
      }
      return map;
    }
    case ParamType::kString:
      if (!spec.choices.empty()) {
        return Json(spec.choices[rng->Below(spec.choices.size())]);
      }
      return Json(RandomText(rng));
  }
  return Json();
}

// Names that mean something to t2t-launch itself are left as they are.
bool IsFree(const std::string& name) {
  for (const char* const fixed :
       {"claim_path", "spot_label", "gpu_resource", "image", "component",
        "grid", "cpu_limit", "memory_limit", "datagen", "train", "schedule",
        "token_secret", "set", "canary_base_path", "canary_percent"}) {
    if (name == fixed) return false;
  }
  return true;
}

// Parameters at random; those that only go together are drawn so.
Component RandomComponent(const std::string& name, Rng* rng) {
  Component component = Make(name);
  Params& params = component.params;
  for (const ParamSpec& spec : FindPrototype(name).params) {
    if (!IsFree(spec.name) || rng->Below(3) != 0) continue;
    params.Set(spec.name, RandomValue(spec, rng), "random");
  }
  const auto set = [&](const char* param, const std::string& text) {
    params.SetText(param, text, "random");
  };
  if (name == "train") {
    set("backend", TrainBackends()[rng->Below(TrainBackends().size())]);
    if (!StartsWith(params.String("backend"), "tfjob")) set("ps", "0");
  }
  if (name == "serve") {
    const char* const backends[] = {"deployment", "kserve", "seldon"};
    set("backend", backends[rng->Below(3)]);
    if (params.Int("max_replicas") < params.Int("min_replicas")) {
      set("max_replicas", "50");
    }
    if (params.String("backend") == "seldon" && rng->Below(2) == 0) {
      set("canary_percent", "10");
      params.Set("canary_base_path", Json("/x" + RandomText(rng)), "random");
    }
  }
  if (name == "sweep" && params.String("backend") == "jobs" &&
      params.String("algorithm") != "grid") {
    set("algorithm", "random");
  }
  if (name == "pipeline" && rng->Below(2) == 0) set("schedule", "0 3 * * *");
  if (name == "sweep" || name == "pipeline") {
    Component train = RandomComponent("train", rng);
    train.params.SetText("evaluator", "false", "random");
    if (name == "sweep") train.params.SetText("workers", "1", "random");
    const Component datagen = RandomComponent("datagen", rng);
    component.find = [train, datagen](const std::string& other) {
      return other == "datagen" ? datagen : train;
    };
  }
  AddFacts(&component);
  return component;
}

// T2T_RANDOM_SETS=1000 makes a thousand of each prototype; with
// T2T_WRITE_RANDOM=<file> they are written, to validate them by schemas
// (tools/k8s/validate.py).
TEST(RenderTest, RandomParametersRenderAlikeAndComeBack) {
  const char* const sets = std::getenv("T2T_RANDOM_SETS");
  const char* const write = std::getenv("T2T_WRITE_RANDOM");
  std::string all;
  Rng rng(7);
  std::set<size_t> different;
  int refused = 0;
  for (int i = 0; i < (sets != nullptr ? std::atoi(sets) : 150); ++i) {
    for (const Prototype& prototype : Prototypes()) {
      const Component component = RandomComponent(prototype.name, &rng);
      std::vector<Json> objects;
      try {
        objects = Render(component);
      } catch (const Error& error) {
        // Contradictions (a limit below a request).
        EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
        ++refused;
        continue;
      }
      const std::string yaml = ToYamlStream(objects);
      EXPECT_EQ(ToYamlStream(Render(component)), yaml);
      const std::vector<Json> back = ParseYamlStream(yaml);
      ASSERT_EQ(back.size(), objects.size());
      for (size_t k = 0; k < back.size(); ++k) {
        ASSERT_EQ(back[k].ToString(), objects[k].ToString());
      }
      if (!CheckObjects(objects).empty()) {
        ++refused;
      } else if (different.insert(std::hash<std::string>()(yaml)).second &&
                 write != nullptr) {
        all += "---\n" + yaml;
      }
    }
  }
  std::printf("%zu different, %d refused\n", different.size(), refused);
  if (write != nullptr) WriteFileAtomically(write, all);
  EXPECT_GT(different.size(), static_cast<size_t>(2 * refused));
}

// The first argument that starts so, anywhere below, as the program gets it.
std::string Argument(const Json& value, const std::string& start) {
  std::string found;
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      if (found.empty()) found = Argument(item, start);
    }
  }
  if (!value.is_object()) return found;
  for (const auto& [key, member] : value.members()) {
    if (found.empty() && key != "args") found = Argument(member, start);
    if (key != "args") continue;
    for (const Json& item : member.items()) {
      const std::string text = ExpandVariables(
          item.AsString(), [](const std::string&) { return nullptr; });
      if (found.empty() && StartsWith(text, start)) found = text;
    }
  }
  return found;
}

std::string Argument(const std::vector<Json>& objects,
                     const std::string& start) {
  Json list = Json::Array();
  for (const Json& object : objects) list.Append(object);
  return Argument(list, start);
}

TEST(RenderTest, NoTextBreaksOutOfItsField) {
  Rng rng(3);
  std::vector<std::string> texts = {
      "a\"\nkind: Secret\n",  "$(HOME) $$(HOME) $",
      "{{ workflow.name }}",  "' # x",
      "\xE2\x80\xA8\xC2\x85", std::string(1 << 20, 'x'),
      "- a\n  - b",           "${trialParameters.x}"};
  for (int i = 0; i < 200; ++i) texts.push_back(RandomText(&rng));
  for (const std::string& text : texts) {
    const Component component = Make("train", {{"hparams", text}});
    const std::vector<Json> back =
        ParseYamlStream(ToYamlStream(Render(component)));
    ASSERT_EQ(back.size(), 3);
    if (!text.empty()) {
      EXPECT_EQ(Argument(back, "--hparams="), "--hparams=" + text);
    }
  }
  // The same by every backend, at every depth.
  texts.resize(30);
  for (const std::string& text : texts) {
    for (const std::string& backend : TrainBackends()) {
      const std::vector<Json> back = ParseYamlStream(ToYamlStream(Render(
          Make("train",
               {{"hparams", text}, {"backend", backend}, {"workers", "2"}}))));
      if (!text.empty()) {
        EXPECT_EQ(Argument(back, "--hparams="), "--hparams=" + text) << backend;
      }
    }
    for (const char* const backend : {"deployment", "kserve", "seldon"}) {
      const std::vector<Json> objects =
          Render(Make("serve", {{"model_base_path", text},
                                {"backend", backend},
                                {"env", "A=" + ReplaceAll(text, ",", ";")}}));
      const std::vector<Json> back = ParseYamlStream(ToYamlStream(objects));
      ASSERT_EQ(back.size(), objects.size());
      EXPECT_EQ(Argument(back, "--model_base_path="),
                "--model_base_path=" + text)
          << backend;
    }
    Component imported = Make("manifests");
    imported.params.Set(
        "set", Object({{"Deployment/web:spec.note", YamlScalar(text)}}),
        "test");
    const std::vector<Json> back =
        ParseYamlStream(ToYamlStream(Render(imported)));
    EXPECT_EQ(back[0].At("spec").At("note").AsString(), text);
  }
  EXPECT_THROW(Render(Make("train", {{"hparams", std::string(1, '\0')}})),
               Error);
  EXPECT_THROW(Render(Make("train", {{"hparams", "\xFF"}})).empty()
                   ? ""
                   : ToYamlStream(Render(Make("train", {{"hparams", "\xFF"}}))),
               Error);
  // Too long for any program to be started with.
  EXPECT_NE(Join(CheckObjects(Render(
                     Make("train", {{"hparams", std::string(1 << 20, 'x')}}))),
                 "\n")
                .find("131071"),
            std::string::npos);
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

// The table in t2t/base/error.h against each operator's own rule.
TEST(RenderTest, ExitCodesAreTriedAgainFrom128On) {
  struct Expected {
    int code;
    PodEnd end;
  };
  std::vector<Expected> table = {{0, PodEnd::kDone}};
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
        for (const Expected& expected : table) {
          EXPECT_EQ(DecidePodEnd(object, role, expected.code), expected.end)
              << backend << " " << role << " " << expected.code;
          ++seen;
        }
      }
    }
    EXPECT_GT(seen, 0) << backend;
  }
  // A pipeline's own steps.
  int steps = 0;
  const Json workflow = Render(Make("pipeline")).back();
  for (const Json& step : workflow.At("spec").At("templates").items()) {
    if (step.Find("container") == nullptr) continue;
    const Json spec = Object({{"retryStrategy", step.At("retryStrategy")}});
    const Json as_workload = Object({{"kind", "Step"}, {"spec", spec}});
    for (const Expected& expected : table) {
      EXPECT_EQ(DecidePodEnd(as_workload, "", expected.code), expected.end);
    }
    EXPECT_EQ(RestartLimit(as_workload), 3);
    ++steps;
  }
  EXPECT_EQ(steps, 2);
  for (const char* const prototype : {"datagen", "evaluate", "decode"}) {
    const Json job = Render(Make(prototype)).back();
    for (const Expected& expected : table) {
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
  AddFacts(&datagen);
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

TEST(RenderTest, WhatIsWrongIsFoundBeforeItIsSent) {
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

// Rules that schemas lack, each on a rendered manifest with one thing changed.
TEST(RenderTest, RulesBeyondSchemas) {
  const auto finds = [](const std::string& prototype, const Settings& settings,
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
    component.params.Set("set", Object({{changed + ":" + path, value}}),
                         "test");
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
  };
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

// Flags of each program, out of its source.
TEST(RenderTest, ProgramsHaveTheFlagsTheyAreGiven) {
  const std::map<std::string, std::string> sources = {
      {"t2t-trainer", "t2t/train/experiment_flags.cc"},
      {"t2t-datagen", "t2t/bin/datagen/main.cc"},
      {"t2t-decoder", "t2t/bin/decoder/decoder_flags.cc"}};
  int checked = 0;
  for (const Component& component :
       {Make("train", {{"hparams", "learning_rate=1"}}),
        Make("evaluate", {{"hparams", "learning_rate=1"}}),
        Make("datagen", {{"shards", "3"}}),
        Make("decode", {{"shards", "3"},
                        {"problem", "p"},
                        {"model", "m"},
                        {"hparams_set", "s"}})}) {
    const Json job = Render(component).back();
    const Json& container =
        job.At("spec").At("template").At("spec").At("containers").items()[0];
    const std::string source =
        ReadFile(sources.at(container.At("command").items()[0].AsString()));
    for (const Json& item : container.At("args").items()) {
      const std::string text = item.AsString();
      const std::string name = text.substr(2, text.find('=') - 2);
      EXPECT_NE(source.find("\"" + name + "\""), std::string::npos)
          << component.name << " " << text;
      ++checked;
    }
  }
  EXPECT_GT(checked, 25);
}

}  // namespace
}  // namespace t2t
