#include "t2t/train/early_stopping.h"

#include <gtest/gtest.h>

namespace t2t {
namespace {

TEST(EarlyStoppingTest, IsT2Ts) {
  EarlyStopping stopping(20, 0.1, /*minimize=*/true);
  stopping.Add(10, 5.0);
  EXPECT_FALSE(stopping.Plateaued());
  stopping.Add(20, 4.95);
  EXPECT_FALSE(stopping.Plateaued());
  EarlyStopping copy(20, 0.1, true);
  copy.Load(stopping.ToJson());
  stopping.Add(30, 4.0);
  EXPECT_FALSE(stopping.Plateaued());
  copy.Add(30, 4.99);
  EXPECT_TRUE(copy.Plateaued());
  EarlyStopping never(0, 0.1, true);
  never.Add(10, 1);
  never.Add(1000, 1);
  EXPECT_FALSE(never.Plateaued());
}

}  // namespace
}  // namespace t2t
