#include <gmock/gmock.h>

#include "t2t/optim/optimizer.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  t2t::RegisterOptimizers(t2t::Optimizers());
  return RUN_ALL_TESTS();
}
