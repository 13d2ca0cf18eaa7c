#ifndef T2T_HPARAMS_HPARAMS_H_
#define T2T_HPARAMS_HPARAMS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/base/registry.h"

namespace t2t {

// Typed hyperparameters by name, as T2T's HParams: a name has one type from
// when it is added; setting another type is a usage error.
class HParams {
 public:
  using Value =
      std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                   std::vector<double>, std::vector<std::string>>;

  // Adds a name. One that is there already is an error: Set changes a value,
  // Remove takes a name away.
  void Add(const std::string& name, bool value);
  void Add(const std::string& name, int value);
  void Add(const std::string& name, int64_t value);
  void Add(const std::string& name, double value);
  void Add(const std::string& name, const char* value);
  void Add(const std::string& name, std::string value);
  void Add(const std::string& name, Value value);

  // Set: the name must be there already and keep its type (an int goes into a
  // double). Throws a usage error with did-you-mean.
  template <typename T>
  void Set(const std::string& name, T value) {
    SetValue(name, ToValue(std::move(value)));
  }
  void SetValue(const std::string& name, Value value);

  // Throw a usage error where the name is unknown or has another type.
  bool GetBool(const std::string& name) const;
  int64_t GetInt(const std::string& name) const;
  double GetDouble(const std::string& name) const;  // an int too
  const std::string& GetString(const std::string& name) const;
  std::vector<int64_t> GetInts(const std::string& name) const;
  std::vector<std::string> GetStrings(const std::string& name) const;
  const Value& Get(const std::string& name) const;

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  void Remove(const std::string& name) { values_.erase(name); }
  std::vector<std::string> Names() const;

  // "name=value,name2=[1,2,3]": as T2T's --hparams. Unknown names, a name
  // twice and values of the wrong type are usage errors; on an error nothing is
  // changed. Other than in T2T a string may hold commas ("dims=0,1,size=2").
  void Parse(std::string_view text);

  std::string ToJson(int indent = 2) const;
  Json ToJsonValue() const;
  // Takes the names it knows, with their types; returns the names it does
  // not know (never silently dropped: the caller says so).
  std::vector<std::string> MergeJson(const Json& json);
  static HParams FromJson(const Json& json);

  static std::string ValueToString(const Value& value);

  bool operator==(const HParams&) const = default;

 private:
  static Value ToValue(bool v) { return v; }
  static Value ToValue(int v) { return static_cast<int64_t>(v); }
  static Value ToValue(int64_t v) { return v; }
  static Value ToValue(double v) { return v; }
  static Value ToValue(const char* v) { return std::string(v); }
  static Value ToValue(std::string v) { return v; }
  static Value ToValue(std::vector<int64_t> v) { return v; }
  static Value ToValue(std::vector<std::string> v) { return v; }

  std::map<std::string, Value> values_;
};

// The registered hparams sets ("transformer_base").
using HParamsRegistry = Registry<HParams()>;
HParamsRegistry& HParamsSets();

// A set's values with --hparams' overrides.
HParams MakeHParams(const std::string& set, const std::string& overrides);

}  // namespace t2t

#endif  // T2T_HPARAMS_HPARAMS_H_
