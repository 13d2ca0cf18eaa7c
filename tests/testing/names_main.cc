#include <gmock/gmock.h>

#include "hparams/all_hparams.h"
#include "problems/all_problems.h"
#include "t2t/hparams/ranges.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  t2t::RegisterAllProblems(t2t::Problems());
  t2t::RegisterAllSets(t2t::HParamsSets(), t2t::HParamsRanges());
  return RUN_ALL_TESTS();
}
