#include "t2t/base/flags.h"

#include <absl/flags/marshalling.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/settings.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// In the environment of the ranks that t2t/distributed/launcher.h starts, with
// the flags that it has parsed itself.
constexpr char kLaunched[] = "T2T_LAUNCHED";

// Said once for a job, not by every rank.
void Note(const std::string& text) {
  if (std::getenv(kLaunched) != nullptr) return;
  std::fprintf(stderr, "note: %s\n", text.c_str());
}

// As Abseil reads a flag of type T: whole numbers in tens or "0x..", truth as
// true, t, yes, y, 1 and their opposites. It says why where it can't be read;
// the callers' messages say it in this project's form.
template <typename T>
bool Parsed(const std::string& text, T* value) {
  std::string error;
  return absl::ParseFlag(text, value, &error);
}

}  // namespace

Flags::Flags(std::string usage, std::string example)
    : usage_(std::move(usage)), example_(std::move(example)) {}

Flags::Flag& Flags::AddFlag(const std::string& name, Type type, void* value,
                            const std::string& help) {
  Flag flag{name, type, value, help, ""};
  flag.initial = ValueText(flag);
  flags_.push_back(std::move(flag));
  return flags_.back();
}

void Flags::Add(const std::string& name, std::string* value,
                const std::string& help, Kind kind) {
  AddFlag(name, Type::kString, value, help).kind = kind;
}

void Flags::Add(const std::string& name, int64_t* value,
                const std::string& help, Range range) {
  AddFlag(name, Type::kInt, value, help).range = range;
}

void Flags::Add(const std::string& name, double* value, const std::string& help,
                Range range) {
  AddFlag(name, Type::kDouble, value, help).range = range;
}

void Flags::Add(const std::string& name, bool* value, const std::string& help) {
  AddFlag(name, Type::kBool, value, help);
}

void Flags::AddChoice(const std::string& name, std::string* value,
                      std::vector<std::string> choices,
                      const std::string& help) {
  AddFlag(name, Type::kString, value, help).choices = std::move(choices);
}

void Flags::AddAlias(const std::string& name, const std::string& of) {
  AddFlag(name, Type::kIgnored, nullptr, "").alias_of = of;
}

void Flags::AddPrefix(const std::string& prefix, const std::string& settings) {
  prefixes_.emplace_back(prefix, settings);
}

void Flags::AddIgnored(const std::string& name, const std::string& why) {
  AddFlag(name, Type::kIgnored, nullptr, why);
}

void Flags::AddRefused(const std::string& name, const std::string& instead) {
  AddFlag(name, Type::kRefused, nullptr, instead);
}

Flags::Flag* Flags::Find(const std::string& name) {
  for (Flag& flag : flags_) {
    if (flag.name != name) continue;
    return flag.alias_of.empty() ? &flag : Find(flag.alias_of);
  }
  return nullptr;
}

const Flags::Flag* Flags::Find(const std::string& name) const {
  return const_cast<Flags*>(this)->Find(name);
}

bool Flags::WasGiven(const std::string& name) const {
  const Flag* flag = Find(name);
  return flag != nullptr && flag->given;
}

std::string Flags::ValueText(const Flag& flag) {
  switch (flag.type) {
    case Type::kString:
      return *static_cast<std::string*>(flag.value);
    case Type::kInt:
      return std::to_string(*static_cast<int64_t*>(flag.value));
    case Type::kDouble:
      return DoubleToString(*static_cast<double*>(flag.value));
    case Type::kBool:
      return *static_cast<bool*>(flag.value) ? "True" : "False";
    case Type::kIgnored:
    case Type::kRefused:
      return "";
  }
  return "";
}

void Flags::SetNumber(Flag* flag, const std::string& text) {
  double number = 0;
  bool good = false;
  if (flag->type == Type::kInt) {
    auto* const value = static_cast<int64_t*>(flag->value);
    good = Parsed(text, value);
    number = static_cast<double>(*value);
  } else {
    auto* const value = static_cast<double*>(flag->value);
    good = Parsed(text, value);
    number = *value;
  }
  if (!good) {
    throw UsageError("--" + flag->name + "=" + text + " can't be read",
                     flag->type == Type::kInt ? "a whole number" : "a number");
  }
  if (!std::isfinite(number) || !flag->range.Contains(number)) {
    throw UsageError("--" + flag->name + "=" + text, flag->range.Text(),
                     "--help says what it means");
  }
}

void Flags::Read(Flag* flag, const std::string& text) {
  switch (flag->type) {
    case Type::kString: {
      auto* const value = static_cast<std::string*>(flag->value);
      if (!flag->choices.empty() &&
          std::find(flag->choices.begin(), flag->choices.end(), text) ==
              flag->choices.end()) {
        std::vector<std::string> named = flag->choices;
        std::erase(named, "");
        throw UsageError("there is no --" + flag->name + "=" + text,
                         DidYouMean(text, named), ChoicesText(named));
      }
      if (flag->kind == Kind::kList && flag->given && !value->empty()) {
        *value += text.empty() ? "" : "," + text;
      } else if (flag->kind == Kind::kSettings && flag->given) {
        *value = JoinSettings(*value, text);
      } else {
        *value = text;
      }
      break;
    }
    case Type::kInt:
    case Type::kDouble:
      SetNumber(flag, text);
      break;
    case Type::kBool:
      if (!Parsed(text, static_cast<bool*>(flag->value))) {
        throw UsageError("--" + flag->name + "=" + text + " can't be read",
                         "true or false");
      }
      break;
    case Type::kIgnored:
      Note("--" + flag->name + " has no effect here: " + flag->help);
      break;
    case Type::kRefused:
      throw UsageError("--" + flag->name + " is done in another way here", "",
                       flag->help);
  }
}

void Flags::SetValue(Flag* flag, const std::string& text) {
  const std::string before = ValueText(*flag);
  Read(flag, text);
  const bool joined =
      flag->kind == Kind::kList || flag->kind == Kind::kSettings;
  if (flag->given && !joined && ValueText(*flag) != before) {
    Note("--" + flag->name +
         " is given several times, and the last one counts: " +
         ValueText(*flag) + ", not " + before);
  }
  flag->given = true;
}

void Flags::RefuseUnknown(const std::string& name) const {
  std::vector<std::string> names;
  for (const Flag& known : flags_) names.push_back(known.name);
  throw UsageError("there is no flag --" + name, DidYouMean(name, names),
                   "--help lists the flags");
}

bool Flags::TakeNegative(const Given& given) {
  if (!StartsWith(given.name, "no") || given.has_value) return false;
  Flag* const positive = Find(given.name.substr(2));
  if (positive == nullptr ||
      (positive->type != Type::kBool && positive->type != Type::kIgnored &&
       positive->kind != Kind::kOptional)) {
    return false;
  }
  SetValue(positive, "false");
  return true;
}

bool Flags::TakeWithoutValue(Flag* flag, const char* next) {
  const bool next_is_flag =
      next == nullptr ||
      (next[0] == '-' && !(next[1] >= '0' && next[1] <= '9'));
  if (flag->type == Type::kBool) {
    SetValue(flag, "true");
    return false;
  }
  if (flag->type == Type::kIgnored || flag->type == Type::kRefused) {
    // Its value, where it has one, is dropped with it.
    SetValue(flag, "");
    return !next_is_flag;
  }
  if (flag->kind == Kind::kOptional && next_is_flag) {
    SetValue(flag, "true");
    return false;
  }
  if (next == nullptr) throw UsageError("--" + flag->name + " needs a value");
  SetValue(flag, next);
  return true;
}

bool Flags::Take(Given given, const char* next) {
  Flag* flag = Find(given.name);
  if (flag == nullptr && TakeNegative(given)) return false;
  if (flag != nullptr) {
    if (!given.has_value) return TakeWithoutValue(flag, next);
    SetValue(flag, given.value);
    return false;
  }
  for (const auto& [prefix, settings] : prefixes_) {
    if (!StartsWith(given.name, prefix)) continue;
    if (!given.has_value && next == nullptr) {
      throw UsageError("--" + given.name + " needs a value");
    }
    SetValue(Find(settings), given.name.substr(prefix.size()) + "=" +
                                 (given.has_value ? given.value : next));
    return !given.has_value;
  }
  RefuseUnknown(given.name);
}

std::vector<std::string> Flags::Parse(int argc, char** argv) {
  std::vector<std::string> rest;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--") {
      rest.insert(rest.end(), argv + i + 1, argv + argc);
      break;
    }
    if (argument.size() < 2 || argument[0] != '-' ||
        (argument[1] >= '0' && argument[1] <= '9')) {
      rest.push_back(argument);
      continue;
    }
    argument.erase(0, argument[1] == '-' ? 2 : 1);
    const size_t equals = argument.find('=');
    Given given;
    given.name = argument.substr(0, equals);
    given.has_value = equals != std::string::npos;
    if (given.has_value) given.value = argument.substr(equals + 1);
    if (given.name == "help" || given.name == "h" || given.name == "helpfull") {
      // RunMain prints it.
      throw Error(ExitCode::kOk, HelpText(given.name == "helpfull"));
    }
    if (Take(std::move(given), i + 1 < argc ? argv[i + 1] : nullptr)) ++i;
  }
  return rest;
}

std::string Flags::ToText() const {
  std::string text;
  for (const Flag& flag : flags_) {
    if (flag.type == Type::kIgnored || flag.type == Type::kRefused) continue;
    text += "--" + flag.name + "=" + ValueText(flag) + "\n";
  }
  return text;
}

std::string Flags::WithoutEffectText() const {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Flag& flag : flags_) {
    if (!flag.alias_of.empty()) {
      by_reason["the same as --" + flag.alias_of].push_back("--" + flag.name);
    } else if (flag.type == Type::kIgnored) {
      by_reason["no effect: " + flag.help].push_back("--" + flag.name);
    } else if (flag.type == Type::kRefused) {
      by_reason["refused: " + flag.help].push_back("--" + flag.name);
    }
  }
  std::string text;
  for (const auto& [reason, names] : by_reason) {
    text += "  " + Join(names, " ") + "\n      " + reason + "\n";
  }
  return text;
}

std::string Flags::HelpText(bool full) const {
  std::string text = usage_ + "\n\nexample:\n  " + example_ + "\n\nflags:\n";
  for (const Flag& flag : flags_) {
    if (flag.type == Type::kIgnored || flag.type == Type::kRefused) continue;
    text += "  --" + flag.name;
    if (flag.type != Type::kBool) text += "=" + flag.initial;
    text += "\n      " + flag.help + "\n";
  }
  const std::string others = WithoutEffectText();
  if (!others.empty()) {
    text += full ? "\nflags of Tensor2Tensor's:\n" + others
                 : "\n--helpfull lists Tensor2Tensor's other flags too\n";
  }
  return text;
}

}  // namespace t2t
