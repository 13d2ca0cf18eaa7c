#include "t2t/base/plural.h"

#include <string_view>

namespace t2t {
namespace {

bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.substr(text.size() - ending.size()) == ending;
}

}  // namespace

std::string Plural(int64_t number, const std::string& noun) {
  if (number == 1 || noun.empty()) return noun;
  const bool has_consonant =
      noun.size() > 1 && std::string_view("aeiou").find(
                             noun[noun.size() - 2]) == std::string_view::npos;
  if (EndsWith(noun, "y") && has_consonant) {
    return noun.substr(0, noun.size() - 1) + "ies";
  }
  for (const char* const hiss : {"s", "x", "ch", "sh"}) {
    if (EndsWith(noun, hiss)) return noun + "es";
  }
  return noun + "s";
}

std::string Count(int64_t number, const std::string& noun) {
  return std::to_string(number) + " " + Plural(number, noun);
}

}  // namespace t2t
