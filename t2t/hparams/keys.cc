#include "t2t/hparams/keys.h"

#include <map>

namespace t2t {

bool HParamKey::Takes(const HParams::Value& value) const {
  switch (type) {
    case Type::kBool:
      return std::holds_alternative<bool>(value);
    case Type::kInt:
      return std::holds_alternative<int64_t>(value);
    case Type::kNumber:
      return std::holds_alternative<double>(value);
    case Type::kText:
      return std::holds_alternative<std::string>(value);
    case Type::kInts:
      return std::holds_alternative<std::vector<int64_t>>(value);
    case Type::kNumbers:
      return std::holds_alternative<std::vector<double>>(value);
    case Type::kTexts:
      return std::holds_alternative<std::vector<std::string>>(value);
    case Type::kIntOrInts:
      return std::holds_alternative<int64_t>(value) ||
             std::holds_alternative<std::vector<int64_t>>(value);
    case Type::kTextOrTexts:
      return std::holds_alternative<std::string>(value) ||
             std::holds_alternative<std::vector<std::string>>(value);
  }
  return false;
}

std::vector<const HParamKey*> HParamKeys() {
  std::vector<const HParamKey*> keys;
  for (const std::span<const HParamKey> theme :
       {CommonKeys(), TransformerKeys(), AttentionKeys(), SequenceKeys(),
        ImageKeys(), LatentKeys(), VideoKeys(), ReinforcementKeys()}) {
    for (const HParamKey& key : theme) keys.push_back(&key);
  }
  return keys;
}

const HParamKey* FindHParamKey(const std::string& name) {
  static const auto* const by_name = [] {
    auto* const keys = new std::map<std::string, const HParamKey*>;
    for (const HParamKey* const key : HParamKeys()) (*keys)[key->name] = key;
    return keys;
  }();
  const auto found = by_name->find(name);
  return found == by_name->end() ? nullptr : found->second;
}

const char* TypeText(HParamKey::Type type) {
  switch (type) {
    case HParamKey::Type::kBool:
      return "true or false";
    case HParamKey::Type::kInt:
      return "a whole number";
    case HParamKey::Type::kNumber:
      return "a number";
    case HParamKey::Type::kText:
      return "a string";
    case HParamKey::Type::kInts:
      return "a list of whole numbers";
    case HParamKey::Type::kNumbers:
      return "a list of numbers";
    case HParamKey::Type::kTexts:
      return "a list of strings";
    case HParamKey::Type::kIntOrInts:
      return "a whole number or a list of them";
    case HParamKey::Type::kTextOrTexts:
      return "a string or a list of them";
  }
  return "";
}

HParams InitialHParams() {
  HParams hparams;
  for (const HParamKey& key : CommonKeys()) {
    if (key.initial) hparams.Add(key.name, key.initial->ToValue());
  }
  return hparams;
}

}  // namespace t2t
