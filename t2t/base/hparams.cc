#include "t2t/base/hparams.h"

#include <type_traits>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

const char* TypeName(const HParams::Value& value) {
  static const char* const kNames[] = {
      "true or false",  "a whole number",         "a number",
      "a string",       "a list of whole numbers", "a list of numbers",
      "a list of strings"};
  return kNames[value.index()];
}

bool ParseLike(const HParams::Value& like, std::string_view text,
               HParams::Value* value);

template <typename T>
bool ParseList(std::string_view text, HParams::Value* value) {
  text = Trim(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  std::vector<T> list;
  if (!Trim(text).empty()) {
    for (const std::string& part : Split(text, ',')) {
      HParams::Value item;
      if (!ParseLike(HParams::Value(T{}), Trim(part), &item)) return false;
      list.push_back(std::get<T>(item));
    }
  }
  *value = std::move(list);
  return true;
}

bool ParseLike(const HParams::Value& like, std::string_view text,
               HParams::Value* value) {
  bool as_bool = false;
  int64_t as_int = 0;
  double as_double = 0;
  switch (like.index()) {
    case 0:
      if (!ParseBool(text, &as_bool)) return false;
      *value = as_bool;
      return true;
    case 1:
      if (!ParseInt(text, &as_int)) return false;
      *value = as_int;
      return true;
    case 2:
      if (!ParseDouble(text, &as_double)) return false;
      *value = as_double;
      return true;
    case 3:
      *value = std::string(text);
      return true;
    case 4:
      return ParseList<int64_t>(text, value);
    case 5:
      return ParseList<double>(text, value);
    default:
      return ParseList<std::string>(text, value);
  }
}

}  // namespace

void HParams::Add(const std::string& name, bool value) {
  values_[name] = value;
}
void HParams::Add(const std::string& name, int value) {
  values_[name] = static_cast<int64_t>(value);
}
void HParams::Add(const std::string& name, int64_t value) {
  values_[name] = value;
}
void HParams::Add(const std::string& name, double value) {
  values_[name] = value;
}
void HParams::Add(const std::string& name, const char* value) {
  values_[name] = std::string(value);
}
void HParams::Add(const std::string& name, std::string value) {
  values_[name] = std::move(value);
}
void HParams::Add(const std::string& name, Value value) {
  values_[name] = std::move(value);
}

void HParams::SetValue(const std::string& name, Value value) {
  const Value& old = Get(name);
  if (old.index() != value.index()) {
    if (std::holds_alternative<double>(old) &&
        std::holds_alternative<int64_t>(value)) {
      value = static_cast<double>(std::get<int64_t>(value));
    } else {
      throw UsageError("hparam " + name + " can't be set to " +
                           ValueToString(value),
                       TypeName(old));
    }
  }
  values_[name] = std::move(value);
}

const HParams::Value& HParams::Get(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    throw UsageError("there is no hparam '" + name + "'",
                     DidYouMean(name, Names()));
  }
  return found->second;
}

bool HParams::GetBool(const std::string& name) const {
  const Value& value = Get(name);
  if (const bool* as_bool = std::get_if<bool>(&value)) return *as_bool;
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "true or false");
}

int64_t HParams::GetInt(const std::string& name) const {
  const Value& value = Get(name);
  if (const int64_t* as_int = std::get_if<int64_t>(&value)) return *as_int;
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "a whole number");
}

double HParams::GetDouble(const std::string& name) const {
  const Value& value = Get(name);
  if (const double* as_double = std::get_if<double>(&value)) return *as_double;
  if (const int64_t* as_int = std::get_if<int64_t>(&value)) {
    return static_cast<double>(*as_int);
  }
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "a number");
}

const std::string& HParams::GetString(const std::string& name) const {
  const Value& value = Get(name);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "a string");
}

std::vector<int64_t> HParams::GetInts(const std::string& name) const {
  const Value& value = Get(name);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    return *list;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    Value list;
    if (ParseList<int64_t>(*text, &list)) {
      return std::get<std::vector<int64_t>>(list);
    }
  }
  if (const int64_t* one = std::get_if<int64_t>(&value)) return {*one};
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "a list of whole numbers");
}

std::vector<std::string> HParams::GetStrings(const std::string& name) const {
  const Value& value = Get(name);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    return *list;
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (text->empty()) return {};
    return Split(*text, ',');
  }
  throw UsageError("hparam " + name + " is " + ValueToString(value),
                   "a list of strings");
}

std::vector<std::string> HParams::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_) names.push_back(name);
  return names;
}

void HParams::Parse(std::string_view text) {
  HParams changed = *this;
  size_t at = 0;
  while (at < text.size()) {
    if (Trim(text.substr(at)).empty()) break;
    const size_t equals = text.find('=', at);
    if (equals == std::string_view::npos) {
      throw UsageError("--hparams can't be read at '" +
                           std::string(text.substr(at)) + "'",
                       "name=value,name=value");
    }
    const std::string name(Trim(text.substr(at, equals - at)));
    const Value& old = changed.Get(name);
    size_t start = equals + 1;
    size_t end;
    if (start < text.size() && text[start] == '[') {
      end = text.find(']', start);
      if (end == std::string_view::npos) {
        throw UsageError("--hparams: the list of " + name + " does not end",
                         "a ']'");
      }
      ++end;
    } else {
      end = text.find(',', start);
      // A string may hold commas where what follows is no "name=".
      while (end != std::string_view::npos && old.index() == 3) {
        const size_t next_equals = text.find('=', end);
        const size_t next_comma = text.find(',', end + 1);
        if (next_equals == std::string_view::npos ||
            next_comma < next_equals) {
          end = next_comma;
        } else {
          break;
        }
      }
      if (end == std::string_view::npos) end = text.size();
    }
    const std::string_view value_text = text.substr(start, end - start);
    Value value;
    if (!ParseLike(old, old.index() == 3 ? value_text : Trim(value_text),
                   &value)) {
      throw UsageError("hparam " + name + "=" + std::string(value_text) +
                           " can't be read",
                       TypeName(old));
    }
    changed.values_[name] = std::move(value);
    if (end < text.size() && text[end] != ',') {
      throw UsageError("--hparams can't be read at '" +
                           std::string(text.substr(end)) + "'",
                       "a comma");
    }
    at = end + 1;
  }
  *this = std::move(changed);
}

std::string HParams::ValueToString(const Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return std::to_string(v);
        } else if constexpr (std::is_same_v<T, double>) {
          return DoubleToString(v);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return v;
        } else {
          std::string text = "[";
          for (size_t i = 0; i < v.size(); ++i) {
            if (i > 0) text += ",";
            text += ValueToString(Value(v[i]));
          }
          return text + "]";
        }
      },
      value);
}

Json HParams::ToJsonValue() const {
  Json object = Json::Object();
  for (const auto& [name, value] : values_) {
    object.Set(name, std::visit(
                         [](const auto& v) -> Json {
                           using T = std::decay_t<decltype(v)>;
                           if constexpr (std::is_constructible_v<Json, T>) {
                             return Json(v);
                           } else {
                             Json array = Json::Array();
                             for (const auto& item : v) array.Append(item);
                             return array;
                           }
                         },
                         value));
  }
  return object;
}

std::string HParams::ToJson(int indent) const {
  return ToJsonValue().ToString(indent);
}

namespace {

bool FromJsonValue(const Json& json, HParams::Value* value) {
  switch (json.type()) {
    case Json::Type::kBool:
      *value = json.AsBool();
      return true;
    case Json::Type::kInt:
      *value = json.AsInt();
      return true;
    case Json::Type::kDouble:
      *value = json.AsDouble();
      return true;
    case Json::Type::kString:
      *value = json.AsString();
      return true;
    case Json::Type::kArray: {
      bool ints = true;
      bool numbers = true;
      for (const Json& item : json.items()) {
        ints = ints && item.is_int();
        numbers = numbers && item.is_number();
        if (!item.is_number() && !item.is_string()) return false;
      }
      if (ints) {
        std::vector<int64_t> list;
        for (const Json& item : json.items()) list.push_back(item.AsInt());
        *value = list;
      } else if (numbers) {
        std::vector<double> list;
        for (const Json& item : json.items()) list.push_back(item.AsDouble());
        *value = list;
      } else {
        std::vector<std::string> list;
        for (const Json& item : json.items()) {
          list.push_back(item.is_string() ? item.AsString()
                                          : item.ToString());
        }
        *value = list;
      }
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string> HParams::MergeJson(const Json& json) {
  std::vector<std::string> unknown;
  for (const auto& [name, member] : json.members()) {
    const auto found = values_.find(name);
    Value value;
    if (found == values_.end()) {
      unknown.push_back(name);
      continue;
    }
    if (member.is_null()) continue;
    if (!FromJsonValue(member, &value)) {
      unknown.push_back(name);
      continue;
    }
    const bool empty_list = member.is_array() && member.items().empty();
    if (empty_list && found->second.index() >= 4) {
      std::visit([](auto& v) { v = std::decay_t<decltype(v)>(); },
                 found->second);
    } else if (found->second.index() == value.index()) {
      found->second = std::move(value);
    } else {
      Value parsed;
      const std::string text = ValueToString(value);
      if (found->second.index() == 1 &&
          std::holds_alternative<double>(value) &&
          std::get<double>(value) ==
              static_cast<double>(
                  static_cast<int64_t>(std::get<double>(value)))) {
        found->second = static_cast<int64_t>(std::get<double>(value));
      } else if (ParseLike(found->second, text, &parsed)) {
        found->second = std::move(parsed);
      } else {
        throw UsageError("hparam " + name + "=" + text + " can't be read",
                         TypeName(found->second));
      }
    }
  }
  return unknown;
}

HParams HParams::FromJson(const Json& json) {
  HParams hparams;
  for (const auto& [name, member] : json.members()) {
    Value value;
    if (FromJsonValue(member, &value)) hparams.values_[name] = value;
  }
  return hparams;
}

Registry<HParams()>& HParamsSets() {
  static auto* const sets = new Registry<HParams()>("hparams set");
  return *sets;
}

HParams MakeHParams(const std::string& set, const std::string& overrides) {
  HParams hparams = HParamsSets().Get(set)();
  hparams.Parse(overrides);
  return hparams;
}

}  // namespace t2t
