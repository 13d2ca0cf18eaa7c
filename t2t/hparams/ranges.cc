#include "t2t/hparams/ranges.h"

#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

void AddScale(RangedHParams::Scale scale, Json* spec) {
  switch (scale) {
    case RangedHParams::Scale::kNone:
      return;
    case RangedHParams::Scale::kLinear:
      spec->Set("scaleType", "UNIT_LINEAR_SCALE");
      return;
    case RangedHParams::Scale::kLog:
      spec->Set("scaleType", "UNIT_LOG_SCALE");
      return;
    case RangedHParams::Scale::kReverseLog:
      spec->Set("scaleType", "UNIT_REVERSE_LOG_SCALE");
      return;
  }
}

// A whole number is written as one, as Python would.
Json NumberToJson(double value) {
  const auto whole = static_cast<int64_t>(value);
  if (static_cast<double>(whole) == value) return Json(whole);
  return Json(value);
}

struct AddRange {
  Json* spec;

  void operator()(const RangedHParams::Categorical& range) const {
    spec->Set("type", "CATEGORICAL");
    Json values = Json::Array();
    for (const std::string& category : range.categories) {
      values.Append(category);
    }
    spec->Set("categoricalValues", std::move(values));
  }
  void operator()(const RangedHParams::Discrete& range) const {
    spec->Set("type", "DISCRETE");
    Json values = Json::Array();
    for (const double point : range.points) {
      values.Append(NumberToJson(point));
    }
    spec->Set("discreteValues", std::move(values));
    AddScale(range.scale, spec);
  }
  void operator()(const RangedHParams::Float& range) const {
    spec->Set("type", "DOUBLE");
    spec->Set("minValue", range.min);
    spec->Set("maxValue", range.max);
    AddScale(range.scale, spec);
  }
  void operator()(const RangedHParams::Int& range) const {
    spec->Set("type", "INTEGER");
    spec->Set("minValue", range.min);
    spec->Set("maxValue", range.max);
    AddScale(range.scale, spec);
  }
};

}  // namespace

void RangedHParams::Set(const std::string& name, Range range) {
  const auto found = ranges_.find(name);
  if (found != ranges_.end() && found->second.index() != range.index()) {
    throw UsageError(
        "the range of hparam '" + name + "' is set twice, in different kinds",
        "one of categorical, discrete, float or int");
  }
  ranges_[name] = std::move(range);
}

void RangedHParams::SetCategorical(const std::string& name,
                                   std::vector<std::string> categories) {
  Set(name, Categorical{std::move(categories)});
}

void RangedHParams::SetDiscrete(const std::string& name,
                                std::vector<double> points, Scale scale) {
  Set(name, Discrete{std::move(points), scale});
}

void RangedHParams::SetFloat(const std::string& name, double min, double max,
                             Scale scale) {
  Set(name, Float{min, max, scale});
}

void RangedHParams::SetInt(const std::string& name, int64_t min, int64_t max,
                           Scale scale) {
  Set(name, Int{min, max, scale});
}

Json RangedHParams::ToParameterSpecs(const std::string& name_prefix) const {
  Json specs = Json::Array();
  for (const auto& [name, range] : ranges_) {
    Json spec = Json::Object();
    spec.Set("parameterName", name_prefix + name);
    std::visit(AddRange{&spec}, range);
    specs.Append(std::move(spec));
  }
  return specs;
}

HParamsRangeRegistry& HParamsRanges() {
  static auto* const ranges = new HParamsRangeRegistry("range of hparams");
  return *ranges;
}

}  // namespace t2t
