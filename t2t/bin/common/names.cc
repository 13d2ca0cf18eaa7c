#include "t2t/bin/common/names.h"

#include "hparams/all_hparams.h"
#include "problems/all_problems.h"
#include "t2t/base/fs.h"
#include "t2t/bin/common/user_plugin.h"
#include "t2t/problem/registries.h"

namespace t2t {

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

}  // namespace t2t
