#include "t2t/hparams/key_rules.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <variant>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

std::vector<std::string> Choices(const KeyRule& rule) {
  std::vector<std::string> choices = Split(rule.choices, ' ');
  std::replace(choices.begin(), choices.end(), std::string("-"), std::string());
  return choices;
}

// Without the empty text, which nobody would write.
std::vector<std::string> NamedChoices(const KeyRule& rule) {
  std::vector<std::string> choices = Choices(rule);
  std::erase(choices, "");
  return choices;
}

class Checker {
 public:
  Checker(const HParams& hparams, const KeyRule& rule, const std::string& kind)
      : value_(hparams.Get(rule.name)), rule_(rule), kind_(kind) {}

  void Check() const {
    switch (rule_.kind) {
      case KeyRule::Kind::kNumber:
        CheckNumbers();
        break;
      case KeyRule::Kind::kChoice:
        if (const std::string* text = Text()) CheckChoice(*text);
        break;
      case KeyRule::Kind::kProduct:
        if (const std::string* text = Text()) CheckProduct(*text);
        break;
      case KeyRule::Kind::kLetters:
        if (const std::string* text = Text()) CheckLetters(*text);
        break;
      case KeyRule::Kind::kInts:
        if (const std::string* text = Text()) CheckInts(*text);
        break;
    }
  }

 private:
  const std::string* Text() const { return std::get_if<std::string>(&value_); }

  [[noreturn]] void Fail(const std::string& expected,
                         const std::string& todo = "") const {
    throw UsageError(
        kind_ + " " + rule_.name + "=" + HParams::ValueToString(value_),
        expected, todo);
  }

  void CheckNumber(double number) const {
    if (!std::isfinite(number) || !rule_.range.Contains(number)) {
      Fail(rule_.range.Text());
    }
  }

  void CheckNumbers() const {
    std::visit(
        [this](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, int64_t> ||
                        std::is_same_v<T, double>) {
            CheckNumber(static_cast<double>(value));
          } else if constexpr (std::is_same_v<T, std::vector<int64_t>> ||
                               std::is_same_v<T, std::vector<double>>) {
            for (const auto item : value) {
              CheckNumber(static_cast<double>(item));
            }
          }
        },
        value_);
  }

  void CheckChoice(const std::string& text) const {
    const std::vector<std::string> choices = Choices(rule_);
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      const std::vector<std::string> named = NamedChoices(rule_);
      Fail(ChoicesText(named), DidYouMean(text, named));
    }
  }

  void CheckProduct(const std::string& text) const {
    for (const std::string& part : Split(text, '*')) {
      const std::string factor(Trim(part));
      const std::vector<std::string> factors = Choices(rule_);
      if (factor.empty() ||
          std::find(factors.begin(), factors.end(), factor) != factors.end()) {
        continue;
      }
      throw UsageError("hparam " + std::string(rule_.name) + "=" + text +
                           ": there is no factor '" + factor + "'",
                       DidYouMean(factor, factors),
                       "with '*' between: " + ChoicesText(factors));
    }
  }

  void CheckLetters(const std::string& text) const {
    if (text == "none") return;
    for (const char letter : text) {
      if (std::string_view(rule_.choices).find(letter) ==
          std::string_view::npos) {
        Fail("of the letters " + ChoicesText(NamedChoices(rule_)) +
             ", or none");
      }
    }
  }

  void CheckInts(const std::string& text) const {
    for (const std::string& part : Split(text, ',')) {
      int64_t number = 0;
      if (part.empty()) continue;
      if (!ParseInt(part, &number)) {
        Fail("whole numbers with commas between");
      }
      if (!rule_.range.Contains(static_cast<double>(number))) {
        Fail(rule_.range.Text());
      }
    }
  }

  const HParams::Value& value_;
  const KeyRule& rule_;
  const std::string& kind_;
};

void RefuseNan(const HParams& hparams, const std::string& kind) {
  for (const std::string& name : hparams.Names()) {
    const HParams::Value& value = hparams.Get(name);
    const double* const number = std::get_if<double>(&value);
    if (number != nullptr && std::isnan(*number)) {
      throw UsageError(kind + " " + name + "=nan", "a number");
    }
  }
}

// Attention over heads of one size.
void CheckHeads(const HParams& h) {
  if (!h.Has("self_attention_type") || !h.Has("num_heads") ||
      !h.Has("hidden_size")) {
    return;
  }
  const int64_t heads = h.GetInt("num_heads");
  for (const char* const name :
       {"attention_key_channels", "attention_value_channels"}) {
    const bool own = h.Has(name) && h.GetInt(name) != 0;
    const std::string of = own ? name : "hidden_size";
    const int64_t channels = h.GetInt(of);
    if (channels % heads == 0) continue;
    throw UsageError("hparam num_heads=" + std::to_string(heads) + " with " +
                         of + "=" + std::to_string(channels),
                     "a number of heads that divides " + of,
                     "change num_heads or " + of + " in --hparams");
  }
}

}  // namespace

KeyRule NumberRule(const char* name, Range range) {
  return {name, KeyRule::Kind::kNumber, range, ""};
}

KeyRule ChoiceRule(const char* name, const char* choices) {
  return {name, KeyRule::Kind::kChoice, {}, choices};
}

void CheckByRules(const HParams& hparams, const std::vector<KeyRule>& rules,
                  const std::string& kind) {
  for (const KeyRule& rule : rules) {
    if (hparams.Has(rule.name)) Checker(hparams, rule, kind).Check();
  }
  RefuseNan(hparams, kind);
}

const std::vector<KeyRule>& KeyRules() {
  static const auto* const rules = [] {
    auto* const all = new std::vector<KeyRule>;
    for (const HParamKey* const key : HParamKeys()) {
      if (!key->rule) continue;
      all->push_back(*key->rule);
      all->back().name = key->name;
    }
    return all;
  }();
  return *rules;
}

void CheckHParams(const HParams& hparams) {
  CheckByRules(hparams, KeyRules());
  CheckHeads(hparams);
}

std::vector<std::string> HParamChoices(const std::string& name) {
  for (const KeyRule& rule : KeyRules()) {
    if (rule.name == name) return NamedChoices(rule);
  }
  return {};
}

}  // namespace t2t
