#include <algorithm>
#include <cstdio>

#include "launch/app/explain.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "launch/run/estimates_text.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

[[noreturn]] void UnknownAction(const std::string& verb,
                                const std::string& action,
                                const std::vector<std::string>& known) {
  const std::string near = DidYouMean(action, known);
  throw UsageError("there is no '" + verb + " " + action + "'",
                   near.empty() ? "one of " + Join(known, ", ") : near);
}

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

int Init(const LaunchArgs& args) {
  const std::string name = args.Word(0, "app's name");
  args.NoMoreThan(1);
  const App app = App::Init(args.Get("app", name), name);
  Print("the app " + name + " is in " + app.folder() + "\n");
  return 0;
}

int Env(const LaunchArgs& args) {
  const std::string action = args.Word(0, "action");
  App app = LoadApp(args);
  if (action == "list") {
    args.NoMoreThan(1);
    for (const std::string& name : app.EnvironmentNames()) {
      const AppEnvironment& environment = app.Environment(name);
      Print(Format("%-16s %-16s %-24s %s\n", name.c_str(),
                   environment.ns.c_str(), environment.context.c_str(),
                   Join(environment.operators, ",").c_str()));
    }
    return 0;
  }
  const std::string name = args.Word(1, "environment's name");
  args.NoMoreThan(2);
  if (action == "add" || action == "set") {
    const std::vector<std::string> names = app.EnvironmentNames();
    const bool there =
        std::find(names.begin(), names.end(), name) != names.end();
    if (there && action == "add") {
      throw UsageError("there is an environment '" + name + "' already", "",
                       "t2t-launch env set changes it");
    }
    AppEnvironment environment;
    if (there || action == "set") environment = app.Environment(name);
    environment.name = name;
    environment.context = args.Get("context", environment.context);
    environment.ns = args.Get("namespace", environment.ns);
    if (args.Has("operators")) {
      environment.operators.clear();
      for (const std::string& item : Split(args.Get("operators"), ',')) {
        if (!item.empty()) environment.operators.push_back(item);
      }
    }
    app.PutEnvironment(environment);
    return 0;
  }
  if (action == "describe") {
    Print(ReadFile(JoinPath(JoinPath(app.folder(), "environments"),
                            app.Environment(name).name + ".yaml")));
    return 0;
  }
  if (action == "remove") {
    app.RemoveEnvironment(name);
    return 0;
  }
  UnknownAction("env", action, {"list", "add", "set", "describe", "remove"});
}

int PrototypeVerb(const LaunchArgs& args) {
  const std::string action = args.Word(0, "action");
  if (action == "list") {
    args.NoMoreThan(1);
    for (const Prototype& prototype : Prototypes()) {
      Print(
          Format("%-12s %s\n", prototype.name.c_str(), prototype.help.c_str()));
    }
    return 0;
  }
  if (action == "describe") {
    Print(DescribePrototype(FindPrototype(args.Word(1, "prototype's name"))));
    args.NoMoreThan(2);
    return 0;
  }
  UnknownAction("prototype", action, {"list", "describe"});
}

// A component was changed: what its facts need to know of costs is in
// costs.json from now on. What is wrong with it is said by who renders it.
void LearnCosts(const App& app, const std::string& component,
                const std::string& environment) {
  try {
    app.Resolve(component, environment);
  } catch (const Error&) {
  }
}

int Generate(const LaunchArgs& args) {
  const std::string prototype = args.Word(0, "prototype's name");
  const std::string name = args.words.size() > 1 ? args.words[1] : prototype;
  args.NoMoreThan(2);
  App app = LoadAppToRender(args);
  app.AddComponent(name, prototype, args.params);
  Print("components/" + name + ".yaml is written\n");
  LearnCosts(app, name, "");
  return 0;
}

int ComponentVerb(const LaunchArgs& args) {
  const std::string action = args.Word(0, "action");
  App app = LoadApp(args);
  if (action == "list") {
    args.NoMoreThan(1);
    for (const std::string& name : app.ComponentNames()) {
      Print(Format("%-16s %s\n", name.c_str(),
                   app.Resolve(name, "").prototype.c_str()));
    }
    return 0;
  }
  if (action == "remove") {
    app.RemoveComponent(args.Word(1, "component's name"));
    args.NoMoreThan(2);
    return 0;
  }
  UnknownAction("component", action, {"list", "remove"});
}

int Param(const LaunchArgs& args) {
  const std::string action = args.Word(0, "action");
  const std::vector<std::string> actions = {"list", "set", "delete", "explain"};
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    UnknownAction("param", action, actions);
  }
  const std::string name = args.Word(1, "component's name");
  App app = LoadAppToRender(args);
  const std::string environment = args.Get("env");
  if (action == "list") {
    args.NoMoreThan(2);
    const Component component = app.Resolve(name, environment);
    for (const ParamSpec& spec : component.params.specs()) {
      const Params::Value& value = component.params.At(spec.name);
      Print(Format("%-26s %-36s %s%s\n", spec.name.c_str(),
                   YamlScalar(ParamText(value.value)).c_str(),
                   value.source.c_str(),
                   value.fact.empty() ? "" : (": " + value.fact).c_str()));
    }
    return 0;
  }
  const std::string param = args.Word(2, "parameter's name");
  if (action == "set") {
    const std::string value = args.Word(3, "value");
    args.NoMoreThan(4);
    app.SetParam(name, param, value, environment);
    LearnCosts(app, name, environment);
    return 0;
  }
  args.NoMoreThan(3);
  if (action == "delete") {
    app.DeleteParam(name, param, environment);
    LearnCosts(app, name, environment);
    return 0;
  }
  const Component component = app.Resolve(name, environment);
  const ParamSpec& spec = component.params.Spec(param);
  const Params::Value& value = component.params.At(param);
  Print(param + ": " + spec.help + " (" + ParamTypeName(spec.type) + ")\n");
  Print(LayersText(value));
  return 0;
}

int Show(const LaunchArgs& args) {
  const App app = LoadAppToRender(args);
  const std::vector<Json> objects = RenderAll(SelectComponents(app, args, 0));
  const std::string output = args.Get("output", "yaml");
  if (output == "yaml") {
    Print(ToYamlStream(objects));
  } else if (output == "json") {
    Json items = Json::Array();
    for (const Json& object : objects) items.Append(object);
    Print(Object({{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}})
              .ToString(2) +
          "\n");
  } else if (output == "dir") {
    const std::string folder =
        args.Get("to", JoinPath(app.folder(), "manifests"));
    MakeDirectories(folder);
    for (const Json& object : objects) {
      const std::string file = object.At("metadata").At("name").AsString() +
                               "." + Lower(object.At("kind").AsString()) +
                               ".yaml";
      WriteFileAtomically(JoinPath(folder, file), ToYaml(object));
      Print(JoinPath(folder, file) + "\n");
    }
  } else {
    throw UsageError("--output=" + output, "yaml, json or dir");
  }
  return 0;
}

int Validate(const LaunchArgs& args) {
  const App app = LoadAppToRender(args);
  const std::vector<Component> components = SelectComponents(app, args, 0);
  const std::vector<Json> objects = RenderAll(components);
  ValidateOrThrow(app, components, objects);
  Print(EstimatesText(app, components));
  Print(Count(static_cast<int64_t>(objects.size()), "object") + " of " +
        Count(static_cast<int64_t>(components.size()), "component") +
        ", nothing wrong\n");
  return 0;
}

// What stands behind a verb first, where that is one of a few words.
std::vector<std::string> Actions(const Verb& verb) {
  if (verb.name == "generate") {
    std::vector<std::string> names;
    for (const Prototype& prototype : Prototypes()) {
      if (prototype.name != kManifestsPrototype) {
        names.push_back(prototype.name);
      }
    }
    return names;
  }
  const std::string first = verb.usage.substr(0, verb.usage.find(' '));
  if (first.find('|') == std::string::npos || Lower(first) != first) return {};
  return Split(first, '|');
}

std::string Flags(const Verb& verb) {
  std::string text;
  for (const std::string& flag : FlagsOf(verb)) {
    text += (text.empty() ? "--" : " --") + flag;
  }
  return text;
}

// The components, of whatever app is here.
constexpr char kComponents[] =
    "t2t-launch component list 2>/dev/null | cut -d' ' -f1";

std::string BashCompletion(const std::string& verbs) {
  std::string text =
      "_t2t_launch() {\n"
      "  local verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} words\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    words=\"" +
      verbs +
      "\"\n"
      "  elif [ \"${word#--}\" != \"$word\" ]; then\n"
      "    case $verb in\n";
  for (const Verb& verb : Verbs()) {
    text += "      " + verb.name + ") words=\"" + Flags(verb) + "\" ;;\n";
  }
  text += "    esac\n  else\n    case \"$COMP_CWORD $verb\" in\n";
  for (const Verb& verb : Verbs()) {
    const std::string actions = Join(Actions(verb), " ");
    if (actions.empty()) continue;
    text += "      \"2 " + verb.name + "\") words=\"" + actions + "\" ;;\n";
  }
  return text + "      *) words=$(" + kComponents +
         ") ;;\n"
         "    esac\n"
         "  fi\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  [ \"${COMPREPLY[0]%=}\" = \"${COMPREPLY[0]}\" ] ||\n"
         "    compopt -o nospace 2>/dev/null\n"
         "}\n"
         "complete -F _t2t_launch t2t-launch\n";
}

std::string ZshCompletion(const std::string& verbs) {
  std::string text =
      "#compdef t2t-launch\n"
      "_t2t_launch() {\n"
      "  if (( CURRENT == 2 )); then\n"
      "    compadd -- " +
      verbs +
      "\n"
      "  elif [[ $words[CURRENT] == --* ]]; then\n"
      "    case $words[2] in\n";
  for (const Verb& verb : Verbs()) {
    text +=
        "      " + verb.name + ") compadd -S '' -- " + Flags(verb) + " ;;\n";
  }
  text += "    esac\n  else\n    case \"$CURRENT $words[2]\" in\n";
  for (const Verb& verb : Verbs()) {
    const std::string actions = Join(Actions(verb), " ");
    if (actions.empty()) continue;
    text += "      \"3 " + verb.name + "\") compadd -- " + actions + " ;;\n";
  }
  return text + "      *) compadd -- $(" + kComponents +
         ") ;;\n"
         "    esac\n"
         "  fi\n"
         "}\n"
         "compdef _t2t_launch t2t-launch\n";
}

std::string FishCompletion(const std::string& verbs) {
  const std::string start = "complete -c t2t-launch ";
  std::string text =
      start + "-f\n" + start + "-n __fish_use_subcommand -a '" + verbs + "'\n";
  std::string with_actions;
  for (const Verb& verb : Verbs()) {
    const std::string seen = "'__fish_seen_subcommand_from " + verb.name;
    const std::string actions = Join(Actions(verb), " ");
    if (!actions.empty()) {
      text += start + "-n " + seen + "; and test (count (commandline -opc)) " +
              "-eq 2' -a '" + actions + "'\n";
      with_actions += " " + verb.name;
    }
    for (std::string flag : FlagsOf(verb)) {
      const bool valued = EndsWith(flag, "=");
      if (valued) flag.pop_back();
      text +=
          start + "-n " + seen + "' -l " + flag + (valued ? " -x" : "") + "\n";
    }
  }
  return text + start + "-n 'not __fish_use_subcommand; and not " +
         "__fish_seen_subcommand_from" + with_actions + "; or test (count " +
         "(commandline -opc)) -gt 2' -a '(" +
         ReplaceAll(kComponents, "'", "\"") + ")'\n";
}

int Completion(const LaunchArgs& args) {
  const std::string shell = args.Word(0, "shell");
  args.NoMoreThan(1);
  std::vector<std::string> names;
  for (const Verb& verb : Verbs()) names.push_back(verb.name);
  const std::string verbs = Join(names, " ");
  if (shell == "bash") {
    Print(BashCompletion(verbs));
  } else if (shell == "zsh") {
    Print(ZshCompletion(verbs));
  } else if (shell == "fish") {
    Print(FishCompletion(verbs));
  } else {
    throw UsageError("there is no completion for " + shell,
                     "bash, zsh or fish");
  }
  return 0;
}

}  // namespace

// A table: as long as it has rows.
std::vector<Verb> AppVerbs() {
  return {
      {"init",
       "NAME",
       "makes an app, in a folder of its name",
       "t2t-launch init ende",
       {},
       false,
       Init},
      {"env",
       "list|add|set|describe|remove [NAME]",
       "the clusters and namespaces that the app is sent to",
       "t2t-launch env add lab --namespace=mt --operators=jobset,pytorchjob",
       {"namespace=", "context=", "operators="},
       false,
       Env},
      {"prototype",
       "list|describe [NAME]",
       "the kinds of components",
       "t2t-launch prototype describe train",
       {},
       false,
       PrototypeVerb},
      {"generate",
       "PROTOTYPE [NAME]",
       "adds a component to the app",
       "t2t-launch generate train --train_steps=2000 --workers=2 "
       "--hparams_set=transformer_tiny",
       {},
       true,
       Generate},
      {"component",
       "list|remove [NAME]",
       "the app's components",
       "t2t-launch component list",
       {},
       false,
       ComponentVerb},
      {"param",
       "list|set|delete|explain COMPONENT [PARAMETER] [VALUE]",
       "a component's parameters; with --env, those of an environment\n"
       "A VALUE that starts with -- stands behind a lone --:\n"
       "t2t-launch param set -- train trainer_args --deterministic",
       "t2t-launch param set train workers 4 --env=lab",
       {"env="},
       false,
       Param},
      {"show",
       "[COMPONENT...]",
       "prints the manifests",
       "t2t-launch show train --env=lab --backend=pytorchjob",
       {"env=", "output=", "to="},
       true,
       Show},
      {"validate",
       "[COMPONENT...]",
       "checks names, hyperparameters and manifests, without a cluster",
       "t2t-launch validate --env=lab",
       {"env="},
       true,
       Validate},
      {"completion",
       "bash|zsh|fish",
       "completion for a shell\n"
       "bash, zsh: source <(t2t-launch completion bash); "
       "fish: t2t-launch completion fish | source",
       "t2t-launch completion bash",
       {},
       false,
       Completion},
  };
}

}  // namespace t2t
