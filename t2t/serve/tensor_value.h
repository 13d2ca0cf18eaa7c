#ifndef T2T_SERVE_TENSOR_VALUE_H_
#define T2T_SERVE_TENSOR_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/tensor.pb.h"

namespace t2t {

// TensorFlow's numbers of the types that are served.
enum class DataType { kFloat = 1, kInt32 = 3, kString = 7, kInt64 = 9 };

// A TensorProto's values, of its type.
struct TensorValue {
  DataType type = DataType::kString;
  std::vector<int64_t> shape;
  std::vector<std::string> strings;
  std::vector<int64_t> ints;  // kInt32 and kInt64
  std::vector<float> floats;
};

// A list of strings: shape [values.size()].
TensorValue StringList(std::vector<std::string> values);

// Throws a DataError: a tensor of another type is refused, and so is one that
// says to be larger than its values are (but for strings that repeat the last
// one, up to kMostRepeatedBytes in all).
inline constexpr size_t kMostRepeatedBytes = 1 << 22;
TensorValue FromProto(const tensorflow::TensorProto& proto);

tensorflow::TensorProto ToProto(const TensorValue& tensor);
tensorflow::TensorShapeProto ShapeToProto(const std::vector<int64_t>& shape);

}  // namespace t2t

#endif  // T2T_SERVE_TENSOR_VALUE_H_
