#ifndef T2T_HPARAMS_RANGES_H_
#define T2T_HPARAMS_RANGES_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/base/registry.h"

namespace t2t {

// Which values a tuner may try, by hparam: T2T's RangedHParams.
class RangedHParams {
 public:
  enum class Scale { kNone, kLinear, kLog, kReverseLog };
  struct Categorical {
    std::vector<std::string> categories;
    bool operator==(const Categorical&) const = default;
  };
  struct Discrete {
    std::vector<double> points;
    Scale scale = Scale::kNone;
    bool operator==(const Discrete&) const = default;
  };
  struct Float {
    double min = 0;
    double max = 0;
    Scale scale = Scale::kNone;
    bool operator==(const Float&) const = default;
  };
  struct Int {
    int64_t min = 0;
    int64_t max = 0;
    Scale scale = Scale::kNone;
    bool operator==(const Int&) const = default;
  };
  using Range = std::variant<Categorical, Discrete, Float, Int>;

  // A name keeps its kind: throw where it has another already.
  void SetCategorical(const std::string& name,
                      std::vector<std::string> categories);
  void SetDiscrete(const std::string& name, std::vector<double> points,
                   Scale scale = Scale::kNone);
  void SetFloat(const std::string& name, double min, double max,
                Scale scale = Scale::kNone);
  void SetInt(const std::string& name, int64_t min, int64_t max,
              Scale scale = Scale::kNone);

  const std::map<std::string, Range>& ranges() const { return ranges_; }
  // T2T's to_parameter_specs, sorted by name.
  Json ToParameterSpecs(const std::string& name_prefix = "") const;

 private:
  void Set(const std::string& name, Range range);

  std::map<std::string, Range> ranges_;
};

// The registered ranges ("transformer_base_range"): each adds to what is given.
using HParamsRangeRegistry = Registry<void(RangedHParams*)>;
HParamsRangeRegistry& HParamsRanges();

}  // namespace t2t

#endif  // T2T_HPARAMS_RANGES_H_
