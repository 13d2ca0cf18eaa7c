#ifndef T2T_LAUNCH_RENDER_PARAMS_H_
#define T2T_LAUNCH_RENDER_PARAMS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

enum class ParamType {
  kString,
  kInt,
  kBool,
  kQuantity,  // Kubernetes' "500m", "4Gi"
  kName,      // a DNS label, or nothing
  kList,      // of strings
  kMap,       // of strings
};
std::string ParamTypeName(ParamType type);

// A parameter of a prototype.
struct ParamSpec {
  std::string name;
  ParamType type;
  Json initial;
  std::string help;
  std::vector<std::string> choices = {};  // of a string; empty: any
  int64_t least = 0;                      // of an int
  int64_t most = INT32_MAX;
};

// The value as the parameter's type, out of a file or of the command line's
// text. Throws a usage error that names the parameter.
Json ConvertParam(const ParamSpec& spec, const Json& raw);
Json ConvertParamText(const ParamSpec& spec, const std::string& text);
// As the command line takes it.
std::string ParamText(const Json& value);

// The source of values that nobody has set: the prototype's, and above it what
// the registries of problems, models and hyperparameter sets know.
inline constexpr char kDefaultSource[] = "default";
inline constexpr char kFactSource[] = "registries";

// Values by name, each with where it comes from.
class Params {
 public:
  struct Layer {
    std::string source;
    Json value;
    std::string fact = "";  // why, of the registries' layer
  };
  struct Value : Layer {
    // What was there before, from the first layer on.
    std::vector<Layer> hidden = {};

    bool is_set() const {
      return source != kDefaultSource && source != kFactSource;
    }
  };

  // Every parameter at its default.
  explicit Params(std::vector<ParamSpec> specs);

  // Throw usage errors (with did-you-mean for the name).
  void Set(const std::string& name, const Json& raw, const std::string& source);
  void SetText(const std::string& name, const std::string& text,
               const std::string& source);

  // A value that follows from other parameters, and why: above the default,
  // below whatever is set, in place of an earlier fact.
  void SetFact(const std::string& name, const Json& raw,
               const std::string& fact);

  const ParamSpec& Spec(const std::string& name) const;
  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  const Value& At(const std::string& name) const;
  const std::vector<ParamSpec>& specs() const { return specs_; }

  std::string String(const std::string& name) const;
  int64_t Int(const std::string& name) const;
  bool Bool(const std::string& name) const;
  std::vector<std::string> List(const std::string& name) const;
  std::vector<std::pair<std::string, std::string>> Map(
      const std::string& name) const;

 private:
  void Put(const ParamSpec& spec, Json value, const std::string& source);

  std::vector<ParamSpec> specs_;
  std::map<std::string, Value> values_;
};

// A line for each layer of a value, the one that counts last.
std::string LayersText(const Params::Value& value);

// RFC 1123: lower case letters, digits and '-', at most `most` characters.
bool IsDnsLabel(std::string_view text, size_t most = 63);
// "a.b.c" of such labels.
bool IsDnsName(std::string_view text);
bool IsQuantity(std::string_view text);
// A quantity's number of whole units (bytes, cores rounded up); the text must
// be one.
double QuantityValue(std::string_view text);
// A label's or annotation's key ("example.com/name"), a label's value.
bool IsLabelKey(std::string_view text);
bool IsLabelValue(std::string_view text);
// C_IDENTIFIER, as safe names of variables are.
bool IsVariableName(std::string_view text);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_PARAMS_H_
