#include "t2t/hparams/rows.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/keys.h"

namespace t2t {
namespace {

std::vector<std::string> Items(const char* items) {
  if (*items == '\0') return {};
  return Split(items, ',');
}

double NumberOf(const std::string& text) {
  double value = 0;
  if (!ParseDouble(text, &value)) {
    throw Error(ExitCode::kInternal, "a row has '" + text + "' as a number");
  }
  return value;
}

int64_t IntOf(const std::string& text) {
  int64_t value = 0;
  if (!ParseInt(text, &value)) {
    throw Error(ExitCode::kInternal,
                "a row has '" + text + "' as a whole number");
  }
  return value;
}

template <typename T, typename Convert>
std::vector<T> ListOf(const char* items, int64_t times,
                      const Convert& convert) {
  std::vector<T> list;
  const std::vector<std::string> once = Items(items);
  for (int64_t i = 0; i < times; ++i) {
    for (const std::string& item : once) list.push_back(convert(item));
  }
  return list;
}

}  // namespace

HParams::Value RowValue::ToValue() const {
  switch (type_) {
    case Type::kBool:
      return int_ != 0;
    case Type::kInt:
      return int_;
    case Type::kNumber:
      return number_;
    case Type::kText:
      return std::string(text_);
    case Type::kInts:
      return ListOf<int64_t>(text_, int_, IntOf);
    case Type::kNumbers:
      return ListOf<double>(text_, int_, NumberOf);
    case Type::kTexts:
      break;
  }
  return ListOf<std::string>(text_, int_,
                             [](const std::string& item) { return item; });
}

void RowRange::AddTo(const std::string& name, RangedHParams* ranges) const {
  switch (kind_) {
    case Kind::kOneOf:
      ranges->SetCategorical(name, Items(items_));
      return;
    case Kind::kPoints:
      ranges->SetDiscrete(name, ListOf<double>(items_, 1, NumberOf), scale_);
      return;
    case Kind::kGrid: {
      std::vector<double> points;
      for (int i = 0; i < count_; ++i) points.push_back(low_ + high_ * i);
      ranges->SetDiscrete(name, std::move(points), scale_);
      return;
    }
    case Kind::kNumbers:
      ranges->SetFloat(name, low_, high_, scale_);
      return;
    case Kind::kInts:
      ranges->SetInt(name, static_cast<int64_t>(low_),
                     static_cast<int64_t>(high_), scale_);
      return;
  }
}

void HParamsTable::Add(const std::string& family,
                       std::span<const HParamsRow> rows) {
  for (const HParamsRow& row : rows) {
    const auto [entry, added] = sets_.emplace(row.name, Entry{&row, family});
    if (!added) {
      throw Error(ExitCode::kInternal,
                  "hparams set '" + entry->first + "' is a row of " +
                      entry->second.family + " and of " + family);
    }
    in_order_.push_back(row.name);
  }
}

void HParamsTable::AddRanges(std::span<const HParamsRangeRow> rows) {
  for (const HParamsRangeRow& row : rows) {
    if (!ranges_.emplace(row.name, &row).second) {
      throw Error(ExitCode::kInternal,
                  "range '" + std::string(row.name) + "' is two rows");
    }
  }
}

std::vector<std::string> HParamsTable::Sets() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : sets_) names.push_back(name);
  return names;
}

std::vector<std::string> HParamsTable::Sets(const std::string& family) const {
  std::vector<std::string> names;
  for (const std::string& name : in_order_) {
    if (sets_.at(name).family == family) names.push_back(name);
  }
  return names;
}

std::vector<std::string> HParamsTable::Ranges() const {
  std::vector<std::string> names;
  for (const auto& [name, row] : ranges_) names.push_back(name);
  return names;
}

const HParamsTable::Entry& HParamsTable::Get(const std::string& set) const {
  const auto found = sets_.find(set);
  if (found == sets_.end()) {
    throw UsageError("there is no hparams set '" + set + "'",
                     DidYouMean(set, Sets()),
                     "t2t-trainer --registry_help lists them all");
  }
  return found->second;
}

const HParamsRow& HParamsTable::Row(const std::string& set) const {
  return *Get(set).row;
}

const std::string& HParamsTable::Family(const std::string& set) const {
  return Get(set).family;
}

HParams HParamsTable::Resolve(const std::string& set) const {
  const HParamsRow& row = Row(set);
  const std::string parent = row.parent;
  HParams hparams;
  if (parent == kInitialValues) {
    hparams = InitialHParams();
  } else if (!parent.empty()) {
    hparams = Resolve(parent);
  }
  for (const char* const name : row.removed) hparams.Remove(name);
  for (const auto& [name, value] : row.values) {
    // The parent's may be of another type: a number, and here a list of them.
    hparams.Remove(name);
    hparams.Add(name, value.ToValue());
  }
  return hparams;
}

void HParamsTable::ResolveRange(const std::string& name,
                                RangedHParams* ranges) const {
  const auto found = ranges_.find(name);
  if (found == ranges_.end()) {
    throw UsageError("there is no range of hparams '" + name + "'",
                     DidYouMean(name, Ranges()));
  }
  for (const auto& [hparam, range] : found->second->ranges) {
    range.AddTo(hparam, ranges);
  }
}

}  // namespace t2t
