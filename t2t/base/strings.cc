#include "t2t/base/strings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <numeric>

namespace t2t {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (true) {
    const size_t end = text.find(separator, start);
    if (end == std::string_view::npos) {
      parts.emplace_back(text.substr(start));
      return parts;
    }
    parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
}

std::string Join(const std::vector<std::string>& parts,
                 std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) joined += separator;
    joined += parts[i];
  }
  return joined;
}

std::string_view Trim(std::string_view text) {
  const std::string_view space = " \t\n\r\f\v";
  const size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return lower;
}

std::string ReplaceAll(std::string text, std::string_view from,
                       std::string_view to) {
  if (from.empty()) return text;
  size_t at = 0;
  while ((at = text.find(from, at)) != std::string::npos) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
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
      const bool word =
          i + 1 < name.size() && lower_digit(name[i + 1]);
      if (word || lower_digit(name[i - 1])) {
        if (snake.back() != '_') snake += '_';
      }
    }
    snake += name[i];
  }
  return Lower(snake);
}

}  // namespace t2t
