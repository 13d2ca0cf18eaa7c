#include "t2t/metrics/text.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

#include "t2t/metrics/unicode_tables.inc"

class CodeSet {
 public:
  template <size_t size>
  explicit CodeSet(const char32_t (&ranges)[size][2])
      : bits_(std::make_unique<std::bitset<0x110000>>()) {
    for (const auto& range : ranges) {
      for (char32_t c = range[0]; c <= range[1]; ++c) bits_->set(c);
    }
  }

  bool Has(char32_t c) const { return c < bits_->size() && bits_->test(c); }

 private:
  std::unique_ptr<std::bitset<0x110000>> bits_;
};

struct T2TSets {
  CodeSet punctuation{kT2TPunctuation};
  CodeSet symbols{kT2TSymbols};
  CodeSet digits{kDigits};
};
const T2TSets& T2T() {
  static const auto* sets = new T2TSets();
  return *sets;
}

struct InternationalSets {
  CodeSet punctuation{kPunctuation};
  CodeSet symbols{kSymbols};
  CodeSet numbers{kNumbers};
};
const InternationalSets& International() {
  static const auto* sets = new InternationalSets();
  return *sets;
}

struct SigmaSets {
  CodeSet cased{kCased};
  CodeSet ignorable{kCaseIgnorable};
};
const SigmaSets& Sigma() {
  static const auto* sets = new SigmaSets();
  return *sets;
}

const CodeSet& Chinese() {
  static const auto* set = new CodeSet(kChinese);
  return *set;
}

char32_t LowerOne(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  const auto code = static_cast<int32_t>(c);
  const auto* row = std::upper_bound(
      std::begin(kLower), std::end(kLower), code,
      [](int32_t value, const int32_t(&r)[4]) { return value < r[0]; });
  if (row == std::begin(kLower)) return c;
  --row;
  const auto& [first, last, step, difference] = *row;
  if (code > last || (code - first) % step != 0) return c;
  return static_cast<char32_t>(code + difference);
}

// A capital sigma is a final one after a cased letter and before none.
bool IsFinalSigma(const std::u32string& text, size_t at) {
  const SigmaSets& sets = Sigma();
  size_t before = at;
  while (before > 0 && sets.ignorable.Has(text[before - 1])) --before;
  if (before == 0 || !sets.cased.Has(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && sets.ignorable.Has(text[after])) ++after;
  return after == text.size() || !sets.cased.Has(text[after]);
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

std::u32string PunctuateUnicode(std::u32string text, const CodeSet& number,
                                const CodeSet& punctuation,
                                const CodeSet& symbol) {
  const auto no_number = [&](char32_t c) { return !number.Has(c); };
  const auto is_punctuation = [&](char32_t c) { return punctuation.Has(c); };
  text = SpaceSecond(text, no_number, is_punctuation);
  text = SpaceFirst(text, is_punctuation, no_number);
  return SpaceAround(text, [&](char32_t c) { return symbol.Has(c); });
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
      lower += LowerOne(text[i]);
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
      line = PunctuateUnicode(std::move(line), T2T().digits, T2T().punctuation,
                              T2T().symbols);
      break;
    case Tokenizer::kIntl:
      while (!line.empty() && IsPythonSpace(line.back())) line.pop_back();
      line = PunctuateUnicode(std::move(line), International().numbers,
                              International().punctuation,
                              International().symbols);
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
                      [](char32_t c) { return Chinese().Has(c); }));
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
