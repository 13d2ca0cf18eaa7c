#include "t2t/bin/common/names.h"

#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "hparams/describe.h"
#include "problems/all_problems.h"
#include "t2t/base/fs.h"
#include "t2t/bin/common/user_plugin.h"
#include "t2t/optim/optimizer_names.h"
#include "t2t/problem/registries.h"

namespace t2t {
namespace {

void AppendNames(const std::string& title,
                 const std::vector<std::string>& names, std::string* text) {
  *text += title + " (" + std::to_string(names.size()) + "):\n";
  for (const std::string& name : names) *text += "  " + name + "\n";
}

}  // namespace

void RegisterNames() {
  RegisterAllProblems(Problems());
  RegisterAllSets(HParamsSets(), HParamsRanges());
}

void NameFlags::AddTo(Flags* flags) {
  flags->Add("t2t_usr_dir", &t2t_usr_dir,
             "A folder of .cc files, compiled when they have changed, that "
             "register problems, models, hparams sets and so on.");
}

void NameFlags::Register() const {
  RegisterNames();
  if (!t2t_usr_dir.empty()) LoadUserPlugin(ExpandUser(t2t_usr_dir));
}

std::string RegistryHelp() {
  std::string text;
  text += DescribeCatalogue();
  std::vector<std::string> others;
  for (const std::string& name : Models().Names()) {
    if (FindCatalogueModel(name) == nullptr) others.push_back(name);
  }
  if (!others.empty()) AppendNames("other models", others, &text);
  AppendNames("problems", Problems().Names(), &text);
  AppendNames("optimizers", OptimizerNames(), &text);
  return text;
}

}  // namespace t2t
