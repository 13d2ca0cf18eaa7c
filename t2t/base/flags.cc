#include "t2t/base/flags.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

Flags::Flags(std::string usage, std::string example)
    : usage_(std::move(usage)), example_(std::move(example)) {}

void Flags::AddFlag(const std::string& name, Type type, void* value,
                    const std::string& help) {
  Flag flag{name, type, value, help, ""};
  flag.initial = ValueText(flag);
  flags_.push_back(std::move(flag));
}

void Flags::Add(const std::string& name, std::string* value,
                const std::string& help) {
  AddFlag(name, Type::kString, value, help);
}

void Flags::Add(const std::string& name, int64_t* value,
                const std::string& help) {
  AddFlag(name, Type::kInt, value, help);
}

void Flags::Add(const std::string& name, double* value,
                const std::string& help) {
  AddFlag(name, Type::kDouble, value, help);
}

void Flags::Add(const std::string& name, bool* value,
                const std::string& help) {
  AddFlag(name, Type::kBool, value, help);
}

void Flags::AddIgnored(const std::string& name, const std::string& why) {
  AddFlag(name, Type::kIgnored, nullptr, why);
}

Flags::Flag* Flags::Find(const std::string& name) {
  for (Flag& flag : flags_) {
    if (flag.name == name) return &flag;
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
      return "";
  }
  return "";
}

void Flags::SetValue(Flag* flag, const std::string& text) {
  bool good = true;
  const char* expected = "";
  switch (flag->type) {
    case Type::kString:
      *static_cast<std::string*>(flag->value) = text;
      break;
    case Type::kInt:
      good = ParseInt(text, static_cast<int64_t*>(flag->value));
      expected = "a whole number";
      break;
    case Type::kDouble:
      good = ParseDouble(text, static_cast<double*>(flag->value));
      expected = "a number";
      break;
    case Type::kBool:
      good = ParseBool(text, static_cast<bool*>(flag->value));
      expected = "true or false";
      break;
    case Type::kIgnored:
      std::fprintf(stderr, "note: --%s has no effect here: %s\n",
                   flag->name.c_str(), flag->help.c_str());
      break;
  }
  if (!good) {
    throw UsageError("--" + flag->name + "=" + text + " can't be read",
                     expected);
  }
  flag->given = true;
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
    const bool has_value = equals != std::string::npos;
    const std::string name = argument.substr(0, equals);
    if (name == "help" || name == "h" || name == "helpfull") {
      throw Error(ExitCode::kOk, HelpText());  // RunMain prints it
    }
    Flag* flag = Find(name);
    if (flag == nullptr && StartsWith(name, "no") && !has_value) {
      Flag* positive = Find(name.substr(2));
      if (positive != nullptr && (positive->type == Type::kBool ||
                                  positive->type == Type::kIgnored)) {
        SetValue(positive, "false");
        continue;
      }
    }
    if (flag == nullptr) {
      std::vector<std::string> names;
      for (const Flag& known : flags_) names.push_back(known.name);
      throw UsageError("there is no flag --" + name, DidYouMean(name, names),
                       "--help lists the flags");
    }
    if (has_value) {
      SetValue(flag, argument.substr(equals + 1));
    } else if (flag->type == Type::kBool) {
      SetValue(flag, "true");
    } else if (flag->type == Type::kIgnored) {
      // Its value, where it has one, is dropped with it.
      if (i + 1 < argc && argv[i + 1][0] != '-') ++i;
      SetValue(flag, "");
    } else if (i + 1 < argc) {
      SetValue(flag, argv[++i]);
    } else {
      throw UsageError("--" + name + " needs a value");
    }
  }
  return rest;
}

std::string Flags::ToText() const {
  std::string text;
  for (const Flag& flag : flags_) {
    if (flag.type == Type::kIgnored) continue;
    text += "--" + flag.name + "=" + ValueText(flag) + "\n";
  }
  return text;
}

std::string Flags::HelpText() const {
  std::string text = usage_ + "\n\nexample:\n  " + example_ + "\n\nflags:\n";
  for (const Flag& flag : flags_) {
    if (flag.type == Type::kIgnored) continue;
    text += "  --" + flag.name;
    if (flag.type != Type::kBool) text += "=" + flag.initial;
    text += "\n      " + flag.help + "\n";
  }
  return text;
}

}  // namespace t2t
