#include "launch/run/cli.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "launch/app/estimate.h"
#include "launch/app/validate.h"
#include "launch/render/prototypes.h"
#include "launch/render/yaml.h"
#include "launch/run/ask_trainer.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"
#include "t2t/base/terminal.h"

namespace t2t {
namespace {

std::string FlagHelp(const std::string& verb, const std::string& flag) {
  static const auto* const helps = new std::map<std::string, std::string>{
      {"app=", "the app's folder; default: here or above"},
      {"env=", "an environment of the app"},
      {"output=", "yaml (the default), json, or dir: a file each"},
      {"to=", "the folder for --output=dir; default: manifests in the app"},
      {"namespace=", "the namespace"},
      {"context=", "kubectl's context; empty: its current one"},
      {"operators=", "what the cluster has: jobset,pytorchjob,..."},
      {"against=", "another environment; without, the cluster"},
      {"all", "every component"},
      {"yes", "do it, do not only list it"},
      {"delete yes",
       "claims, namespaces and CRDs too, and all that is in them"},
      {"dry_run", "let the cluster check it, change nothing"},
      {"upgrade dry_run", "only show what it changes"},
      {"init app=", "the app's folder; default: one of its name, here"},
      {"follow", "go on as lines come"},
      {"tail=", "so many lines of each Pod; default: 100"},
      {"timeout=", "seconds to wait at most; 0, the default: no limit"},
      {"port=", "the port here; default: the Service's, 8501 for 80"},
      {"local",
       "run the manifests' Pods as processes of this machine; --backend=local "
       "is the same"},
      {"local_dir=", "where claims are kept then; default: .local in the app"},
      {"bin_dir=", "where the programs are; default: next to this one"},
      {"chaos=", "kill so many Pods on the way; with --local"},
      {"chaos_seconds=",
       "how long a Pod lives before that, at least; default: 1"},
      {"chaos_seed=", "which ones and when; default: 1"},
      {"json", "for programs"},
      {"name=", "the component's name; default: TRAINING-sweep"},
      {"no_run", "write the component, do not run it"},
  };
  const auto own = helps->find(verb + " " + flag);
  return own == helps->end() ? helps->at(flag) : own->second;
}

std::string VerbHelp(const Verb& verb) {
  std::string text =
      "t2t-launch " + verb.name + (verb.usage.empty() ? "" : " " + verb.usage) +
      "\n\n" + verb.help + "\n\nexample:\n  " + verb.example + "\n\nflags:\n";
  for (const std::string& flag : FlagsOf(verb)) {
    text += "  --" + flag + "\n      " + FlagHelp(verb.name, flag) + "\n";
  }
  if (verb.params) {
    text +=
        "  --PARAMETER=VALUE\n      of the component; t2t-launch prototype "
        "describe lists them\n";
  }
  return text;
}

std::string GeneralHelp() {
  std::string text =
      "t2t-launch keeps an app of components (data, trainings, servers) and\n"
      "writes, checks, sends and watches their Kubernetes manifests.\n\n";
  for (const Verb& verb : Verbs()) {
    text += Format("  %-13s %s\n", verb.name.c_str(),
                   verb.help.substr(0, verb.help.find('\n')).c_str());
  }
  text +=
      "\nt2t-launch VERB --help shows its flags and an example that works.\n"
      "exit codes: those of every t2t program; wait and run: 20 failed, 21 no\n"
      "end in time; diff: 1 where there are differences; doctor: 20 where\n"
      "something is not allowed; 138 where kubectl could not do it.\n";
  return text;
}

void PrintHelp(const std::string& text) {
  std::fputs(WrapHelp(text, TerminalWidth(STDOUT_FILENO)).c_str(), stdout);
}

const Verb& FindVerb(const std::string& name) {
  std::vector<std::string> names;
  for (const Verb& verb : Verbs()) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
  }
  throw UsageError("there is no verb '" + name + "'", DidYouMean(name, names),
                   "t2t-launch help lists them");
}

// Of settings each flag counts, as for the programs; else the last one.
void AddParam(const std::string& name, const std::string& value,
              LaunchArgs* args) {
  if (name == "hparams" || name == "decode_hparams") {
    for (auto& [known, settings] : args->params) {
      if (known != name) continue;
      settings = JoinSettings(settings, value);
      return;
    }
  }
  args->params.emplace_back(name, value);
}

LaunchArgs ParseArgs(const Verb& verb,
                     const std::vector<std::string>& arguments) {
  const std::vector<std::string> known = FlagsOf(verb);
  const auto has = [&](const std::string& flag) {
    return std::find(known.begin(), known.end(), flag) != known.end();
  };
  LaunchArgs args;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      args.words.insert(args.words.end(),
                        arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        arguments.end());
      break;
    }
    if (!StartsWith(argument, "--") || argument.size() == 2) {
      args.words.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(
        2, equals == std::string::npos ? std::string::npos : equals - 2);
    if (has(name) && equals == std::string::npos) {
      args.flags[name] = "true";
      continue;
    }
    const bool valued = has(name + "=");
    if (!valued && !verb.params) {
      std::vector<std::string> names;
      for (const std::string& flag : known) {
        names.push_back(flag.substr(0, flag.find('=')));
      }
      throw UsageError("there is no flag --" + name, DidYouMean(name, names),
                       "t2t-launch " + verb.name + " --help lists the flags");
    }
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() &&
               !StartsWith(arguments[i + 1], "--")) {
      value = arguments[++i];
    } else if (valued) {
      throw UsageError("--" + name + " needs a value");
    } else {
      value = "true";
    }
    if (valued) {
      args.flags[name] = value;
    } else {
      AddParam(name, value, &args);
    }
  }
  return args;
}

}  // namespace

std::vector<std::string> FlagsOf(const Verb& verb) {
  std::vector<std::string> flags = verb.flags;
  flags.push_back("app=");
  return flags;
}

std::string LaunchArgs::Get(const std::string& flag,
                            const std::string& otherwise) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? otherwise : found->second;
}

int64_t LaunchArgs::GetInt(const std::string& flag, int64_t otherwise) const {
  if (!Has(flag)) return otherwise;
  int64_t value = 0;
  if (!ParseInt(Get(flag), &value) || value < 0) {
    throw UsageError("--" + flag + "=" + Get(flag) + " can't be read",
                     "a whole number");
  }
  return value;
}

double LaunchArgs::GetDouble(const std::string& flag, double otherwise) const {
  if (!Has(flag)) return otherwise;
  double value = 0;
  if (!ParseDouble(Get(flag), &value) || !(value >= 0)) {
    throw UsageError("--" + flag + "=" + Get(flag) + " can't be read",
                     "a number");
  }
  return value;
}

const std::string& LaunchArgs::Word(size_t at, const std::string& name) const {
  if (at >= words.size()) {
    throw UsageError("the " + name + " is missing", "",
                     "--help shows an example");
  }
  return words[at];
}

void LaunchArgs::NoMoreThan(size_t most) const {
  if (words.size() > most) {
    throw UsageError("'" + words[most] + "' is one word too many", "",
                     "--help shows an example");
  }
}

App LoadApp(const LaunchArgs& args) { return App::Load(args.Get("app", ".")); }

App LoadAppToRender(const LaunchArgs& args) {
  App app = LoadApp(args);
  app.costs()->AskBy(AskTrainer(args.Get("bin_dir")));
  return app;
}

std::vector<Component> SelectComponents(const App& app, const LaunchArgs& args,
                                        size_t from) {
  std::vector<std::string> names(
      args.words.begin() +
          static_cast<std::ptrdiff_t>(std::min(from, args.words.size())),
      args.words.end());
  if (names.empty()) {
    names = app.ComponentNames();
    if (names.empty()) {
      throw UsageError("the app has no components", "",
                       "t2t-launch generate train makes one");
    }
  }
  if (names.size() > 1 && !args.params.empty()) {
    throw UsageError("--" + args.params[0].first + " of which component?",
                     "one component where parameters are given");
  }
  std::vector<Component> components;
  for (const std::string& name : names) {
    components.push_back(app.Resolve(name, args.Get("env"), args.params));
  }
  // Claims first, the rest by name.
  std::stable_partition(
      components.begin(), components.end(),
      [](const Component& c) { return c.prototype == "storage"; });
  return components;
}

std::vector<Json> RenderAll(const std::vector<Component>& components) {
  std::vector<Json> objects;
  std::vector<std::string> texts;
  for (const Component& component : components) {
    try {
      for (Json& object : Render(component)) {
        const std::string text = object.ToString();
        if (std::find(texts.begin(), texts.end(), text) != texts.end()) {
          continue;
        }
        texts.push_back(text);
        objects.push_back(std::move(object));
      }
    } catch (const Error& error) {
      throw Error(error.code(), component.name + ": " + error.what());
    }
  }
  return objects;
}

void ValidateOrThrow(const App& app, const std::vector<Component>& components,
                     const std::vector<Json>& objects) {
  std::vector<std::string> found;
  for (const Component& component : components) {
    for (std::string& text : CheckComponent(component)) {
      found.push_back(std::move(text));
    }
    if (component.prototype != "train") continue;
    for (const std::string& text :
         EstimateErrors(EstimateTraining(component, {}, app.costs()))) {
      found.push_back(component.name + ": " + text);
    }
  }
  for (std::string& text : CheckObjects(objects)) {
    found.push_back(std::move(text));
  }
  if (!found.empty()) {
    throw UsageError(std::to_string(found.size()) +
                     (found.size() == 1 ? " thing is" : " things are") +
                     " wrong:\n" + Join(found, "\n"));
  }
}

namespace {

struct DiffLine {
  char sign;  // ' ', '-', '+'
  const std::string* text;
};

// The lines of both, by their longest common subsequence.
std::vector<DiffLine> DiffLines(const std::vector<std::string>& a,
                                const std::vector<std::string>& b) {
  size_t start = 0;
  while (start < a.size() && start < b.size() && a[start] == b[start]) ++start;
  size_t end = 0;
  while (end < a.size() - start && end < b.size() - start &&
         a[a.size() - 1 - end] == b[b.size() - 1 - end]) {
    ++end;
  }
  const size_t n = a.size() - start - end;
  const size_t m = b.size() - start - end;
  // The longest common part of what is left: common[i][j] from a[i], b[j] on.
  std::vector<std::vector<uint32_t>> common(n + 1,
                                            std::vector<uint32_t>(m + 1, 0));
  for (size_t i = n; i-- > 0;) {
    for (size_t j = m; j-- > 0;) {
      common[i][j] = a[start + i] == b[start + j]
                         ? common[i + 1][j + 1] + 1
                         : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<DiffLine> lines;
  for (size_t i = 0; i < start; ++i) lines.push_back({' ', &a[i]});
  for (size_t i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && a[start + i] == b[start + j]) {
      lines.push_back({' ', &a[start + i]});
      ++i;
      ++j;
    } else if (j == m || (i < n && common[i + 1][j] >= common[i][j + 1])) {
      lines.push_back({'-', &a[start + i++]});
    } else {
      lines.push_back({'+', &b[start + j++]});
    }
  }
  for (size_t i = a.size() - end; i < a.size(); ++i) {
    lines.push_back({' ', &a[i]});
  }
  return lines;
}

}  // namespace

std::string DiffText(const std::string& from, const std::string& to,
                     const std::string& from_name, const std::string& to_name) {
  if (from == to) return "";
  const std::vector<std::string> a = Split(from, '\n');
  const std::vector<std::string> b = Split(to, '\n');
  const std::vector<DiffLine> lines = DiffLines(a, b);
  // Three lines around each change.
  std::string out = "--- " + from_name + "\n+++ " + to_name + "\n";
  std::vector<bool> shown(lines.size(), false);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].sign == ' ') continue;
    for (size_t k = i < 3 ? 0 : i - 3; k < std::min(lines.size(), i + 4); ++k) {
      shown[k] = true;
    }
  }
  bool gap = true;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!shown[i]) {
      gap = true;
      continue;
    }
    if (gap) out += "@@\n";
    gap = false;
    out += lines[i].sign + *lines[i].text + "\n";
  }
  return out;
}

const std::vector<Verb>& Verbs() {
  static const auto* const verbs = [] {
    auto* list = new std::vector<Verb>(AppVerbs());
    for (Verb& verb : ClusterVerbs()) list->push_back(std::move(verb));
    for (Verb& verb : WorkVerbs()) list->push_back(std::move(verb));
    return list;
  }();
  return *verbs;
}

int RunLaunch(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "help" || arguments[0] == "--help" ||
      arguments[0] == "-h") {
    PrintHelp(arguments.size() > 1 ? VerbHelp(FindVerb(arguments[1]))
                                   : GeneralHelp());
    return 0;
  }
  const Verb& verb = FindVerb(arguments[0]);
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  for (const std::string& argument : rest) {
    if (argument == "--") break;
    if (argument == "--help" || argument == "-h") {
      PrintHelp(VerbHelp(verb));
      return 0;
    }
  }
  return verb.run(ParseArgs(verb, rest));
}

}  // namespace t2t
