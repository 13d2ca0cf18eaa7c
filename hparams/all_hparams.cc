#include "hparams/all_hparams.h"

#include "hparams/catalogue.h"
#include "hparams/families.h"
#include "t2t/base/error.h"

namespace t2t {
namespace {

HParams MakeSet(const std::string& set) {
  const std::string why_not = WhyNotHere(set);
  if (!why_not.empty()) {
    throw UsageError(
        why_not, "a set of a family whose model is here",
        "t2t-trainer --registry_help lists them, family by family; "
        "--hparams_set=" +
            set + " --print_hparams shows the values of this one");
  }
  return AllHParams().Resolve(set);
}

}  // namespace

void RegisterAllSets(HParamsRegistry& sets, HParamsRangeRegistry& ranges) {
  const HParamsTable& table = AllHParams();
  for (const std::string& set : table.Sets()) {
    sets.Add(
        set, [set] { return MakeSet(set); }, table.Row(set).help);
  }
  for (const std::string& name : table.Ranges()) {
    ranges.Add(name, [name](RangedHParams* range) {
      AllHParams().ResolveRange(name, range);
    });
  }
}

const HParamsTable& AllHParams() {
  static const auto* const table = [] {
    auto* const all = new HParamsTable;
    RegisterAllHParams(all);
    return all;
  }();
  return *table;
}

HParams LookUpHParams(const std::string& set) {
  if (AllHParams().Has(set)) return AllHParams().Resolve(set);
  return HParamsSets().Get(set)();
}

std::string WhyNotHere(const std::string& set) {
  if (!AllHParams().Has(set)) return "";
  const std::string& family = AllHParams().Family(set);
  if (FamilyIsHere(family)) return "";
  return "hparams set '" + set + "' is of the model family " + family +
         ", which is not here yet";
}

std::vector<std::string> SetsHere() {
  std::vector<std::string> names;
  for (const std::string& set : HParamsSets().Names()) {
    if (WhyNotHere(set).empty()) names.push_back(set);
  }
  return names;
}

std::vector<std::string> SetsHere(const std::string& family) {
  if (!FamilyIsHere(family)) return {};
  return AllHParams().Sets(family);
}

}  // namespace t2t
