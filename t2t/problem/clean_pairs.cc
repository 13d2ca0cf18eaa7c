#include "t2t/problem/clean_pairs.h"

#include <cstddef>
#include <string_view>

#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

constexpr View kDoubleQuotes = U"\"“”";
constexpr View kSingleQuotes = U"'‘’";
constexpr View kQuotes = U"\"“”'‘’";

Text Decoded(std::string_view text) {
  Text decoded;
  for (size_t at = 0; at < text.size();) {
    decoded += NextCodePoint(text, &at);
  }
  return decoded;
}

std::string Encoded(View text) {
  std::string encoded;
  for (const char32_t c : text) AppendCodePoint(c, &encoded);
  return encoded;
}

bool Is(View set, char32_t c) { return set.find(c) != View::npos; }
bool IsUpper(char32_t c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char32_t c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char32_t c) { return c >= '0' && c <= '9'; }
// Python's \w.
bool IsWord(char32_t c) { return c == '_' || IsAlphanumeric(c); }

// Moves *at past those that fit; whether there were any.
template <typename Fits>
bool Skip(View text, const Fits& fits, size_t* at) {
  const size_t begin = *at;
  while (*at < text.size() && fits(text[*at])) ++*at;
  return *at > begin;
}

// ^["“”]?[A-Z]
bool StartsWell(View text) {
  size_t at = !text.empty() && Is(kDoubleQuotes, text[0]) ? 1 : 0;
  return at < text.size() && IsUpper(text[at]);
}

// \w[.?!]["”]?$
bool EndsWell(View text) {
  if (!text.empty() && Is(U"\"”", text.back())) text.remove_suffix(1);
  return text.size() >= 2 && Is(U".?!", text.back()) &&
         IsWord(text[text.size() - 2]);
}

// ^\w+\.?( \w+)?: , as in "Mr. Smith: ".
bool IsSpeech(View text) {
  size_t at = 0;
  if (!Skip(text, IsWord, &at)) return false;
  if (at < text.size() && text[at] == '.') ++at;
  size_t second = at + 1;
  if (at < text.size() && text[at] == ' ' && Skip(text, IsWord, &second)) {
    if (text.substr(second, 2) == U": ") return true;
  }
  return text.substr(at, 2) == U": ";
}

// \d +\d
bool HasSplitNumber(View text) {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    if (!IsDigit(text[i]) || text[i + 1] != ' ') continue;
    size_t at = i + 1;
    Skip(
        text, [](char32_t c) { return c == ' '; }, &at);
    if (at < text.size() && IsDigit(text[at])) return true;
  }
  return false;
}

// One double quote, or a whole line in quotes.
bool HasLoneQuote(View text) {
  size_t count = 0;
  for (const char32_t c : text) count += Is(kDoubleQuotes, c) ? 1 : 0;
  return count == 1;
}
bool IsQuoted(View text) {
  return text.size() >= 2 && Is(kDoubleQuotes, text.front()) &&
         Is(kDoubleQuotes, text.back());
}

// Three double quotes; three single ones that are no "'s" or "'t".
bool HasManyQuotes(View text) {
  size_t doubles = 0;
  size_t singles = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    doubles += Is(kDoubleQuotes, text[i]) ? 1 : 0;
    if (Is(kSingleQuotes, text[i]) && i + 1 < text.size() &&
        text[i + 1] != 's' && text[i + 1] != 't') {
      ++singles;
      ++i;
    }
  }
  return doubles >= 3 || singles >= 3;
}

// Two quotes with nothing between; white space on both sides of a mark.
bool HasStrayMarks(View text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (Is(kQuotes, text[i])) {
      size_t at = i + 1;
      Skip(text, IsPythonSpace, &at);
      if (at < text.size() && Is(kQuotes, text[at])) return true;
    }
    if (i > 0 && i + 1 < text.size() && Is(U"\"“”'‘’,:;", text[i]) &&
        IsPythonSpace(text[i - 1]) && IsPythonSpace(text[i + 1])) {
      return true;
    }
  }
  return false;
}

bool IsCopyright(View text) {
  return text.find(U'©') != View::npos || text.substr(0, 9) == U"Copyright" ||
         text.substr(0, 3) == U"(C)";
}

// [(][^)]*$ and ^[^(]*[)]
bool HasLoneParenthesis(View text) {
  const size_t last_open = text.rfind(U'(');
  if (last_open != View::npos && text.find(U')', last_open) == View::npos) {
    return true;
  }
  const size_t first_close = text.find(U')');
  return first_close != View::npos && text.find(U'(') > first_close;
}

// ^[A-Z]{2,}(\s+[A-Z]+)*\s+-, as in "NEW YORK - ".
bool IsDateline(View text) {
  size_t at = 0;
  Skip(text, IsUpper, &at);
  if (at < 2) return false;
  while (Skip(text, IsPythonSpace, &at)) {
    if (at < text.size() && text[at] == '-') return true;
    if (!Skip(text, IsUpper, &at)) return false;
  }
  return false;
}

// ^[A-Z]+[a-z]*_
bool IsIdentifier(View text) {
  size_t at = 0;
  if (!Skip(text, IsUpper, &at)) return false;
  Skip(text, IsLower, &at);
  return at < text.size() && text[at] == '_';
}

bool LooksLikeASentence(View text) {
  return StartsWell(text) && EndsWell(text) && !IsSpeech(text) &&
         !HasSplitNumber(text) && !HasLoneQuote(text) && !IsQuoted(text) &&
         !HasManyQuotes(text) && !HasStrayMarks(text) && !IsCopyright(text) &&
         !HasLoneParenthesis(text) && !IsDateline(text) && !IsIdentifier(text);
}

// Cut behind each of ".!?" that a space and a capital follow, where
// ends(its place, begin) says of what is between that begins a sentence and it
// that a sentence ends there. (A capital that is the first of a sentence is
// part of the cut before it.)
template <typename Ends>
std::vector<View> Sentences(View text, const Ends& ends) {
  std::vector<View> sentences;
  size_t begin = 0;
  for (size_t i = 1; i + 2 < text.size(); ++i) {
    if (!Is(U".!?", text[i]) || text[i + 1] != ' ' || !IsUpper(text[i + 2]) ||
        !ends(i, begin == 0 ? 0 : begin + 1)) {
      continue;
    }
    sentences.push_back(text.substr(begin, i + 1 - begin));
    begin = i + 2;
  }
  sentences.push_back(text.substr(begin));
  return sentences;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> CleanPairs(
    const std::string& english, const std::string& other) {
  const Text first = Decoded(english);
  const Text second = Decoded(other);
  if (!LooksLikeASentence(first)) return {};
  const std::vector<View> a = Sentences(first, [&](size_t i, size_t begin) {
    if (i < begin + 1) return false;
    return IsDigit(first[i - 1]) || IsLower(first[i - 1]) ||
           (i >= begin + 2 && IsUpper(first[i - 1]) && IsWord(first[i - 2]));
  });
  const std::vector<View> b = Sentences(second, [&](size_t i, size_t begin) {
    return i >= begin + 1 && !IsDigit(second[i - 1]);
  });
  if (a.size() != b.size()) return {};
  if (a.size() == 1) return {{english, other}};
  std::vector<std::pair<std::string, std::string>> kept;
  for (size_t i = 0; i < a.size(); ++i) {
    if (LooksLikeASentence(a[i]))
      kept.emplace_back(Encoded(a[i]), Encoded(b[i]));
  }
  return kept;
}

}  // namespace t2t
