#include <gmock/gmock.h>

#include "hparams/all_hparams.h"
#include "models/all_models.h"
#include "problems/all_problems.h"
#include "t2t/hparams/ranges.h"
#include "t2t/optim/optimizer.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  t2t::RegisterAllProblems(t2t::Problems());
  t2t::RegisterAllSets(t2t::HParamsSets(), t2t::HParamsRanges());
  t2t::RegisterAllModels(t2t::Models());
  t2t::RegisterOptimizers(t2t::Optimizers());
  return RUN_ALL_TESTS();
}
