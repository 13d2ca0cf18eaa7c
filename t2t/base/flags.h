#ifndef T2T_BASE_FLAGS_H_
#define T2T_BASE_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// Command-line flags: each binary makes one Flags object, declares its flags
// with a variable to fill and parses. Takes --name=value, --name value,
// --bool, --nobool; '-' for '--' too; "--" ends the flags. An unknown flag is
// a usage error with did-you-mean; --help prints every flag.
class Flags {
 public:
  // usage: one line on what the program does; example: a command that works.
  Flags(std::string usage, std::string example);

  void Add(const std::string& name, std::string* value,
           const std::string& help);
  void Add(const std::string& name, int64_t* value, const std::string& help);
  void Add(const std::string& name, double* value, const std::string& help);
  void Add(const std::string& name, bool* value, const std::string& help);

  // A flag T2T has and that means nothing here: accepted, its value dropped,
  // one line to stderr saying why when it is given.
  void AddIgnored(const std::string& name, const std::string& why);

  // Returns the arguments that are no flags. --help is an Error of code kOk
  // with the help, which RunMain() prints.
  std::vector<std::string> Parse(int argc, char** argv);

  bool WasGiven(const std::string& name) const;
  // Every flag and its value, one "--name=value" a line (T2T's flags.txt).
  std::string ToText() const;
  std::string HelpText() const;

 private:
  enum class Type { kString, kInt, kDouble, kBool, kIgnored };
  struct Flag {
    std::string name;
    Type type;
    void* value;
    std::string help;
    std::string initial;
    bool given = false;
  };

  Flag* Find(const std::string& name);
  const Flag* Find(const std::string& name) const;
  void AddFlag(const std::string& name, Type type, void* value,
               const std::string& help);
  static std::string ValueText(const Flag& flag);
  void SetValue(Flag* flag, const std::string& text);

  std::string usage_;
  std::string example_;
  std::vector<Flag> flags_;
};

}  // namespace t2t

#endif  // T2T_BASE_FLAGS_H_
