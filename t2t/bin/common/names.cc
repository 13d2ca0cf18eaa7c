#include "t2t/bin/common/names.h"

#include "hparams/all_hparams.h"
#include "problems/all_problems.h"

namespace t2t {

void RegisterNames() {
  RegisterAllProblems(Problems());
  RegisterAllSets(HParamsSets(), HParamsRanges());
}

}  // namespace t2t
