#include "t2t/hparams/hparams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"

namespace t2t {
namespace {

TEST(HParamsTest, ParsesWithTypes) {
  HParams hparams;
  hparams.Add("layers", 2);
  hparams.Add("rate", 0.1);
  hparams.Add("shared", false);
  hparams.Add("name", "x");
  hparams.Add("sizes", HParams::Value(std::vector<int64_t>{1}));
  hparams.Parse("layers=6,rate=2,shared=True,sizes=[3,4],name=a,b");
  EXPECT_EQ(hparams.GetInt("layers"), 6);
  EXPECT_EQ(hparams.GetDouble("rate"), 2.0);
  EXPECT_TRUE(hparams.GetBool("shared"));
  EXPECT_EQ(hparams.GetString("name"), "a,b");
  EXPECT_EQ(hparams.GetInts("sizes"), (std::vector<int64_t>{3, 4}));
}

TEST(HParamsTest, BadOverridesChangeNothing) {
  HParams hparams;
  hparams.Add("layers", 2);
  const HParams before = hparams;
  EXPECT_THROW(hparams.Parse("layers=3,layerz=4"), Error);
  EXPECT_THROW(hparams.Parse("layers=x"), Error);
  EXPECT_THROW(hparams.Parse("layers"), Error);
  EXPECT_THROW(hparams.Parse("layers=1.5"), Error);
  EXPECT_EQ(hparams, before);
}

TEST(HParamsTest, JsonRoundTrip) {
  HParams hparams;
  hparams.Add("layers", 2);
  hparams.Add("rate", 1.0);
  hparams.Add("name", "n");
  HParams copy = HParams::FromJson(Json::Parse(hparams.ToJson()));
  EXPECT_EQ(copy, hparams);
  EXPECT_THAT(copy.MergeJson(Json::Parse(R"({"rate": 3, "other": 1})")),
              testing::ElementsAre("other"));
  EXPECT_EQ(copy.GetDouble("rate"), 3.0);
}

}  // namespace
}  // namespace t2t
