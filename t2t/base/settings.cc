#include "t2t/base/settings.h"

#include <algorithm>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsNamePart(char c) {
  return IsLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

std::string_view WithoutLeadingSpace(std::string_view text) {
  return text.substr(
      std::min(text.find_first_not_of(" \t\n\r\f\v"), text.size()));
}

// The name where a setting begins here, else "".
std::string_view NameAt(std::string_view text) {
  text = WithoutLeadingSpace(text);
  const std::string_view name = text.substr(0, SettingNameLength(text));
  std::string_view rest = text.substr(name.size());
  if (!rest.empty() && rest[0] == '[') {  // an index
    rest = rest.substr(std::min(rest.find(']'), rest.size() - 1) + 1);
  }
  rest = WithoutLeadingSpace(rest);
  return !rest.empty() && rest[0] == '=' ? name : std::string_view();
}

// Where the setting that text begins with ends: at a comma, or at its end.
size_t EndOfSetting(std::string_view text) {
  const size_t equals = std::min(text.find('='), text.size() - 1);
  const std::string_view value = WithoutLeadingSpace(text.substr(equals + 1));
  size_t at = text.size() - value.size();
  if (!value.empty() && value[0] == '[') {
    at = std::min(text.find(']', at), text.size());
  }
  for (at = text.find(',', at); at != std::string_view::npos;
       at = text.find(',', at + 1)) {
    const std::string_view rest = text.substr(at + 1);
    if (Trim(rest).empty() || !NameAt(rest).empty()) return at;
  }
  return text.size();
}

}  // namespace

size_t SettingNameLength(std::string_view text) {
  if (text.empty() || !IsLetter(text[0])) return 0;
  const auto end = std::find_if_not(text.begin(), text.end(), IsNamePart);
  return static_cast<size_t>(end - text.begin());
}

std::vector<Setting> SplitSettings(std::string_view text) {
  std::vector<Setting> settings;
  while (!Trim(text).empty()) {
    const size_t end = EndOfSetting(text);
    settings.push_back(
        {std::string(NameAt(text)), std::string(text.substr(0, end))});
    text = text.substr(std::min(end + 1, text.size()));
  }
  return settings;
}

std::string JoinSettings(std::string_view earlier, std::string_view later) {
  const std::vector<Setting> last = SplitSettings(later);
  std::vector<std::string> texts;
  for (Setting& setting : SplitSettings(earlier)) {
    const bool again =
        !setting.name.empty() &&
        std::any_of(last.begin(), last.end(), [&](const Setting& other) {
          return other.name == setting.name;
        });
    if (!again) texts.push_back(std::move(setting.text));
  }
  if (texts.empty()) return std::string(later);
  if (last.empty()) return std::string(earlier);
  return Join(texts, ",") + "," + std::string(later);
}

}  // namespace t2t
