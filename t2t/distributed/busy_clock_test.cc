#include "t2t/distributed/busy_clock.h"

#include <gtest/gtest.h>

namespace t2t {
namespace {

TEST(BusyClockTest, WhatOverlapsCountsOnce) {
  BusyClock clock;
  EXPECT_EQ(clock.Seconds(7), 0);
  clock.Begin(10);
  clock.Begin(12);
  EXPECT_EQ(clock.Seconds(13), 3);
  clock.End(14);
  EXPECT_EQ(clock.Seconds(15), 5);
  clock.End(16);
  EXPECT_EQ(clock.Seconds(20), 6);
  clock.Begin(30);
  clock.End(31);
  EXPECT_EQ(clock.Seconds(40), 7);
}

}  // namespace
}  // namespace t2t
