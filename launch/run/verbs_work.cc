#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>

#include "launch/app/estimate.h"
#include "launch/app/explain.h"
#include "launch/render/prototypes.h"
#include "launch/render/sweep.h"
#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "launch/run/estimates_text.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

template <typename List>
bool Has(const List& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// ----- import

std::string ReadManifests(const std::string& path) {
  if (path == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (!IsDirectory(path)) return ReadFile(path);
  std::string text;
  for (const std::string& file : ListDirectory(path)) {
    if (file[0] == '.' || !(EndsWith(file, ".yaml") || EndsWith(file, ".yml") ||
                            EndsWith(file, ".json"))) {
      continue;
    }
    std::string part = ReadFile(JoinPath(path, file));
    if (!part.empty() && part.back() != '\n') part += '\n';
    if (!text.empty() && !StartsWith(part, "---")) text += "---\n";
    text += part;
  }
  if (text.empty()) {
    throw MissingError("there are no manifests in " + path,
                       "files of .yaml, .yml or .json");
  }
  return text;
}

int Import(const LaunchArgs& args) {
  const std::string name = args.Word(0, "component's name");
  const std::string path = args.Word(1, "file, folder or -");
  args.NoMoreThan(2);
  App app = LoadApp(args);
  try {
    app.Import(name, ReadManifests(path));
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) throw;
    throw Error(error.code(), path + ": " + error.what());
  }
  const std::vector<Json> objects = RenderAll({app.Resolve(name, "")});
  for (const Json& object : objects) {
    Print(object.At("kind").AsString() + "/" +
          object.At("metadata").At("name").AsString() + "\n");
  }
  Print("components/" + name + ".yaml and imported/" + name +
        ".yaml are written\n");
  return 0;
}

// ----- upgrade

int Upgrade(const LaunchArgs& args) {
  args.NoMoreThan(0);
  const App app = LoadAppToRender(args);
  const App upgraded = app.Upgraded();
  if (upgraded.version() == app.version()) {
    Print("the app has version " + std::to_string(app.version()) +
          " already, the newest\n");
    return 0;
  }
  std::vector<std::string> environments = app.EnvironmentNames();
  environments.insert(environments.begin(), "");
  for (const std::string& environment : environments) {
    std::string before;
    std::string after;
    for (const std::string& name : app.ComponentNames()) {
      const auto text = [&](const App& which) {
        return ToYamlStream(RenderAll({which.Resolve(name, environment)}));
      };
      before += text(app);
      after += text(upgraded);
    }
    const std::string place =
        environment.empty() ? "no environment" : environment;
    Print(DiffText(before, after,
                   place + ", version " + std::to_string(app.version()),
                   place + ", version " + std::to_string(upgraded.version())));
  }
  if (args.Has("dry_run")) {
    Print("nothing is written\n");
    return 0;
  }
  upgraded.Save();
  Print("app.yaml is of version " + std::to_string(upgraded.version()) +
        " now\n");
  return 0;
}

// ----- explain

std::string ExplainComponent(const App& app, const Component& component) {
  std::string text = component.name + ": a component, " + component.prototype +
                     " (" + FindPrototype(component.prototype).help + ")\n";
  for (const ParamSpec& spec : component.params.specs()) {
    const Params::Value& value = component.params.At(spec.name);
    if (value.hidden.empty()) continue;
    text += "  " + spec.name + ": " + YamlScalar(ParamText(value.value)) +
            " (" + value.source +
            (value.fact.empty() ? "" : ": " + value.fact) + ")\n";
  }
  return text + EstimatesText(app, {component});
}

int ExplainVerb(const LaunchArgs& args) {
  std::string what = args.Word(0, "name");
  if (args.words.size() > 1) what += "." + args.words[1];
  args.NoMoreThan(2);
  // What is the app's goes first; without an app there is none.
  if (args.Has("app") || args.Has("env") || Exists("app.yaml")) {
    const App app = LoadAppToRender(args);
    const std::string name = what.substr(0, what.find('.'));
    if (Has(app.ComponentNames(), name)) {
      const Component component = app.Resolve(name, args.Get("env"));
      if (name == what) {
        Print(ExplainComponent(app, component));
        return 0;
      }
      const std::string param = what.substr(name.size() + 1);
      Print(DescribeParam(component.params.Spec(param)));
      const Params::Value& value = component.params.At(param);
      Print(LayersText(value));
      return 0;
    }
  }
  Print(Explain(what));
  return 0;
}

// ----- sweep and pipeline

// Adds the component, or gives it the command line's parameters; only where
// it can be rendered then.
Component PutComponent(App* app, const std::string& name,
                       const std::string& prototype, const LaunchArgs& args) {
  const bool there = Has(app->ComponentNames(), name);
  if (there && app->Resolve(name, "").prototype != prototype) {
    throw UsageError(
        "the component " + name + " is a " + app->Resolve(name, "").prototype,
        "a " + prototype, "another --name");
  }
  const App before = *app;
  const auto take_back = [&] {
    if (there) {
      before.SaveAgain(name);
    } else {
      app->RemoveComponent(name);
    }
  };
  if (!there) {
    app->AddComponent(name, prototype, args.params);
  } else {
    for (const auto& [param, text] : args.params) {
      try {
        app->SetParam(name, param, text, "");
      } catch (...) {
        take_back();
        throw;
      }
    }
  }
  try {
    const Component component = app->Resolve(name, args.Get("env"));
    ValidateOrThrow(*app, {component}, RenderAll({component}));
    if (!there || !args.params.empty()) {
      Print("components/" + name + ".yaml is written\n");
    }
    return component;
  } catch (...) {
    take_back();
    throw;
  }
}

void PrintTrials(const Component& sweep, const std::vector<Json>& objects,
                 const LocalResult& result) {
  struct Trial {
    double value;
    std::string name, changes;
  };
  const std::string metric = sweep.params.String("metric");
  const bool least = sweep.params.String("direction") == "minimize";
  std::vector<Trial> trials;
  for (const Json& object : objects) {
    const Json& metadata = object.At("metadata");
    const Json* const annotations = metadata.Find("annotations");
    const Json* const changes =
        annotations == nullptr ? nullptr : annotations->Find("t2t.dev/hparams");
    if (changes == nullptr) continue;
    Trial trial{0, metadata.At("name").AsString(), changes->AsString()};
    const auto of_trial = result.metrics.find(trial.name);
    if (of_trial != result.metrics.end() &&
        of_trial->second.count(metric) > 0) {
      trial.value = of_trial->second.at(metric);
      trials.push_back(trial);
    } else {
      Print(trial.name + ": no " + metric + " (" + trial.changes + ")\n");
    }
  }
  std::stable_sort(trials.begin(), trials.end(),
                   [&](const Trial& a, const Trial& b) {
                     return least ? a.value < b.value : a.value > b.value;
                   });
  for (size_t i = 0; i < trials.size(); ++i) {
    Print(Format("%-6s %s %.4f  %s  %s\n", i == 0 ? "best:" : "",
                 metric.c_str(), trials[i].value, trials[i].name.c_str(),
                 trials[i].changes.c_str()));
  }
}

int Sweep(const LaunchArgs& given) {
  const LaunchArgs args = WithLocal(given);
  const std::string trained = args.Word(0, "train component's name");
  args.NoMoreThan(1);
  App app = LoadAppToRender(args);
  app.Resolve(trained, args.Get("env"));
  LaunchArgs own = args;
  own.params.insert(own.params.begin(), {"component", trained});
  const std::string name = args.Get("name", trained + "-sweep");
  const Component component = PutComponent(&app, name, "sweep", own);
  if (args.Has("no_run")) {
    Print(EstimatesText(app, {component}));
    return 0;
  }
  LocalResult result;
  own.params.clear();
  const int code =
      RunComponents(app, own, {component}, /*keep_going=*/true, &result);
  if (args.Has("local")) {
    PrintTrials(component, RenderAll({component}), result);
  } else {
    Print("t2t-launch logs " + name + " has the trials' results\n");
  }
  return code;
}

// The steps of a rendered workflow, and what each waits for.
void PrintSteps(const std::vector<Json>& objects) {
  for (const Json& object : objects) {
    const std::string& kind = object.At("kind").AsString();
    if (kind != "Workflow" && kind != "CronWorkflow") continue;
    const Json* spec = &object.At("spec");
    if (const Json* const schedules = spec->Find("schedules")) {
      Print("at " + schedules->items()[0].AsString() + "\n");
      spec = &spec->At("workflowSpec");
    }
    for (const Json& step : spec->At("templates").items()) {
      const Json* const dag = step.Find("dag");
      if (dag == nullptr) continue;
      for (const Json& task : dag->At("tasks").items()) {
        std::string after;
        if (const Json* const needed = task.Find("dependencies")) {
          for (const Json& item : needed->items()) {
            after += (after.empty() ? "" : ", ") + item.AsString();
          }
        }
        Print("  " + task.At("name").AsString() +
              (after.empty() ? "" : "  after " + after) + "\n");
      }
    }
  }
}

int PipelineVerb(const LaunchArgs& given) {
  const LaunchArgs args = WithLocal(given);
  const std::string action = args.Word(0, "action");
  const std::vector<std::string> actions = {"run", "show"};
  if (!Has(actions, action)) {
    const std::string near = DidYouMean(action, actions);
    throw UsageError("there is no 'pipeline " + action + "'",
                     near.empty() ? "run or show" : near);
  }
  const std::string name = args.words.size() > 1 ? args.words[1] : "pipeline";
  args.NoMoreThan(2);
  App app = LoadAppToRender(args);
  const Component component = PutComponent(&app, name, "pipeline", args);
  if (action == "show") {
    PrintSteps(RenderAll({component}));
    Print(EstimatesText(app, {component}));
    return 0;
  }
  LaunchArgs own = args;
  own.params.clear();
  LocalResult result;
  return RunComponents(app, own, {component}, /*keep_going=*/false, &result);
}

std::vector<std::string> RunFlagsAnd(std::vector<std::string> flags) {
  flags.insert(flags.end(), RunFlags().begin(), RunFlags().end());
  return flags;
}

}  // namespace

std::vector<Verb> WorkVerbs() {
  return {
      {"import",
       "NAME FILE|FOLDER|-",
       "takes existing manifests into the app, as they are\n"
       "The text is kept in imported/NAME.yaml; the parameter set changes "
       "fields of it.",
       "t2t-launch show train --output=dir --to=copies && "
       "t2t-launch import copies copies",
       {},
       false,
       Import},
      {"upgrade",
       "",
       "brings the app to the newest prototypes, and shows what that changes",
       "t2t-launch upgrade",
       {"dry_run"},
       false,
       Upgrade},
      {"explain",
       "NAME",
       "what a name means: a component, a parameter, an exit code, a set, a "
       "field\n"
       "NAME: 138, train, train.workers, transformer_base, transformer, "
       "translate_ende_multi30k, spec.podFailurePolicy.",
       "t2t-launch explain train.workers --env=lab",
       {"env="},
       false,
       ExplainVerb},
      {"sweep", "TRAINING",
       "trains variants of a train component, and says which is the best\n"
       "--PARAMETER are the prototype sweep's: the component TRAINING-sweep "
       "keeps them.",
       "t2t-launch generate train small --hparams_set=transformer_tiny && "
       "t2t-launch sweep small --grid='learning_rate=0.1|0.2' --env=lab "
       "--timeout=5",
       RunFlagsAnd({"name=", "no_run"}), true, Sweep},
      {"pipeline", "run|show [NAME]",
       "data, trainings, scores, and the best to the servers\n"
       "--PARAMETER are the prototype pipeline's: the component NAME "
       "(pipeline) keeps them.",
       "t2t-launch generate datagen && t2t-launch pipeline show --train=small "
       "&& t2t-launch pipeline run --env=lab --timeout=5",
       RunFlagsAnd({}), true, PipelineVerb},
  };
}

}  // namespace t2t
