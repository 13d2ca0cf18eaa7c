#include <gtest/gtest.h>

#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/ranges.h"

namespace t2t {
namespace {

Json Golden() {
  return Json::Parse(ReadFile("tests/golden/model/hparams.json"));
}

// null is "none" for pos, 0 for learning_rate_minimum (T2T's only ones).
void ExpectValue(const Json& ours, const Json& theirs,
                 const std::string& where) {
  if (theirs.is_null()) {
    if (ours.is_string()) {
      EXPECT_EQ(ours.AsString(), "none") << where;
    } else {
      EXPECT_EQ(ours.AsDouble(), 0.0) << where;
    }
  } else if (theirs.is_number()) {
    EXPECT_DOUBLE_EQ(ours.AsDouble(), theirs.AsDouble()) << where;
  } else {
    EXPECT_EQ(ours.ToString(), theirs.ToString()) << where;
  }
}

TEST(TransformerHParamsTest, EverySetHasT2TsValues) {
  const Json golden = Golden();
  const Json& base = golden.At("transformer_base");
  int sets = 0;
  for (const auto& [name, changes] : golden.At("sets").members()) {
    ASSERT_TRUE(HParamsSets().Has(name)) << name;
    const HParams hparams = MakeHParams(name, "");
    const Json ours = hparams.ToJsonValue();
    size_t expected = base.members().size();
    for (const auto& [key, value] : base.members()) {
      const Json* changed = changes.Find(key);
      const Json* own = ours.Find(key);
      ASSERT_NE(own, nullptr) << name << " " << key;
      ExpectValue(*own, changed != nullptr ? *changed : value,
                  name + " " + key);
    }
    for (const auto& [key, value] : changes.members()) {
      if (base.Find(key) != nullptr) continue;
      ++expected;
      const Json* own = ours.Find(key);
      ASSERT_NE(own, nullptr) << name << " " << key;
      ExpectValue(*own, value, name + " " + key);
    }
    EXPECT_EQ(ours.members().size(), expected) << name;
    ++sets;
  }
  EXPECT_EQ(sets, 96);
}

TEST(TransformerHParamsTest, EveryRangeHasT2TsValues) {
  int ranges = 0;
  const Json golden = Golden();
  for (const auto& [name, specs] : golden.At("ranges").members()) {
    RangedHParams ranged;
    HParamsRanges().Get(name)(&ranged);
    const Json own = ranged.ToParameterSpecs();
    ASSERT_EQ(own.items().size(), specs.items().size()) << name;
    for (size_t i = 0; i < specs.items().size(); ++i) {
      for (const auto& [key, value] : specs.items()[i].members()) {
        const Json& ours = own.items()[i].At(key);
        if (value.is_array()) {
          ASSERT_EQ(ours.items().size(), value.items().size());
          for (size_t j = 0; j < value.items().size(); ++j) {
            ExpectValue(ours.items()[j], value.items()[j], name + " " + key);
          }
        } else {
          ExpectValue(ours, value, name + " " + key);
        }
      }
    }
    ++ranges;
  }
  EXPECT_EQ(ranges, 3);
}

TEST(TransformerHParamsTest, OwnSetsAndBadNames) {
  EXPECT_EQ(MakeHParams("transformer_multi30k", "hidden_size=128")
                .GetInt("hidden_size"),
            128);
  EXPECT_TRUE(HParamsSets().Has("transformer_numbers"));
  EXPECT_THROW(MakeHParams("transformer_bse", ""), Error);
  EXPECT_THROW(MakeHParams("transformer_base", "hiden_size=3"), Error);
  EXPECT_THROW(MakeHParams("transformer_base", "hidden_size=big"), Error);
}

}  // namespace
}  // namespace t2t
