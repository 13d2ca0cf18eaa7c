#ifndef T2T_FORMATS_EXAMPLE_H_
#define T2T_FORMATS_EXAMPLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace t2t {

// tf.train.Example: feature lists by name, wire-compatible. Pixels may be kept
// as bytes, in memory alone, where they take an eighth of the room. Written
// they are integers like others, and are read back as such.
using Feature = std::variant<std::vector<int64_t>, std::vector<float>,
                             std::vector<std::string>, std::vector<uint8_t>>;

struct Example {
  std::map<std::string, Feature> features;

  bool operator==(const Example&) const = default;

  bool Has(const std::string& name) const { return features.count(name) > 0; }
  // Throw a DataError where absent or of another type.
  const std::vector<int64_t>& Ints(const std::string& name) const;
  const std::vector<float>& Floats(const std::string& name) const;
  const std::vector<std::string>& Strings(const std::string& name) const;
  const std::vector<uint8_t>& Bytes(const std::string& name) const;
};

// The values of a feature of integers or bytes; none of another.
std::vector<int64_t> IntegersOf(const Feature& feature);

// Serialised with the keys sorted, so that equal examples are equal bytes.
std::string SerializeExample(const Example& example);
// Throws a DataError on anything that is not a whole Example.
Example ParseExample(std::string_view bytes);

}  // namespace t2t

#endif  // T2T_FORMATS_EXAMPLE_H_
