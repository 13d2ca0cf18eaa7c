#include "t2t/bin/common/registry_view.h"

#include <fnmatch.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/metric_registry.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/problem/describe.h"
#include "t2t/problem/modality_traits.h"
#include "t2t/problem/registries.h"

namespace t2t {
namespace {

constexpr char kModels[] = "models";
constexpr char kSets[] = "hparams sets";
constexpr char kRanges[] = "hparams ranges";
constexpr char kProblems[] = "problems";
constexpr char kModalities[] = "modalities";
constexpr char kPlugin[] = "a plug-in's";

// Names in line with each other, where they are not too long for that.
constexpr size_t kWidth = 40;

using Entries = std::vector<RegistryEntry>;

Entries ModelEntries() {
  Entries entries;
  for (const ModelFamily& family : ModelFamilies()) {
    for (const CatalogueModel& model : CatalogueModels()) {
      if (model.family != std::string(family.name)) continue;
      std::string help = model.help;
      if (*model.default_set != '\0') {
        help += "; set " + std::string(model.default_set);
      }
      entries.push_back(
          {kModels, family.name, model.name, std::move(help), model.here});
    }
  }
  for (const std::string& name : Models().Names()) {
    if (FindCatalogueModel(name) != nullptr) continue;
    entries.push_back({kModels, kPlugin, name, Models().Help(name)});
  }
  return entries;
}

Entries SetEntries() {
  Entries entries;
  for (const ModelFamily& family : ModelFamilies()) {
    const bool here = FamilyIsHere(family.name);
    for (const std::string& set : AllHParams().Sets(family.name)) {
      entries.push_back(
          {kSets, family.name, set, AllHParams().Row(set).help, here});
    }
  }
  for (const std::string& set : HParamsSets().Names()) {
    if (AllHParams().Has(set)) continue;
    entries.push_back({kSets, kPlugin, set, HParamsSets().Help(set)});
  }
  return entries;
}

Entries RangeEntries() {
  Entries entries;
  for (const std::string& range : HParamsRanges().Names()) {
    entries.push_back({kRanges, "", range, HParamsRanges().Help(range)});
  }
  return entries;
}

// "problems/translate.cc:31" -> "translate".
std::string FileOf(const std::string& place) {
  const size_t folder = place.rfind('/');
  const size_t start = folder == std::string::npos ? 0 : folder + 1;
  return place.substr(start, place.find('.', start) - start);
}

Entries ProblemEntries() {
  Entries entries;
  for (const std::string& name : Problems().Names()) {
    entries.push_back({kProblems, FileOf(Problems().Place(name)), name,
                       DescribeProblem(*MakeProblem(name))});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const RegistryEntry& a, const RegistryEntry& b) {
                     return a.group < b.group;
                   });
  return entries;
}

Entries NamesAlone(const char* registry,
                   const std::vector<std::string>& names) {
  Entries entries;
  for (const std::string& name : names) {
    entries.push_back({registry, "", name, ""});
  }
  return entries;
}

Entries ModalityEntries() {
  Entries entries = NamesAlone(kModalities, ModalitiesWithTraits());
  for (RegistryEntry& entry : entries) {
    entry.here = !TraitsOfModality(entry.name).is_absent;
  }
  return entries;
}

struct View {
  const char* registry;
  Entries (*entries)();
};

// In the order of the help.
constexpr View kViews[] = {
    {kModels, ModelEntries},
    {kSets, SetEntries},
    {kRanges, RangeEntries},
    {kProblems, ProblemEntries},
    {kModalities, ModalityEntries},
    {"metrics", [] { return NamesAlone("metrics", MetricNames()); }},
    {"optimizers", [] { return NamesAlone("optimizers", OptimizerNames()); }},
};

// A part of a filter.
struct Part {
  std::string registry;  // "": any
  std::string pattern;
};

// "hparams" and "sets" are the sets, "ranges" the ranges.
std::optional<std::string> RegistryOf(const std::string& word) {
  for (const View& view : kViews) {
    const std::string name = view.registry;
    if (word == name || word == name.substr(0, name.find(' ')) ||
        word == name.substr(name.find(' ') + 1)) {
      return name;
    }
  }
  return std::nullopt;
}

[[noreturn]] void RefuseRegistry(const std::string& word) {
  std::vector<std::string> names;
  for (const View& view : kViews) names.push_back(view.registry);
  throw UsageError("there is no registry '" + word + "'",
                   DidYouMean(word, names),
                   "as --registry_help=problems:translate*");
}

std::vector<Part> PartsOf(const std::string& filter) {
  std::vector<Part> parts;
  for (const std::string& text : Split(filter, ',')) {
    const std::string part(Trim(text));
    if (part.empty()) continue;
    const size_t colon = part.find(':');
    if (const auto whole = RegistryOf(part)) {
      parts.push_back({*whole, "*"});
    } else if (colon == std::string::npos) {
      parts.push_back({"", part});
    } else {
      const auto registry = RegistryOf(part.substr(0, colon));
      if (!registry) RefuseRegistry(part.substr(0, colon));
      parts.push_back({*registry, part.substr(colon + 1)});
    }
  }
  return parts;
}

bool Matches(const Part& part, const RegistryEntry& entry) {
  return (part.registry.empty() || part.registry == entry.registry) &&
         ::fnmatch(part.pattern.c_str(), entry.name.c_str(), 0) == 0;
}

// A part that matches nothing is a name misspelt.
void CheckMatch(const Part& part, const Entries& all) {
  std::vector<std::string> names;
  for (const RegistryEntry& entry : all) {
    if (Matches(part, entry)) return;
    if (part.registry.empty() || part.registry == entry.registry) {
      names.push_back(entry.name);
    }
  }
  throw UsageError(
      "no name " +
          (part.registry.empty() ? "" : "of the " + part.registry + " ") +
          "is like '" + part.pattern + "'",
      DidYouMean(part.pattern, names),
      "'*' stands for any letters: --registry_help=problems:translate*");
}

std::string Line(const RegistryEntry& entry, const std::string& indent) {
  std::string line = indent + entry.name;
  if (!entry.help.empty()) {
    if (line.size() < kWidth) line.append(kWidth - line.size(), ' ');
    line += "  " + entry.help;
  }
  return line + "\n";
}

// "transformer: attention alone (Vaswani et al. 2017, ...)".
std::string Heading(const RegistryEntry& entry) {
  const ModelFamily* const family =
      entry.registry == kProblems ? nullptr : FindModelFamily(entry.group);
  if (family == nullptr) return entry.group + ":";
  const std::string paper = family->paper;
  return std::string(family->name) + ": " + family->help +
         (paper.empty() ? "" : " (" + paper + ")");
}

// Names with their help, each group under its heading.
std::string SectionText(const Entries& section) {
  std::string text;
  std::string group;
  for (const RegistryEntry& entry : section) {
    if (entry.group != group) {
      group = entry.group;
      text += "  " + Heading(entry) + "\n";
    }
    text += Line(entry, group.empty() ? "  " : "    ");
  }
  return text;
}

void AddModelFacts(const std::string& name, Json* facts) {
  const CatalogueModel* const model = FindCatalogueModel(name);
  if (model == nullptr) return;
  facts->Set("help", model->help);
  facts->Set("default_set", model->default_set);
  const ModelFamily* const family = FindModelFamily(model->family);
  if (family == nullptr) return;
  facts->Set("family_help", family->help);
  facts->Set("paper", family->paper);
}

}  // namespace

std::vector<RegistryEntry> RegistryEntries(const std::string& filter) {
  Entries all;
  for (const View& view : kViews) {
    Entries of_view = view.entries();
    std::move(of_view.begin(), of_view.end(), std::back_inserter(all));
  }
  const std::vector<Part> parts = PartsOf(filter);
  if (parts.empty()) return all;
  for (const Part& part : parts) CheckMatch(part, all);
  std::erase_if(all, [&](const RegistryEntry& entry) {
    return std::none_of(parts.begin(), parts.end(),
                        [&](const Part& part) { return Matches(part, entry); });
  });
  return all;
}

std::string RegistryText(const std::vector<RegistryEntry>& entries) {
  // By registry, in their order; those that are not here behind the others.
  std::string text;
  for (const View& view : kViews) {
    for (const bool here : {true, false}) {
      Entries section;
      for (const RegistryEntry& entry : entries) {
        if (entry.registry == view.registry && entry.here == here) {
          section.push_back(entry);
        }
      }
      if (section.empty()) continue;
      text += std::string(view.registry) + (here ? "" : " not here yet") +
              " (" + std::to_string(section.size()) + "):\n" +
              SectionText(section);
    }
  }
  return text;
}

Json RegistryJson(const std::vector<RegistryEntry>& entries) {
  Json all = Json::Array();
  for (const RegistryEntry& entry : entries) {
    Json facts = Json::Object();
    facts.Set("registry", entry.registry);
    if (!entry.group.empty()) facts.Set("group", entry.group);
    facts.Set("name", entry.name);
    if (!entry.help.empty()) facts.Set("help", entry.help);
    facts.Set("here", entry.here);
    if (entry.registry == kModels) AddModelFacts(entry.name, &facts);
    if (entry.registry == kSets && AllHParams().Has(entry.name)) {
      facts.Set("parent", AllHParams().Row(entry.name).parent);
    }
    if (entry.registry == kProblems) {
      const Json of_problem = ProblemFacts(*MakeProblem(entry.name));
      for (const auto& [key, value] : of_problem.members()) {
        facts.Set(key, value);
      }
    }
    all.Append(std::move(facts));
  }
  return all;
}

std::string RegistryHelp(const std::string& flag, bool json) {
  const Entries entries = RegistryEntries(flag == "true" ? "" : flag);
  return json ? RegistryJson(entries).ToString(1) + "\n"
              : RegistryText(entries);
}

}  // namespace t2t
