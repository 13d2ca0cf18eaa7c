#include "t2t/metrics/text.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// First and last of each range.
using Range = std::pair<char32_t, char32_t>;

template <size_t size>
constexpr bool IsIn(const Range (&ranges)[size], char32_t c) {
  const auto* const next = std::upper_bound(
      std::begin(ranges), std::end(ranges), c,
      [](char32_t code, const Range& range) { return code < range.first; });
  return next != std::begin(ranges) && c <= std::prev(next)->second;
}

// What sacreBLEU takes as Chinese (it reads two ranges otherwise than they were
// meant).
constexpr Range kChinese[] = {
    {0x2001, 0x2A6D}, {0x2E80, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F},
    {0x31A0, 0x31EF}, {0x3200, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D},
    {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F},
    {0xFF00, 0xFFEF},
};

// The two properties that a final sigma asks for, as the Unicode standard
// defines them (section 3.13, D135 and D136): by category, and these besides.
// (ICU's own function for them would bring all of its data.)
constexpr Range kOtherCased[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},
    {0x2C0, 0x2C1},     {0x2E0, 0x2E4},     {0x345, 0x345},
    {0x37A, 0x37A},     {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},
    {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},
    {0x2090, 0x209C},   {0x2160, 0x217F},   {0x24B6, 0x24E9},
    {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},
    {0xA7F2, 0xA7F4},   {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},
    {0xAB69, 0xAB69},   {0x10780, 0x10780}, {0x10783, 0x10785},
    {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x1E030, 0x1E06D},
    {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};
constexpr Range kOtherCaseIgnorable[] = {
    {0x27, 0x27},     {0x2E, 0x2E},     {0x3A, 0x3A},     {0xB7, 0xB7},
    {0x387, 0x387},   {0x55F, 0x55F},   {0x5F4, 0x5F4},   {0x2018, 0x2019},
    {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52},
    {0xFE55, 0xFE55}, {0xFF07, 0xFF07}, {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A},
};

// Whether it is of one of ICU's categories (U_GC_..._MASK).
bool IsOf(uint32_t categories, char32_t c) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & categories) != 0;
}

bool IsCased(char32_t c) {
  return IsOf(U_GC_LU_MASK | U_GC_LL_MASK | U_GC_LT_MASK, c) ||
         IsIn(kOtherCased, c);
}

bool IsCaseIgnorable(char32_t c) {
  return IsOf(U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK | U_GC_LM_MASK |
                  U_GC_SK_MASK,
              c) ||
         IsIn(kOtherCaseIgnorable, c);
}

// A capital sigma is a final one after a cased letter and before none.
bool IsFinalSigma(const std::u32string& text, size_t at) {
  size_t before = at;
  while (before > 0 && IsCaseIgnorable(text[before - 1])) --before;
  if (before == 0 || !IsCased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && IsCaseIgnorable(text[after])) ++after;
  return after == text.size() || !IsCased(text[after]);
}

// re.sub of two neighbours by "\1 \2 ".
template <typename First, typename Second>
std::u32string SpaceSecond(const std::u32string& text, First first,
                           Second second) {
  std::u32string out;
  out.reserve(text.size() * 2);
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      out += U' ';
      out += text[++i];
      out += U' ';
    }
  }
  return out;
}

// re.sub of two neighbours by " \1 \2".
template <typename First, typename Second>
std::u32string SpaceFirst(const std::u32string& text, First first,
                          Second second) {
  std::u32string out;
  out.reserve(text.size() * 2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      out += U' ';
      out += text[i++];
      out += U' ';
    }
    out += text[i];
  }
  return out;
}

// re.sub of one by " \1 ".
template <typename Test>
std::u32string SpaceAround(const std::u32string& text, Test test) {
  std::u32string out;
  out.reserve(text.size() * 2);
  for (const char32_t c : text) {
    if (test(c)) {
      out += U' ';
      out += c;
      out += U' ';
    } else {
      out += c;
    }
  }
  return out;
}

// numbers: categories. is_punctuation(c): whether it is taken as such.
template <typename Punctuation>
std::u32string PunctuateUnicode(std::u32string text, uint32_t numbers,
                                Punctuation is_punctuation) {
  const auto no_number = [&](char32_t c) { return !IsOf(numbers, c); };
  text = SpaceSecond(text, no_number, is_punctuation);
  text = SpaceFirst(text, is_punctuation, no_number);
  return SpaceAround(text, [](char32_t c) { return IsOf(U_GC_S_MASK, c); });
}

// The language-dependent part of mteval-v13a.
std::u32string PunctuateWestern(std::u32string text) {
  const auto is_digit = [](char32_t c) { return c >= '0' && c <= '9'; };
  const auto no_digit = [&](char32_t c) { return !is_digit(c); };
  const auto is_point = [](char32_t c) { return c == '.' || c == ','; };
  const auto is_dash = [](char32_t c) { return c == '-'; };
  text = SpaceAround(text, [](char32_t c) {
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') ||
           (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
           (c >= ':' && c <= '@') || c == '/';
  });
  text = SpaceSecond(text, no_digit, is_point);
  text = SpaceFirst(text, is_point, no_digit);
  return SpaceSecond(text, is_digit, is_dash);
}

void Replace(std::u32string_view from, std::u32string_view to,
             std::u32string* text) {
  size_t at = 0;
  while ((at = text->find(from, at)) != std::u32string::npos) {
    text->replace(at, from.size(), to);
    at += to.size();
  }
}

std::u32string_view Strip(std::u32string_view text) {
  while (!text.empty() && IsPythonSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsPythonSpace(text.back())) text.remove_suffix(1);
  return text;
}

constexpr std::pair<const char*, Tokenizer> kNames[] = {
    {"13a", Tokenizer::k13a},   {"intl", Tokenizer::kIntl},
    {"zh", Tokenizer::kZh},     {"char", Tokenizer::kChar},
    {"none", Tokenizer::kNone}, {"t2t", Tokenizer::kT2T},
};

}  // namespace

std::u32string ToCodePoints(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  for (size_t at = 0; at < text.size();) codes += NextCodePoint(text, &at);
  return codes;
}

std::string FromCodePoints(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t c : text) AppendCodePoint(c, &bytes);
  return bytes;
}

std::u32string LowerCodePoints(const std::u32string& text) {
  std::u32string lower;
  lower.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == 0x3A3) {
      lower += IsFinalSigma(text, i) ? char32_t{0x3C2} : char32_t{0x3C3};
    } else if (text[i] == 0x130) {
      lower += U"i\u0307";
    } else {
      lower += static_cast<char32_t>(u_tolower(static_cast<UChar32>(text[i])));
    }
  }
  return lower;
}

std::string LowerText(std::string_view text) {
  return FromCodePoints(LowerCodePoints(ToCodePoints(text)));
}

std::vector<std::u32string> SplitCodePoints(std::u32string_view text) {
  std::vector<std::u32string> parts;
  for (size_t at = 0; at < text.size();) {
    if (IsPythonSpace(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && !IsPythonSpace(text[end])) ++end;
    parts.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

Tokenizer TokenizerByName(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, tokenizer] : kNames) {
    if (name == known) return tokenizer;
    names.push_back(known);
  }
  throw UsageError("there is no tokenizer '" + name + "'",
                   "one of " + Join(names, ", "), DidYouMean(name, names));
}

std::string TokenizerName(Tokenizer tokenizer) {
  for (const auto& [name, known] : kNames) {
    if (tokenizer == known) return name;
  }
  return "";
}

std::vector<std::u32string> TokenizeLine(Tokenizer tokenizer,
                                         std::u32string line) {
  switch (tokenizer) {
    case Tokenizer::kT2T:
      // In T2T's regular expression the backslash escapes what follows it.
      line = PunctuateUnicode(std::move(line), U_GC_ND_MASK, [](char32_t c) {
        return c != U'\\' && IsOf(U_GC_P_MASK, c);
      });
      break;
    case Tokenizer::kIntl:
      while (!line.empty() && IsPythonSpace(line.back())) line.pop_back();
      line = PunctuateUnicode(std::move(line), U_GC_N_MASK,
                              [](char32_t c) { return IsOf(U_GC_P_MASK, c); });
      break;
    case Tokenizer::k13a:
      while (!line.empty() && IsPythonSpace(line.back())) line.pop_back();
      Replace(U"<skipped>", U"", &line);
      Replace(U"&quot;", U"\"", &line);
      Replace(U"&amp;", U"&", &line);
      Replace(U"&lt;", U"<", &line);
      Replace(U"&gt;", U">", &line);
      line = PunctuateWestern(U" " + line + U" ");
      break;
    case Tokenizer::kZh:
      line = PunctuateWestern(
          SpaceAround(std::u32string(Strip(line)),
                      [](char32_t c) { return IsIn(kChinese, c); }));
      break;
    case Tokenizer::kChar: {
      std::vector<std::u32string> characters;
      for (const char32_t c : line) {
        if (!IsPythonSpace(c)) characters.emplace_back(1, c);
      }
      return characters;
    }
    case Tokenizer::kNone:
      break;
  }
  return SplitCodePoints(line);
}

std::vector<std::string> TokenizeLine(Tokenizer tokenizer,
                                      std::string_view line) {
  std::vector<std::string> tokens;
  for (const auto& token : TokenizeLine(tokenizer, ToCodePoints(line))) {
    tokens.push_back(FromCodePoints(token));
  }
  return tokens;
}

std::vector<std::string> ReadLines(const std::string& path) {
  return ReadTextLines(path);
}

}  // namespace t2t
