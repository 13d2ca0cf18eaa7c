#include "problems/number_names.h"

#include "t2t/base/error.h"

namespace t2t {
namespace {

const char* const kEnglishSmall[] = {
    "zero",    "one",     "two",       "three",    "four",
    "five",    "six",     "seven",     "eight",    "nine",
    "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
const char* const kEnglishTens[] = {"",       "",      "twenty", "thirty",
                                    "forty",  "fifty", "sixty",  "seventy",
                                    "eighty", "ninety"};
const char* const kGermanSmall[] = {
    "null",     "eins",     "zwei",     "drei",     "vier",
    "fünf",     "sechs",    "sieben",   "acht",     "neun",
    "zehn",     "elf",      "zwölf",    "dreizehn", "vierzehn",
    "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"};
const char* const kGermanTens[] = {"",        "",        "zwanzig", "dreißig",
                                   "vierzig", "fünfzig", "sechzig", "siebzig",
                                   "achtzig", "neunzig"};

void Check(int64_t number) {
  if (number >= 0 && number <= kLargestNamedNumber) return;
  throw UsageError("there is no name for " + std::to_string(number),
                   "0 to " + std::to_string(kLargestNamedNumber));
}

// 1 to 999.
std::string EnglishBelowThousand(int64_t number) {
  std::string name;
  if (number >= 100) {
    name = std::string(kEnglishSmall[number / 100]) + " hundred";
    number %= 100;
    if (number == 0) return name;
    name += ' ';
  }
  if (number < 20) return name + kEnglishSmall[number];
  name += kEnglishTens[number / 10];
  if (number % 10 != 0) {
    name += std::string("-") + kEnglishSmall[number % 10];
  }
  return name;
}

// "ein" where another part follows, "eins" at the end.
std::string GermanUnit(int64_t number, bool last) {
  return number == 1 && !last ? "ein" : kGermanSmall[number];
}

// 1 to 999. first and last: whether the name begins and ends here.
std::string GermanBelowThousand(int64_t number, bool first, bool last) {
  std::string name;
  if (number >= 100) {
    if (!first || number >= 200) name = GermanUnit(number / 100, false);
    name += "hundert";
    number %= 100;
    if (number == 0) return name;
  }
  if (number < 20) return name + GermanUnit(number, last);
  if (number % 10 != 0) name += GermanUnit(number % 10, false) + "und";
  return name + kGermanTens[number / 10];
}

}  // namespace

std::string EnglishNumberName(int64_t number) {
  Check(number);
  if (number == 0) return kEnglishSmall[0];
  if (number == kLargestNamedNumber) return "one million";
  if (number < 1000) return EnglishBelowThousand(number);
  std::string name = EnglishBelowThousand(number / 1000) + " thousand";
  number %= 1000;
  if (number > 0) name += " " + EnglishBelowThousand(number);
  return name;
}

std::string GermanNumberName(int64_t number) {
  Check(number);
  if (number == 0) return kGermanSmall[0];
  if (number == kLargestNamedNumber) return "eine Million";
  if (number < 1000) return GermanBelowThousand(number, true, true);
  std::string name;
  if (number >= 2000) name = GermanBelowThousand(number / 1000, true, false);
  name += "tausend";
  number %= 1000;
  if (number > 0) name += GermanBelowThousand(number, false, true);
  return name;
}

}  // namespace t2t
