#include "problems/number_names.h"

#include <gtest/gtest.h>

#include <set>

#include "t2t/base/error.h"

namespace t2t {
namespace {

TEST(NumberNamesTest, German) {
  const std::pair<int64_t, const char*> expected[] = {
      {0, "null"},
      {1, "eins"},
      {6, "sechs"},
      {7, "sieben"},
      {11, "elf"},
      {12, "zwölf"},
      {16, "sechzehn"},
      {17, "siebzehn"},
      {20, "zwanzig"},
      {21, "einundzwanzig"},
      {30, "dreißig"},
      {31, "einunddreißig"},
      {66, "sechsundsechzig"},
      {77, "siebenundsiebzig"},
      {99, "neunundneunzig"},
      {100, "hundert"},
      {101, "hunderteins"},
      {111, "hundertelf"},
      {121, "hunderteinundzwanzig"},
      {200, "zweihundert"},
      {342, "dreihundertzweiundvierzig"},
      {1000, "tausend"},
      {1001, "tausendeins"},
      {1101, "tausendeinhunderteins"},
      {1666, "tausendsechshundertsechsundsechzig"},
      {2100, "zweitausendeinhundert"},
      {11000, "elftausend"},
      {21001, "einundzwanzigtausendeins"},
      {100000, "hunderttausend"},
      {101000, "hunderteintausend"},
      {101101, "hunderteintausendeinhunderteins"},
      {201001, "zweihunderteintausendeins"},
      {999999, "neunhundertneunundneunzigtausendneunhundertneunundneunzig"},
      {1000000, "eine Million"},
  };
  for (const auto& [number, name] : expected) {
    EXPECT_EQ(GermanNumberName(number), name) << number;
  }
}

TEST(NumberNamesTest, English) {
  const std::pair<int64_t, const char*> expected[] = {
      {0, "zero"},
      {12, "twelve"},
      {40, "forty"},
      {85, "eighty-five"},
      {100, "one hundred"},
      {101, "one hundred one"},
      {342, "three hundred forty-two"},
      {1000, "one thousand"},
      {1010, "one thousand ten"},
      {21500, "twenty-one thousand five hundred"},
      {100001, "one hundred thousand one"},
      {1000000, "one million"},
  };
  for (const auto& [number, name] : expected) {
    EXPECT_EQ(EnglishNumberName(number), name) << number;
  }
}

TEST(NumberNamesTest, EveryNumberHasItsOwnNames) {
  std::set<std::string> english;
  std::set<std::string> german;
  for (int64_t number = 0; number <= kLargestNamedNumber; number += 7) {
    EXPECT_TRUE(english.insert(EnglishNumberName(number)).second) << number;
    EXPECT_TRUE(german.insert(GermanNumberName(number)).second) << number;
  }
  EXPECT_THROW(EnglishNumberName(-1), Error);
  EXPECT_THROW(GermanNumberName(1000001), Error);
}

}  // namespace
}  // namespace t2t
