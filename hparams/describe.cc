#include "hparams/describe.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/range.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/keys.h"

namespace t2t {
namespace {

constexpr char kAbsent[] = "(none)";

// "transformer: attention alone (Vaswani et al. 2017, arXiv:1706.03762)".
std::string FamilyText(const ModelFamily& family) {
  const std::string paper = family.paper;
  return std::string(family.name) + ": " + family.help +
         (paper.empty() ? "" : " (" + paper + ")");
}

// A set's parents, nearest first.
std::vector<std::string> Parents(const std::string& set) {
  std::vector<std::string> parents;
  std::string parent = AllHParams().Row(set).parent;
  while (AllHParams().Has(parent)) {
    parents.push_back(parent);
    parent = AllHParams().Row(parent).parent;
  }
  return parents;
}

std::set<std::string> ChangedBy(const std::string& set) {
  std::set<std::string> names;
  for (const auto& [name, value] : AllHParams().Row(set).values) {
    names.insert(name);
  }
  return names;
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// Names with commas between, in lines of some 80 characters.
std::string Wrapped(const std::vector<std::string>& names,
                    const std::string& indent) {
  std::string text;
  std::string line = indent;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string word = names[i] + (i + 1 < names.size() ? "," : "");
    if (line.size() > indent.size() && line.size() + 1 + word.size() > 80) {
      text += line + "\n";
      line = indent;
    }
    line += (line.size() > indent.size() ? " " : "") + word;
  }
  return text + line + "\n";
}

std::set<std::string> NamesOfBoth(const HParams& from, const HParams& to) {
  std::set<std::string> names;
  for (const HParams* const hparams : {&from, &to}) {
    for (const std::string& name : hparams->Names()) names.insert(name);
  }
  return names;
}

bool IsSame(const HParams& from, const HParams& to, const std::string& name) {
  return from.Has(name) && to.Has(name) && from.Get(name) == to.Get(name);
}

std::string ValueText(const HParams& hparams, const std::string& name) {
  return hparams.Has(name) ? HParams::ValueToString(hparams.Get(name))
                           : kAbsent;
}

// "1 or more", "adam, momentum or sgd".
std::string RuleText(const KeyRule& rule) {
  std::vector<std::string> choices = Split(rule.choices, ' ');
  std::erase(choices, "-");  // the empty text
  switch (rule.kind) {
    case KeyRule::Kind::kNumber:
      return rule.range.Text();
    case KeyRule::Kind::kInts:
      return "whole numbers with commas between, each " + rule.range.Text();
    case KeyRule::Kind::kChoice:
      return ChoicesText(choices);
    case KeyRule::Kind::kProduct:
      return ChoicesText(choices) + ", with '*' between";
    case KeyRule::Kind::kLetters:
      return "none, or of the letters " + ChoicesText(choices);
  }
  return "";
}

}  // namespace

std::string DescribeHParams(const std::string& set, const HParams& hparams) {
  std::string text = set + ": a set of hyperparameters";
  std::set<std::string> changed;
  if (AllHParams().Has(set)) {
    const std::string help = AllHParams().Row(set).help;
    if (!help.empty()) text += ", " + help;
    text += "\n";
    if (const ModelFamily* const family =
            FindModelFamily(AllHParams().Family(set))) {
      text += "  family  " + FamilyText(*family) + "\n";
    }
    const std::vector<std::string> parents = Parents(set);
    if (!parents.empty()) text += "  from    " + Join(parents, " < ") + "\n";
    const std::string why_not = WhyNotHere(set);
    if (!why_not.empty()) text += "  note    " + why_not + "\n";
    changed = ChangedBy(set);
  } else {
    text += "\n";
  }
  size_t width = 0;
  std::vector<std::string> values;
  for (const std::string& name : hparams.Names()) {
    values.push_back((changed.count(name) > 0 ? "* " : "  ") + name + "=" +
                     HParams::ValueToString(hparams.Get(name)));
    width = std::max(width, std::min<size_t>(values.back().size(), 48));
  }
  size_t i = 0;
  for (const std::string& name : hparams.Names()) {
    const HParamKey* const key = FindHParamKey(name);
    text += key == nullptr ? values[i]
                           : Padded(values[i], width) + "  " + key->help;
    text += "\n";
    ++i;
  }
  return text;
}

std::string DescribeDifference(const HParams& from, const HParams& to) {
  std::string text;
  for (const std::string& name : NamesOfBoth(from, to)) {
    if (IsSame(from, to, name)) continue;
    text += name + ": " + ValueText(from, name) + " -> " + ValueText(to, name) +
            "\n";
  }
  return text;
}

Json DifferenceJson(const HParams& from, const HParams& to) {
  const Json from_json = from.ToJsonValue();
  const Json to_json = to.ToJsonValue();
  Json difference = Json::Object();
  for (const std::string& name : NamesOfBoth(from, to)) {
    if (IsSame(from, to, name)) continue;
    Json pair = Json::Array();
    for (const Json* const side : {&from_json, &to_json}) {
      const Json* const value = side->Find(name);
      pair.Append(value != nullptr ? *value : Json());
    }
    difference.Set(name, std::move(pair));
  }
  return difference;
}

std::string DescribeHParam(const std::string& name) {
  const HParamKey* const key = FindHParamKey(name);
  if (key == nullptr) {
    std::vector<std::string> names;
    for (const HParamKey* const other : HParamKeys()) {
      names.push_back(other->name);
    }
    throw UsageError("there is no hparam '" + name + "'",
                     DidYouMean(name, names));
  }
  std::string text = name + ": a hyperparameter, " + TypeText(key->type);
  if (key->initial) {
    text += ", " + HParams::ValueToString(key->initial->ToValue()) +
            " where a set does not say otherwise";
  }
  text += "\n  " + std::string(key->help) + "\n";
  if (key->rule) text += "  may be: " + RuleText(*key->rule) + "\n";
  std::map<std::string, std::vector<std::string>> sets_by_value;
  for (const std::string& set : SetsHere()) {
    if (!AllHParams().Has(set) || ChangedBy(set).count(name) == 0) continue;
    sets_by_value[ValueText(AllHParams().Resolve(set), name)].push_back(set);
  }
  for (const auto& [value, sets] : sets_by_value) {
    text += "  " + name + "=" + value + " in\n" + Wrapped(sets, "    ");
  }
  return text;
}

std::string DescribeModel(const std::string& name) {
  const CatalogueModel* const model = FindCatalogueModel(name);
  if (model == nullptr) {
    throw UsageError("there is no model '" + name + "'",
                     DidYouMean(name, ModelsHere()));
  }
  std::string text = name + ": a model, " + model->help + "\n";
  if (const ModelFamily* const family = FindModelFamily(model->family)) {
    text += "  family  " + FamilyText(*family) + "\n";
  }
  if (!model->here) text += "  note    it is not here yet\n";
  if (*model->default_set != '\0') {
    text += "  default set  " + std::string(model->default_set) + "\n";
  }
  const std::vector<std::string> sets = AllHParams().Sets(model->family);
  if (!sets.empty()) text += "  sets of its family:\n" + Wrapped(sets, "    ");
  return text;
}

}  // namespace t2t
