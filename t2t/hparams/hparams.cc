#include "t2t/hparams/hparams.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

const char* TypeName(const HParams::Value& value) {
  static const char* const kNames[] = {
      "true or false",    "a whole number",          "a number",
      "a string",         "a list of whole numbers", "a list of numbers",
      "a list of strings"};
  return kNames[value.index()];
}

// As Python's int() and float() see a text: blanks around it, and '_' between
// digits, do not count.
bool PlainNumber(std::string_view text, std::string* plain) {
  text = Trim(text);
  const auto digit = [&](size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      *plain += text[i];
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return false;
    }
  }
  return true;
}

bool ParsePythonInt(std::string_view text, int64_t* value) {
  std::string plain;
  return PlainNumber(text, &plain) && ParseInt(plain, value);
}

bool ParsePythonDouble(std::string_view text, double* value) {
  std::string plain;
  return PlainNumber(text, &plain) && plain.find('(') == std::string::npos &&
         ParseDouble(plain, value);
}

// T2T's: no other spelling, and any whole number.
bool ParsePythonBool(std::string_view text, bool* value) {
  int64_t number = 0;
  *value = text == "true" || text == "True";
  if (*value || text == "false" || text == "False") return true;
  if (!ParsePythonInt(text, &number)) return false;
  *value = number != 0;
  return true;
}

bool ParseLike(const HParams::Value& like, std::string_view text,
               HParams::Value* value);

// Commas and blanks divide the items.
template <typename T>
bool ParseList(std::string_view text, HParams::Value* value) {
  text = Trim(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  std::vector<T> list;
  for (const std::string& part :
       Split(ReplaceAll(std::string(text), " ", ","), ',')) {
    if (part.empty()) continue;
    HParams::Value item;
    if (!ParseLike(HParams::Value(T{}), part, &item)) return false;
    list.push_back(std::get<T>(item));
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
      if (!ParsePythonBool(text, &as_bool)) return false;
      *value = as_bool;
      return true;
    case 1:
      if (!ParsePythonInt(text, &as_int)) return false;
      *value = as_int;
      return true;
    case 2:
      if (!ParsePythonDouble(text, &as_double)) return false;
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

bool IsList(const HParams::Value& value) { return value.index() >= 4; }

// One "name=value" of HParams::Parse.
class SettingReader {
 public:
  explicit SettingReader(std::string_view text) : text_(text), rest_(text) {
    name_ = std::string(Take(SettingNameLength(rest_)));
    if (name_.empty()) Fail("a name, which no blank stands before");
    if (!rest_.empty() && rest_[0] == '[') {
      throw UsageError("hparam " + std::string(text_) +
                           ": an item of a list can't be set alone",
                       "the whole list: " + name_ + "=[1,2]");
    }
    SkipSpace();
    if (rest_.empty() || rest_[0] != '=') Fail("name=value,name=value");
    Take(1);
    SkipSpace();
  }

  const std::string& name() const { return name_; }

  HParams::Value ValueLike(const HParams::Value& old) const {
    const bool brackets = !rest_.empty() && rest_[0] == '[';
    const size_t end = rest_.find(']');
    if (brackets && end == std::string_view::npos) {
      throw UsageError("hparam " + name_ + ": the list does not end", "a ']'");
    }
    HParams::Value value;
    if (brackets != IsList(old) ||
        (brackets ? end + 1 != rest_.size()
                  : rest_.find('[') != std::string_view::npos) ||
        !ParseLike(old, rest_, &value)) {
      throw UsageError(
          "hparam " + name_ + "=" + std::string(rest_) + " can't be read",
          TypeName(old), IsList(old) ? "write " + name_ + "=[1,2]" : "");
    }
    return value;
  }

 private:
  std::string_view Take(size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  void SkipSpace() {
    Take(std::min(rest_.find_first_not_of(" \t\n\r\f\v"), rest_.size()));
  }
  [[noreturn]] void Fail(const std::string& expected) const {
    throw UsageError("hparams can't be read at '" + std::string(text_) + "'",
                     expected);
  }

  std::string_view text_;
  std::string_view rest_;
  std::string name_;
};

}  // namespace

void HParams::Add(const std::string& name, bool value) {
  Add(name, Value(value));
}
void HParams::Add(const std::string& name, int value) {
  Add(name, Value(static_cast<int64_t>(value)));
}
void HParams::Add(const std::string& name, int64_t value) {
  Add(name, Value(value));
}
void HParams::Add(const std::string& name, double value) {
  Add(name, Value(value));
}
void HParams::Add(const std::string& name, const char* value) {
  Add(name, Value(std::string(value)));
}
void HParams::Add(const std::string& name, std::string value) {
  Add(name, Value(std::move(value)));
}
void HParams::Add(const std::string& name, Value value) {
  const auto [found, is_new] = values_.emplace(name, value);
  if (is_new) return;
  throw Error(ExitCode::kInternal,
              "hparam " + name + " is there already, as " +
                  ValueToString(found->second) + " (" +
                  TypeName(found->second) + "); it can't be added as " +
                  ValueToString(value) + " (" + TypeName(value) + ")",
              "a new name", "HParams::Set changes a value of the same type");
}

void HParams::SetValue(const std::string& name, Value value) {
  const Value& old = Get(name);
  if (old.index() != value.index()) {
    if (std::holds_alternative<double>(old) &&
        std::holds_alternative<int64_t>(value)) {
      value = static_cast<double>(std::get<int64_t>(value));
    } else {
      throw UsageError(
          "hparam " + name + " can't be set to " + ValueToString(value),
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
  std::set<std::string> seen;
  // (The blanks after a comma are not the next name's.)
  bool first = true;
  for (const Setting& setting : SplitSettings(text)) {
    const std::string_view whole = setting.text;
    const SettingReader reader(
        first ? whole
              : whole.substr(
                    std::min(whole.find_first_not_of(' '), whole.size())));
    first = false;
    const std::string& name = reader.name();
    const auto found = changed.values_.find(name);
    if (found == changed.values_.end()) {
      throw UsageError("there is no hparam '" + name + "'",
                       DidYouMean(name, Names()));
    }
    if (!seen.insert(name).second) {
      throw UsageError(
          "hparam " + name + " stands twice in '" + std::string(text) + "'",
          "each name once");
    }
    found->second = reader.ValueLike(found->second);
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

// A whole number that no int64 can hold would be another number as a double.
void RefuseBeyondInt64(const std::string& name, const Json& json) {
  if (json.is_array()) {
    for (const Json& item : json.items()) RefuseBeyondInt64(name, item);
  }
  if (json.is_beyond_int64()) {
    throw UsageError("hparam " + name + " is " + json.ToString() +
                         " as JSON, which no 64 bits hold",
                     "-9223372036854775808 to 9223372036854775807");
  }
}

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
          list.push_back(item.is_string() ? item.AsString() : item.ToString());
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
    RefuseBeyondInt64(name, member);
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
      if (found->second.index() == 1 && std::holds_alternative<double>(value) &&
          std::abs(std::get<double>(value)) < 0x1p63 &&
          std::get<double>(value) == static_cast<double>(static_cast<int64_t>(
                                         std::get<double>(value)))) {
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
    RefuseBeyondInt64(name, member);
    if (FromJsonValue(member, &value)) hparams.values_[name] = value;
  }
  return hparams;
}

HParamsRegistry& HParamsSets() {
  static auto* const sets = new HParamsRegistry("hparams set");
  return *sets;
}

HParams MakeHParams(const std::string& set, const std::string& overrides) {
  HParams hparams = HParamsSets().Get(set)();
  hparams.Parse(overrides);
  return hparams;
}

}  // namespace t2t
