#include <gtest/gtest.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"

namespace t2t {
namespace {

Json Golden() {
  return Json::Parse(ReadFile("tests/golden/base/hparams_parse.json"));
}

HParams Base() { return HParams::FromJson(Golden().items().at(0)); }

std::string MessageOf(const HParams& hparams, const std::string& text) {
  HParams changed = hparams;
  try {
    changed.Parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_EQ(changed, hparams) << text;
    return error.what();
  }
  return "";
}

TEST(HParamsParseTest, IsT2Ts) {
  const Json golden = Golden();
  ASSERT_GE(golden.items().size(), 45U);
  for (size_t i = 1; i < golden.items().size(); ++i) {
    const std::string text = golden.items()[i].items().at(0).AsString();
    const Json& changed = golden.items()[i].items().at(1);
    SCOPED_TRACE(text);
    if (changed.is_null()) {
      EXPECT_NE(MessageOf(Base(), text), "");
      continue;
    }
    HParams expected = Base();
    EXPECT_TRUE(expected.MergeJson(changed).empty());
    HParams hparams = Base();
    hparams.Parse(text);
    EXPECT_EQ(hparams.ToJson(), expected.ToJson());
  }
}

TEST(HParamsParseTest, ValuesAsPythonReadsThem) {
  HParams hparams = Base();
  hparams.Parse("a_int=1_000,b_float=1_0.5,d_bool=-1,c_str= lead");
  EXPECT_EQ(hparams.GetInt("a_int"), 1000);
  EXPECT_EQ(hparams.GetDouble("b_float"), 10.5);
  EXPECT_TRUE(hparams.GetBool("d_bool"));
  EXPECT_EQ(hparams.GetString("c_str"), "lead");
  hparams.Parse("d_bool=0,e_list_int=[1 2,,3],");
  EXPECT_FALSE(hparams.GetBool("d_bool"));
  EXPECT_EQ(hparams.GetInts("e_list_int"), (std::vector<int64_t>{1, 2, 3}));
}

TEST(HParamsParseTest, WhatT2TRefuses) {
  for (const char* text :
       {"d_bool=FALSE", "d_bool=yes", "d_bool=True ", " a_int=1", "a_int=1_",
        "a_int=_1", "a_int=1__0", "c_str=[a,b]", "c_str=a[b", "=1",
        "a_int=99999999999999999999", "b_float=nan(1)", "e_list_int=[1",
        "e_list_int=[1]x", "a_int=1,a_int=1", "-a_int=1"}) {
    EXPECT_NE(MessageOf(Base(), text), "") << text;
  }
  EXPECT_NE(
      MessageOf(Base(), "a_int=1,b_float=2,a_int=3").find("a_int stands twice"),
      std::string::npos);
}

TEST(HParamsParseTest, AStringMayHoldCommas) {
  HParams hparams = Base();
  hparams.Parse("c_str=0,1,a_int=2");
  EXPECT_EQ(hparams.GetString("c_str"), "0,1");
  EXPECT_EQ(hparams.GetInt("a_int"), 2);
}

TEST(HParamsTest, AddRefusesANameThatIsThere) {
  HParams hparams;
  hparams.Add("layers", 2);
  try {
    hparams.Add("layers", "many");
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("layers is there already, as 2"), std::string::npos);
    EXPECT_NE(what.find("many (a string)"), std::string::npos);
  }
  EXPECT_THROW(hparams.Add("layers", 2), Error);
  EXPECT_EQ(hparams.GetInt("layers"), 2);
  hparams.Remove("layers");
  hparams.Add("layers", "many");
  EXPECT_EQ(hparams.GetString("layers"), "many");
}

TEST(HParamsTest, JsonBeyond64BitsIsRefused) {
  for (const char* text :
       {R"({"n": 9223372036854775808})", R"({"n": -9223372036854775809})",
        R"({"n": [1, 100000000000000000000]})"}) {
    EXPECT_THROW(HParams::FromJson(Json::Parse(text)), Error) << text;
    HParams hparams;
    hparams.Add("n", 1);
    EXPECT_THROW(hparams.MergeJson(Json::Parse(text)), Error) << text;
  }
  HParams hparams;
  hparams.Add("n", 1);
  // Written as Python writes a float: no int64 is meant, but none fits.
  EXPECT_THROW(hparams.MergeJson(Json::Parse(R"({"n": 1e30})")), Error);
  const HParams largest =
      HParams::FromJson(Json::Parse(R"({"n": 9223372036854775807})"));
  EXPECT_EQ(largest.GetInt("n"), INT64_MAX);
  EXPECT_EQ(HParams::FromJson(Json::Parse(R"({"x": 1e+30})")).GetDouble("x"),
            1e30);
}

}  // namespace
}  // namespace t2t
