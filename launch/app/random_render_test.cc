// What random and hostile values render as.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "launch/app/facts.h"
#include "launch/app/testing_components.h"
#include "launch/app/validate.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Settings = ComponentSettings;

Component Make(const std::string& prototype, const Settings& settings = {}) {
  return MakeTestingComponent(prototype, settings);
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
  AddFacts(&component, TestingCosts());
  return component;
}

// T2T_RANDOM_SETS=1000 makes a thousand of each prototype; with
// T2T_WRITE_RANDOM=<file> they are written, to validate them by schemas
// (tools/k8s/validate.py).
TEST(RandomRenderTest, RandomParametersRenderAlikeAndComeBack) {
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

TEST(RandomRenderTest, NoTextBreaksOutOfItsField) {
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

}  // namespace
}  // namespace t2t
