#ifndef T2T_BASE_FLAGS_H_
#define T2T_BASE_FLAGS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/range.h"

namespace t2t {

// Command-line flags: each binary makes one Flags object, declares its flags
// with a variable to fill and parses. Takes --name=value, --name value,
// --bool, --nobool; '-' for '--' too; "--" ends the flags. An unknown flag is
// a usage error with did-you-mean; --help prints every flag.
//
// A flag given several times: the last one counts, and a note says so where
// they differ; but lists and settings are joined.
class Flags {
 public:
  enum class Kind {
    kOne,       // one value
    kList,      // "a,b": several flags are one list
    kSettings,  // "a=1,b=2" (--hparams): several are one text, where a name
                // that stands in two of them has the last one's value
    kOptional,  // --name alone is --name=true, --noname --name=false
  };

  // usage: one line on what the program does; example: a command that works.
  Flags(std::string usage, std::string example);

  void Add(const std::string& name, std::string* value, const std::string& help,
           Kind kind = Kind::kOne);
  // range: the values that are allowed, never NaN or infinity.
  void Add(const std::string& name, int64_t* value, const std::string& help,
           Range range);
  void Add(const std::string& name, double* value, const std::string& help,
           Range range);
  void Add(const std::string& name, bool* value, const std::string& help);
  // One of these values; others are refused with did-you-mean.
  void AddChoice(const std::string& name, std::string* value,
                 std::vector<std::string> choices, const std::string& help);

  // Another name of a flag that is there.
  void AddAlias(const std::string& name, const std::string& of);
  // "--hp_size=3" (prefix "hp_") is size=3 of a flag of settings.
  void AddPrefix(const std::string& prefix, const std::string& settings);
  // A flag T2T has and that means nothing here: accepted, its value dropped,
  // one line to stderr saying why when it is given.
  void AddIgnored(const std::string& name, const std::string& why);
  // A flag T2T has for what is done in another way here: a usage error that
  // says in which.
  void AddRefused(const std::string& name, const std::string& instead);

  // Returns the arguments that are no flags. --help is an Error of code kOk
  // with the help, which RunMain() prints; --helpfull has the flags that have
  // no effect too.
  std::vector<std::string> Parse(int argc, char** argv);

  bool Has(const std::string& name) const { return Find(name) != nullptr; }
  bool WasGiven(const std::string& name) const;
  // Every flag and its value, one "--name=value" a line (T2T's flags.txt).
  std::string ToText() const;
  std::string HelpText(bool full = false) const;

 private:
  enum class Type { kString, kInt, kDouble, kBool, kIgnored, kRefused };
  struct Flag {
    std::string name;
    Type type;
    void* value;
    std::string help;
    std::string initial;
    Kind kind = Kind::kOne;
    Range range;
    std::vector<std::string> choices;
    std::string alias_of;
    bool given = false;
  };

  Flag* Find(const std::string& name);
  const Flag* Find(const std::string& name) const;
  Flag& AddFlag(const std::string& name, Type type, void* value,
                const std::string& help);
  static std::string ValueText(const Flag& flag);
  static void SetNumber(Flag* flag, const std::string& text);
  static void Read(Flag* flag, const std::string& text);
  void SetValue(Flag* flag, const std::string& text);
  // A flag as it stands on the command line.
  struct Given {
    std::string name;
    bool has_value = false;
    std::string value;
  };
  // next: the argument after it, or null; returns whether it was used up.
  bool Take(Given given, const char* next);
  bool TakeNegative(const Given& given);
  bool TakeWithoutValue(Flag* flag, const char* next);
  [[noreturn]] void RefuseUnknown(const std::string& name) const;
  std::string WithoutEffectText() const;

  std::string usage_;
  std::string example_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::string, std::string>> prefixes_;
};

}  // namespace t2t

#endif  // T2T_BASE_FLAGS_H_
