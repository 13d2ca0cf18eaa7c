#ifndef T2T_FORMATS_EXAMPLE_LENGTHS_H_
#define T2T_FORMATS_EXAMPLE_LENGTHS_H_

#include <cstdint>
#include <string_view>
#include <vector>

namespace t2t {

// How many values a feature of an Example has.
struct FeatureLength {
  enum class Kind : uint8_t { kIntegers, kFloats, kStrings };

  std::string_view name;  // a literal, or inside the record that was read
  Kind kind = Kind::kIntegers;
  int64_t count = 0;
};

// The lengths of an Example's features, without their values: all that it takes
// to plan batches.
class ExampleLengths {
 public:
  // Those of the Example that ParseExample() makes of these bytes, which
  // outlive this; several times as fast. Throws a DataError where they are no
  // Example; what is wrong inside a list of values is left to ParseExample().
  void Read(std::string_view record);

  // Null where it is not there.
  FeatureLength* Find(std::string_view name);
  void Set(std::string_view name, FeatureLength::Kind kind, int64_t count);
  void Erase(std::string_view name);

  const std::vector<FeatureLength>& features() const { return features_; }

 private:
  std::vector<FeatureLength> features_;  // in no order
};

}  // namespace t2t

#endif  // T2T_FORMATS_EXAMPLE_LENGTHS_H_
