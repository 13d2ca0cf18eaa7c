#include <gtest/gtest.h>

#include <set>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/keys.h"
#include "t2t/hparams/ranges.h"

namespace t2t {
namespace {

Json Golden() {
  return Json::Parse(ReadFile("tests/golden/modality/hparams.json"));
}

// Same type and value as T2T's.
void ExpectSame(const std::string& name, const Json& theirs,
                const HParams& hparams) {
  ASSERT_TRUE(hparams.Has(name)) << name;
  const Json all = hparams.ToJsonValue();
  const Json& ours = all.At(name);
  if (theirs.is_null()) {
    EXPECT_EQ(ours.AsDouble(), 0.0) << name;
  } else if (theirs.is_number() && !theirs.is_int()) {
    EXPECT_EQ(ours.AsDouble(), theirs.AsDouble()) << name;
    EXPECT_TRUE(std::holds_alternative<double>(hparams.Get(name))) << name;
  } else {
    EXPECT_EQ(ours.type(), theirs.type()) << name;
    EXPECT_EQ(ours.ToString(), theirs.ToString()) << name;
  }
}

TEST(HParams, Basic1AsT2T) {
  const Json golden = Golden();
  const HParams hparams = MakeHParams("basic_1", "");
  EXPECT_EQ(hparams.Names().size(), golden.At("basic_1").members().size());
  for (const auto& [name, value] : golden.At("basic_1").members()) {
    ExpectSame(name, value, hparams);
  }
}

TEST(HParams, SetsAsT2T) {
  const Json golden = Golden();
  const HParams base = InitialHParams();
  for (const auto& [set, changes] : golden.At("sets").members()) {
    SCOPED_TRACE(set);
    const HParams hparams = MakeHParams(set, "");
    std::set<std::string> changed;
    for (const auto& [name, value] : changes.members()) {
      ExpectSame(name, value, hparams);
      changed.insert(name);
    }
    for (const std::string& name : hparams.Names()) {
      if (changed.count(name) > 0 || name == "attention_masks_padding") {
        continue;
      }
      ASSERT_TRUE(base.Has(name)) << name;
      EXPECT_EQ(hparams.Get(name), base.Get(name)) << name;
    }
  }
}

TEST(HParams, RangesAsT2T) {
  const Json golden = Golden();
  for (const auto& [name, specs] : golden.At("ranges").members()) {
    RangedHParams ranges;
    HParamsRanges().Get(name)(&ranges);
    const Json made = ranges.ToParameterSpecs();
    ASSERT_EQ(made.items().size(), specs.items().size());
    for (size_t i = 0; i < made.items().size(); ++i) {
      const Json& ours = made.items()[i];
      const Json& theirs = specs.items()[i];
      EXPECT_EQ(ours.members().size(), theirs.members().size());
      for (const auto& [key, value] : theirs.members()) {
        EXPECT_EQ(ours.At(key).ToString(), value.ToString())
            << theirs.ToString();
      }
    }
  }
}

TEST(HParams, ARangeKeepsItsKind) {
  RangedHParams ranges;
  ranges.SetFloat("dropout", 0.0, 0.5);
  ranges.SetFloat("dropout", 0.1, 0.2);
  EXPECT_EQ(ranges.ranges().size(), 1U);
  EXPECT_THROW(ranges.SetInt("dropout", 0, 1), Error);
}

TEST(HParams, MisspeltSet) {
  try {
    MakeHParams("lstm_seq2sec", "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("lstm_seq2seq"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace t2t
