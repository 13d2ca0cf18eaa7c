#ifndef T2T_HPARAMS_ROWS_H_
#define T2T_HPARAMS_ROWS_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/hparams/ranges.h"

// Hparams sets and ranges as rows of tables. The tables are constants: nothing
// runs at start-up but their registration.
//
// T2T's values that HParams has no type for stand in rows like this (a test
// holds every set to T2T's):
//   None            the key's value for "none": 0, "none" or an empty list, and
//                   1 for keep_prob; the key table says so
//   a function      its name
//   bottom, top,    "feature:function", with commas between; a dictionary that
//   loss            is empty in T2T is no key here
//   noising_spec_*  JSON
//   [True]          true (use_fixed_batch_size of some sets: a comma too many)
//   use_td=False    "none"; lists of True and False are lists of 1 and 0

namespace t2t {

// One value of a row.
class RowValue {
 public:
  enum class Type { kBool, kInt, kNumber, kText, kInts, kNumbers, kTexts };

  constexpr RowValue(bool value)  // NOLINT(google-explicit-constructor)
      : type_(Type::kBool), int_(value ? 1 : 0) {}
  constexpr RowValue(int value)  // NOLINT(google-explicit-constructor)
      : type_(Type::kInt), int_(value) {}
  constexpr RowValue(int64_t value)  // NOLINT(google-explicit-constructor)
      : type_(Type::kInt), int_(value) {}
  constexpr RowValue(double value)  // NOLINT(google-explicit-constructor)
      : type_(Type::kNumber), number_(value) {}
  constexpr RowValue(const char* value)  // NOLINT(google-explicit-constructor)
      : type_(Type::kText), text_(value) {}
  // A list: items with commas between, the whole so many times.
  constexpr RowValue(Type type, const char* items, int times)
      : type_(type), int_(times), text_(items) {}

  constexpr Type type() const { return type_; }
  HParams::Value ToValue() const;

 private:
  Type type_;
  int64_t int_ = 0;
  double number_ = 0;
  const char* text_ = "";
};

constexpr RowValue Ints(const char* items) {
  return {RowValue::Type::kInts, items, 1};
}
constexpr RowValue Numbers(const char* items) {
  return {RowValue::Type::kNumbers, items, 1};
}
constexpr RowValue Strings(const char* items) {
  return {RowValue::Type::kTexts, items, 1};
}
// Repeat(2, "att,drd") is Strings("att,drd,att,drd").
constexpr RowValue Repeat(int times, const char* items) {
  return {RowValue::Type::kTexts, items, times};
}

struct NamedRowValue {
  const char* name;
  RowValue value;
};

// A set: its parent's values, less those removed, with these.
struct HParamsRow {
  const char* name;
  const char* parent;  // "": none
  std::initializer_list<NamedRowValue> values = {};
  const char* help = "";
  std::initializer_list<const char*> removed = {};
};

// The parent of a set that starts from the key table's initial values.
inline constexpr char kInitialValues[] = "the key table";

inline constexpr auto kLinear = RangedHParams::Scale::kLinear;
inline constexpr auto kLog = RangedHParams::Scale::kLog;
inline constexpr auto kReverseLog = RangedHParams::Scale::kReverseLog;

// The values that a tuner may try for one hparam.
class RowRange {
 public:
  enum class Kind { kOneOf, kPoints, kGrid, kNumbers, kInts };

  constexpr RowRange(Kind kind, double low, double high, int count,
                     const char* items, RangedHParams::Scale scale)
      : kind_(kind),
        low_(low),
        high_(high),
        count_(count),
        items_(items),
        scale_(scale) {}

  void AddTo(const std::string& name, RangedHParams* ranges) const;

 private:
  Kind kind_;
  double low_, high_;
  int count_;
  const char* items_;
  RangedHParams::Scale scale_;
};

constexpr auto kNoScale = RangedHParams::Scale::kNone;

constexpr RowRange OneOf(const char* items) {
  return {RowRange::Kind::kOneOf, 0, 0, 0, items, kNoScale};
}
constexpr RowRange Points(const char* items,
                          RangedHParams::Scale scale = kNoScale) {
  return {RowRange::Kind::kPoints, 0, 0, 0, items, scale};
}
// first, first + step, and so on.
constexpr RowRange Grid(double first, double step, int count) {
  return {RowRange::Kind::kGrid, first, step, count, "", kNoScale};
}
constexpr RowRange Between(double low, double high,
                           RangedHParams::Scale scale = kNoScale) {
  return {RowRange::Kind::kNumbers, low, high, 0, "", scale};
}
constexpr RowRange Between(int low, int high,
                           RangedHParams::Scale scale = kNoScale) {
  return {RowRange::Kind::kInts, double(low), double(high), 0, "", scale};
}

struct NamedRowRange {
  const char* name;
  RowRange range;
};

struct HParamsRangeRow {
  const char* name;
  std::initializer_list<NamedRowRange> ranges;
};

// All rows, by name. Filled once; reading is safe from many threads then.
class HParamsTable {
 public:
  // The rows must outlive the table. A name that is there already is an
  // internal error.
  void Add(const std::string& family, std::span<const HParamsRow> rows);
  void AddRanges(std::span<const HParamsRangeRow> rows);

  bool Has(const std::string& set) const { return sets_.count(set) > 0; }
  std::vector<std::string> Sets() const;  // sorted
  // In the order of the rows: a parent mostly stands before its children.
  std::vector<std::string> Sets(const std::string& family) const;
  std::vector<std::string> Ranges() const;  // sorted

  // Throw a usage error, with did-you-mean, where there is no such name.
  const HParamsRow& Row(const std::string& set) const;
  const std::string& Family(const std::string& set) const;
  HParams Resolve(const std::string& set) const;
  void ResolveRange(const std::string& name, RangedHParams* ranges) const;

 private:
  struct Entry {
    const HParamsRow* row;
    std::string family;
  };

  const Entry& Get(const std::string& set) const;

  std::map<std::string, Entry> sets_;
  std::vector<std::string> in_order_;
  std::map<std::string, const HParamsRangeRow*> ranges_;
};

}  // namespace t2t

#endif  // T2T_HPARAMS_ROWS_H_
