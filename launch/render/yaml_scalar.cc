#include "launch/render/yaml_scalar.h"

#include <cmath>
#include <cstdint>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Whether a number begins here as YAML's core schema writes it.
bool LooksLikeNumber(std::string_view text) {
  const size_t first = text[0] == '-' || text[0] == '+' ? 1 : 0;
  if (first == text.size()) return false;
  const bool begins =
      IsDigit(text[first]) || (text[first] == '.' && first + 1 < text.size() &&
                               IsDigit(text[first + 1]));
  return begins &&
         text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

}  // namespace

Json ResolvePlainScalar(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" ||
      text == "NULL") {
    return Json();
  }
  if (text == "true" || text == "True" || text == "TRUE") return Json(true);
  if (text == "false" || text == "False" || text == "FALSE") {
    return Json(false);
  }
  if (text == ".nan") return Json(std::nan(""));
  if (text == ".inf") return Json(HUGE_VAL);
  if (text == "-.inf") return Json(-HUGE_VAL);
  if (LooksLikeNumber(text)) {
    const size_t digit = IsDigit(text[0]) || text[0] == '.' ? 0 : 1;
    if (text.size() > digit + 1 && text[digit] == '0' &&
        text.find_first_not_of("0123456789", digit) == std::string_view::npos) {
      throw YamlFault{"'" + std::string(text) +
                      "' is octal for some readers; put it in quotes"};
    }
    const std::string_view number = text[0] == '+' ? text.substr(1) : text;
    int64_t as_int = 0;
    if (ParseInt(number, &as_int)) return Json(as_int);
    double as_double = 0;
    if (ParseDouble(number, &as_double)) return Json(as_double);
  }
  return Json(std::string(text));
}

}  // namespace t2t
