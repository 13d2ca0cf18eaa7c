#include "launch/render/params.h"

#include <algorithm>
#include <cmath>

#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

bool IsLowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool IsAlnum(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z'); }

[[noreturn]] void WrongValue(const ParamSpec& spec, const std::string& value,
                             const std::string& expected) {
  throw UsageError("the parameter " + spec.name + " can't be '" + value + "'",
                   expected,
                   "t2t-launch prototype describe NAME lists parameters");
}

std::string ScalarText(const ParamSpec& spec, const Json& raw) {
  switch (raw.type()) {
    case Json::Type::kNull:
      return "";
    case Json::Type::kBool:
      return raw.AsBool() ? "true" : "false";
    case Json::Type::kInt:
      return std::to_string(raw.AsInt());
    case Json::Type::kDouble:
      return DoubleToString(raw.AsDouble());
    case Json::Type::kString:
      return raw.AsString();
    default:
      WrongValue(spec, raw.ToString().substr(0, 60), "one value");
  }
}

Json ConvertScalar(const ParamSpec& spec, const std::string& text) {
  switch (spec.type) {
    case ParamType::kInt: {
      int64_t value = 0;
      if (!ParseInt(text, &value) || value < spec.least || value > spec.most) {
        WrongValue(spec, text,
                   "a whole number from " + std::to_string(spec.least) +
                       " to " + std::to_string(spec.most));
      }
      return Json(value);
    }
    case ParamType::kBool: {
      bool value = false;
      if (!ParseBool(text, &value)) WrongValue(spec, text, "true or false");
      return Json(value);
    }
    case ParamType::kQuantity:
      // Empty only where empty means something.
      if (text.empty() ? !spec.initial.AsString().empty() : !IsQuantity(text)) {
        WrongValue(spec, text, "a quantity as '2', '500m' or '4Gi'");
      }
      return Json(text);
    case ParamType::kName:
      if (!text.empty() && !IsDnsName(text)) {
        WrongValue(spec, text,
                   "lower case letters, digits and '-' (a DNS label)");
      }
      return Json(text);
    default:
      if (!spec.choices.empty() &&
          std::find(spec.choices.begin(), spec.choices.end(), text) ==
              spec.choices.end()) {
        const std::string near = DidYouMean(text, spec.choices);
        WrongValue(spec, text,
                   "one of " + Join(spec.choices, ", ") +
                       (near.empty() ? "" : "; " + near));
      }
      return Json(text);
  }
}

}  // namespace

std::string ParamTypeName(ParamType type) {
  switch (type) {
    case ParamType::kString:
      return "string";
    case ParamType::kInt:
      return "int";
    case ParamType::kBool:
      return "bool";
    case ParamType::kQuantity:
      return "quantity";
    case ParamType::kName:
      return "name";
    case ParamType::kList:
      return "list";
    case ParamType::kMap:
      return "map";
  }
  return "";
}

Json ConvertParam(const ParamSpec& spec, const Json& raw) {
  if (spec.type == ParamType::kList) {
    Json list = Json::Array();
    if (raw.is_array()) {
      for (const Json& item : raw.items()) {
        list.Append(Json(ScalarText(spec, item)));
      }
    } else if (!raw.is_null()) {
      return ConvertParamText(spec, ScalarText(spec, raw));
    }
    return list;
  }
  if (spec.type == ParamType::kMap) {
    Json map = Json::Object();
    if (raw.is_object()) {
      for (const auto& [key, value] : raw.members()) {
        map.Set(key, Json(ScalarText(spec, value)));
      }
    } else if (!raw.is_null()) {
      return ConvertParamText(spec, ScalarText(spec, raw));
    }
    return map;
  }
  return ConvertScalar(spec, ScalarText(spec, raw));
}

Json ConvertParamText(const ParamSpec& spec, const std::string& text) {
  const std::string trimmed(Trim(text));
  if (spec.type == ParamType::kList) {
    if (StartsWith(trimmed, "[")) {
      return ConvertParam(spec, ParseYaml(trimmed));
    }
    Json list = Json::Array();
    if (trimmed.empty()) return list;
    for (const std::string& item : Split(text, ',')) {
      list.Append(Json(std::string(Trim(item))));
    }
    return list;
  }
  if (spec.type == ParamType::kMap) {
    if (StartsWith(trimmed, "{")) {
      return ConvertParam(spec, ParseYaml(trimmed));
    }
    Json map = Json::Object();
    if (trimmed.empty()) return map;
    for (const std::string& item : Split(text, ',')) {
      const size_t equals = item.find('=');
      if (equals == std::string::npos) {
        WrongValue(spec, text, "name=value,name=value");
      }
      map.Set(std::string(Trim(item.substr(0, equals))),
              Json(std::string(Trim(item.substr(equals + 1)))));
    }
    return map;
  }
  return ConvertScalar(spec, text);
}

std::string ParamText(const Json& value) {
  switch (value.type()) {
    case Json::Type::kNull:
      return "";
    case Json::Type::kString:
      return value.AsString();
    case Json::Type::kBool:
      return value.AsBool() ? "true" : "false";
    default:
      return value.ToString();
  }
}

Params::Params(std::vector<ParamSpec> specs) : specs_(std::move(specs)) {
  for (const ParamSpec& spec : specs_) {
    values_.emplace(spec.name,
                    Value{{kDefaultSource, ConvertParam(spec, spec.initial)}});
  }
}

const ParamSpec& Params::Spec(const std::string& name) const {
  std::vector<std::string> names;
  for (const ParamSpec& spec : specs_) {
    if (spec.name == name) return spec;
    names.push_back(spec.name);
  }
  throw UsageError("there is no parameter '" + name + "'",
                   DidYouMean(name, names),
                   "t2t-launch prototype describe NAME lists parameters");
}

const Params::Value& Params::At(const std::string& name) const {
  Spec(name);
  return values_.at(name);
}

void Params::Put(const ParamSpec& spec, Json value, const std::string& source) {
  Value& place = values_.at(spec.name);
  place.hidden.push_back(std::move(place));
  static_cast<Layer&>(place) = {source, std::move(value)};
}

void Params::SetFact(const std::string& name, const Json& raw,
                     const std::string& fact) {
  const ParamSpec& spec = Spec(name);
  Value& place = values_.at(name);
  Layer layer{kFactSource, ConvertParam(spec, raw), fact};
  if (place.source == kFactSource) {
    static_cast<Layer&>(place) = std::move(layer);
  } else if (place.source == kDefaultSource) {
    place.hidden.push_back(std::move(place));
    static_cast<Layer&>(place) = std::move(layer);
  } else if (place.hidden.size() > 1 && place.hidden[1].source == kFactSource) {
    place.hidden[1] = std::move(layer);
  } else {
    place.hidden.insert(place.hidden.begin() + 1, std::move(layer));
  }
}

void Params::Set(const std::string& name, const Json& raw,
                 const std::string& source) {
  const ParamSpec& spec = Spec(name);
  Put(spec, ConvertParam(spec, raw), source);
}

void Params::SetText(const std::string& name, const std::string& text,
                     const std::string& source) {
  const ParamSpec& spec = Spec(name);
  Put(spec, ConvertParamText(spec, text), source);
}

std::string Params::String(const std::string& name) const {
  return At(name).value.AsString();
}

int64_t Params::Int(const std::string& name) const {
  return At(name).value.AsInt();
}

bool Params::Bool(const std::string& name) const {
  return At(name).value.AsBool();
}

std::vector<std::string> Params::List(const std::string& name) const {
  std::vector<std::string> list;
  for (const Json& item : At(name).value.items()) {
    list.push_back(item.AsString());
  }
  return list;
}

std::vector<std::pair<std::string, std::string>> Params::Map(
    const std::string& name) const {
  std::vector<std::pair<std::string, std::string>> map;
  for (const auto& [key, value] : At(name).value.members()) {
    map.emplace_back(key, value.AsString());
  }
  return map;
}

std::string LayersText(const Params::Value& value) {
  std::string text;
  const auto add = [&](const Params::Layer& layer, const char* note) {
    text += "  " + layer.source + ": " + YamlScalar(ParamText(layer.value)) +
            note + "\n";
    if (!layer.fact.empty()) text += "      (" + layer.fact + ")\n";
  };
  for (const Params::Layer& layer : value.hidden) add(layer, " (hidden)");
  add(value, "");
  return text;
}

bool IsDnsLabel(std::string_view text, size_t most) {
  if (text.empty() || text.size() > most || !IsLowerOrDigit(text.front()) ||
      !IsLowerOrDigit(text.back())) {
    return false;
  }
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

bool IsDnsName(std::string_view text) {
  if (text.size() > 253) return false;
  for (const std::string& label : Split(text, '.')) {
    if (!IsDnsLabel(label)) return false;
  }
  return true;
}

bool IsQuantity(std::string_view text) {
  size_t i = 0;
  size_t digits = 0;
  bool point = false;
  for (; i < text.size() &&
         ((text[i] >= '0' && text[i] <= '9') || (text[i] == '.' && !point));
       ++i) {
    point = point || text[i] == '.';
    digits += text[i] != '.';
  }
  if (digits == 0 || digits > 15 || text.back() == '.') return false;
  const std::string_view suffix = text.substr(i);
  for (const char* const known :
       {"", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"}) {
    if (suffix == known) return true;
  }
  return false;
}

double QuantityValue(std::string_view text) {
  const size_t end =
      std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  ParseDouble(text.substr(0, end), &value);
  const std::string_view suffix = text.substr(end);
  if (suffix.empty()) return value;
  if (suffix == "m") return value / 1000;
  static constexpr std::string_view kPrefixes = "kMGTP";
  const char first = suffix[0] == 'K' ? 'k' : suffix[0];
  const double power = static_cast<double>(kPrefixes.find(first)) + 1;
  return value * std::pow(suffix.size() == 2 ? 1024.0 : 1000.0, power);
}

bool IsLabelValue(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() > 63 || !IsAlnum(text.front()) || !IsAlnum(text.back())) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlnum(c) || c == '-' || c == '_' || c == '.';
  });
}

bool IsLabelKey(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return !text.empty() && IsLabelValue(text);
  }
  return IsDnsName(text.substr(0, slash)) && slash + 1 < text.size() &&
         IsLabelValue(text.substr(slash + 1));
}

bool IsVariableName(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlnum(c) || c == '_'; });
}

}  // namespace t2t
