#include "launch/render/component.h"

#include <string>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

Json Object(std::initializer_list<std::pair<std::string, Json>> members) {
  Json object = Json::Object();
  for (const auto& [key, value] : members) object.Set(key, value);
  return object;
}

Json List(std::initializer_list<Json> items) {
  Json list = Json::Array();
  for (const Json& item : items) list.Append(item);
  return list;
}

Json Strings(const std::vector<std::string>& items) {
  Json list = Json::Array();
  for (const std::string& item : items) list.Append(Json(item));
  return list;
}

std::string EscapeDollars(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) out.append(c == '$' ? 2 : 1, c);
  return out;
}

std::string ExpandVariables(
    std::string_view text,
    const std::function<const std::string*(const std::string&)>& find) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char next = text[i + 1];
    const size_t end = next == '(' ? text.find(')', i) : std::string_view::npos;
    if (next == '$') {
      out += '$';
      ++i;
    } else if (end != std::string_view::npos) {
      const std::string name(text.substr(i + 2, end - i - 2));
      const std::string* const value = find(name);
      out += value != nullptr ? *value : "$(" + name + ")";
      i = end;
    } else {
      out += '$';
    }
  }
  return out;
}

std::string FlagArgument(const std::string& name, const std::string& value) {
  if (value.find('\0') != std::string::npos) {
    throw UsageError("--" + name + " has a NUL byte in it",
                     "text that a program's argument can be");
  }
  return "--" + name + "=" + EscapeDollars(value);
}

void AddArguments(const Component& component, const std::string& param,
                  std::vector<std::string>* arguments) {
  for (const std::string& argument : component.params.List(param)) {
    if (!StartsWith(argument, "--")) {
      throw UsageError("the parameter " + param + " has '" + argument + "'",
                       "flags: --name=value");
    }
    arguments->push_back(EscapeDollars(argument));
  }
}

}  // namespace t2t
