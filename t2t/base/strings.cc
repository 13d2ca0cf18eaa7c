#include "t2t/base/strings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_replace.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <numeric>

namespace t2t {
namespace {

// Debian's Abseil has a string_view of its own (it is built for C++14 callers,
// too), to which std's does not convert.
absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

std::vector<std::string> Split(std::string_view text, char separator) {
  return absl::StrSplit(View(text), separator);
}

std::string Join(const std::vector<std::string>& parts,
                 std::string_view separator) {
  return absl::StrJoin(parts, View(separator));
}

std::string_view Trim(std::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(View(text));
  return {trimmed.data(), trimmed.size()};
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix);
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.ends_with(suffix);
}

std::string Lower(std::string_view text) {
  return absl::AsciiStrToLower(View(text));
}

std::string ReplaceAll(std::string text, std::string_view from,
                       std::string_view to) {
  absl::StrReplaceAll({{View(from), View(to)}}, &text);
  return text;
}

bool ParseInt(std::string_view text, int64_t* value) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return !text.empty() && result.ec == std::errc() &&
         result.ptr == text.data() + text.size();
}

bool ParseDouble(std::string_view text, double* value) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  return !text.empty() && result.ec == std::errc() &&
         result.ptr == text.data() + text.size();
}

bool ParseBool(std::string_view text, bool* value) {
  const std::string lower = Lower(text);
  if (lower == "true" || lower == "1" || lower == "yes") {
    *value = true;
  } else if (lower == "false" || lower == "0" || lower == "no") {
    *value = false;
  } else {
    return false;
  }
  return true;
}

std::string DoubleToString(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

std::string Format(const char* format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  const int size = std::vsnprintf(nullptr, 0, format, args);
  va_end(args);
  std::string text(size < 0 ? 0 : size, '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, again);
  va_end(again);
  return text;
}

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::vector<std::string> Nearest(std::string_view name,
                                 const std::vector<std::string>& names) {
  std::vector<std::pair<int, std::string>> scored;
  for (const std::string& other : names) {
    const int distance = EditDistance(name, other);
    const int limit = std::max<int>(2, static_cast<int>(name.size()) / 3);
    if (distance <= limit) {
      scored.emplace_back(distance, other);
    } else if (name.size() >= 4 && other.find(name) != std::string::npos) {
      scored.emplace_back(limit + 1, other);
    }
  }
  std::sort(scored.begin(), scored.end());
  std::vector<std::string> nearest;
  for (size_t i = 0; i < scored.size() && i < 3; ++i) {
    nearest.push_back(scored[i].second);
  }
  return nearest;
}

std::string DidYouMean(std::string_view name,
                       const std::vector<std::string>& names) {
  const std::vector<std::string> nearest = Nearest(name, names);
  if (nearest.empty()) return "";
  std::string text = "did you mean ";
  for (size_t i = 0; i < nearest.size(); ++i) {
    if (i > 0) text += i + 1 == nearest.size() ? " or " : ", ";
    text += "'" + nearest[i] + "'";
  }
  return text + "?";
}

std::string CamelToSnake(std::string_view name) {
  // T2T's two regular expressions: (.)([A-Z][a-z0-9]+) and ([a-z0-9])([A-Z]).
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto lower_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  std::string snake;
  for (size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && upper(name[i])) {
      const bool word = i + 1 < name.size() && lower_digit(name[i + 1]);
      if (word || lower_digit(name[i - 1])) {
        if (snake.back() != '_') snake += '_';
      }
    }
    snake += name[i];
  }
  return Lower(snake);
}

}  // namespace t2t
