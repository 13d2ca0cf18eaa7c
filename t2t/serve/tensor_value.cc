#include "t2t/serve/tensor_value.h"

#include <cstring>
#include <utility>

#include "t2t/base/error.h"

namespace t2t {
namespace {

std::vector<int64_t> ShapeFromProto(const tensorflow::TensorShapeProto& proto) {
  if (proto.unknown_rank()) throw DataError("a tensor's shape is unknown");
  std::vector<int64_t> shape;
  for (const auto& dim : proto.dim()) shape.push_back(dim.size());
  return shape;
}

// The number of elements; throws where it is more than `most` or no number.
size_t CountElements(const std::vector<int64_t>& shape, size_t most) {
  const auto too_large = [] {
    return DataError("a tensor's shape does not fit its values");
  };
  bool is_empty = false;
  for (const int64_t size : shape) {
    if (size < 0) throw too_large();
    is_empty |= size == 0;
  }
  if (is_empty) return 0;  // [1, 0] is as good as [0, 1]
  size_t count = 1;
  for (const int64_t size : shape) {
    if (count > most / static_cast<size_t>(size)) throw too_large();
    count *= static_cast<size_t>(size);
  }
  return count;
}

template <typename T, typename Out>
void TakeContent(const std::string& content, std::vector<Out>* values) {
  if (content.size() % sizeof(T) != 0) {
    throw DataError("a tensor's content is cut off");
  }
  for (size_t at = 0; at < content.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, content.data() + at, sizeof(T));
    values->push_back(static_cast<Out>(value));
  }
}

template <typename T>
void CheckCount(const std::vector<T>& values,
                const std::vector<int64_t>& shape) {
  if (CountElements(shape, values.size()) != values.size()) {
    throw DataError("a tensor's shape does not fit its values");
  }
}

void RepeatLastString(TensorValue* tensor) {
  std::vector<std::string>& strings = tensor->strings;
  const size_t size = strings.empty() ? 0 : strings.back().size();
  const size_t most =
      strings.empty()
          ? 0
          : strings.size() + kMostRepeatedBytes / (size + sizeof(std::string));
  const size_t count = CountElements(tensor->shape, most);
  // `most` does not bound a scalar's count of 1: there may be no last string.
  if (count < strings.size() || count > most) {
    throw DataError("a tensor's shape does not fit its values");
  }
  strings.reserve(count);
  while (strings.size() < count) strings.push_back(strings.back());
}

}  // namespace

TensorValue StringList(std::vector<std::string> values) {
  TensorValue tensor;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.strings = std::move(values);
  return tensor;
}

TensorValue FromProto(const tensorflow::TensorProto& proto) {
  TensorValue tensor;
  tensor.type = static_cast<DataType>(proto.dtype());
  tensor.shape = ShapeFromProto(proto.tensor_shape());
  const std::string& content = proto.tensor_content();
  switch (tensor.type) {
    case DataType::kString:
      tensor.strings.assign(proto.string_val().begin(),
                            proto.string_val().end());
      RepeatLastString(&tensor);
      break;
    case DataType::kFloat:
      tensor.floats.assign(proto.float_val().begin(), proto.float_val().end());
      TakeContent<float>(content, &tensor.floats);
      CheckCount(tensor.floats, tensor.shape);
      break;
    case DataType::kInt32:
      tensor.ints.assign(proto.int_val().begin(), proto.int_val().end());
      TakeContent<int32_t>(content, &tensor.ints);
      CheckCount(tensor.ints, tensor.shape);
      break;
    case DataType::kInt64:
      tensor.ints.assign(proto.int64_val().begin(), proto.int64_val().end());
      TakeContent<int64_t>(content, &tensor.ints);
      CheckCount(tensor.ints, tensor.shape);
      break;
    default:
      throw DataError("a tensor has the type " + std::to_string(proto.dtype()),
                      "DT_STRING, DT_FLOAT, DT_INT32 or DT_INT64");
  }
  return tensor;
}

tensorflow::TensorProto ToProto(const TensorValue& tensor) {
  tensorflow::TensorProto proto;
  proto.set_dtype(static_cast<int32_t>(tensor.type));
  *proto.mutable_tensor_shape() = ShapeToProto(tensor.shape);
  proto.mutable_string_val()->Add(tensor.strings.begin(), tensor.strings.end());
  proto.mutable_float_val()->Add(tensor.floats.begin(), tensor.floats.end());
  if (tensor.type == DataType::kInt32) {
    proto.mutable_int_val()->Add(tensor.ints.begin(), tensor.ints.end());
  } else {
    proto.mutable_int64_val()->Add(tensor.ints.begin(), tensor.ints.end());
  }
  return proto;
}

tensorflow::TensorShapeProto ShapeToProto(const std::vector<int64_t>& shape) {
  tensorflow::TensorShapeProto proto;
  for (const int64_t size : shape) proto.add_dim()->set_size(size);
  return proto;
}

}  // namespace t2t
