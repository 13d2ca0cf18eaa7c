#include "t2t/serve/serving_proto.h"

#include <cstring>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/serve/proto_wire.h"

namespace t2t {
namespace {

constexpr char kMethod[] = "tensorflow/serving/predict";
constexpr char kSignature[] = "serving_default";
constexpr char kSignatureMapType[] =
    "type.googleapis.com/tensorflow.serving.SignatureDefMap";

ModelSpec ParseModelSpec(std::string_view bytes) {
  ModelSpec spec;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        spec.name = reader.String();
        break;
      case 2: {
        spec.version = 0;
        ProtoReader value(reader.Bytes());
        while (value.Next()) {
          if (value.field() == 1) spec.version = value.Int64();
        }
        break;
      }
      case 3:
        spec.signature_name = reader.String();
        break;
      case 4:
        spec.version_label = reader.String();
        break;
      default:
        break;
    }
  }
  return spec;
}

std::string SerializeModelSpec(const ModelSpec& spec) {
  ProtoWriter writer;
  writer.Bytes(1, spec.name);
  if (spec.version.has_value()) {
    ProtoWriter value;
    value.Int64(1, *spec.version);
    writer.Bytes(2, value.bytes());
  }
  if (!spec.signature_name.empty()) writer.Bytes(3, spec.signature_name);
  if (!spec.version_label.empty()) writer.Bytes(4, spec.version_label);
  return writer.bytes();
}

std::vector<int64_t> ParseShape(std::string_view bytes) {
  std::vector<int64_t> shape;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 3 && reader.Varint() != 0) {
      throw DataError("a tensor's shape is unknown");
    }
    if (reader.field() != 2) continue;
    int64_t size = 0;
    ProtoReader dim(reader.Bytes());
    while (dim.Next()) {
      if (dim.field() == 1) size = dim.Int64();
    }
    shape.push_back(size);
  }
  return shape;
}

std::string SerializeShape(const std::vector<int64_t>& shape) {
  ProtoWriter writer;
  for (const int64_t size : shape) {
    ProtoWriter dim;
    dim.Int64(1, size);
    writer.Bytes(2, dim.bytes());
  }
  return writer.bytes();
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

TensorValue ParseTensor(std::string_view bytes) {
  TensorValue tensor;
  int64_t type = 0;
  std::string content;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        type = reader.Int64();
        break;
      case 2:
        tensor.shape = ParseShape(reader.Bytes());
        break;
      case 4:
        content = reader.String();
        break;
      case 5:
        reader.EachFloat([&](float value) { tensor.floats.push_back(value); });
        break;
      case 7:
        reader.EachVarint([&](uint64_t value) {
          tensor.ints.push_back(static_cast<int32_t>(value));
        });
        break;
      case 8:
        tensor.strings.push_back(reader.String());
        break;
      case 10:
        reader.EachVarint([&](uint64_t value) {
          tensor.ints.push_back(static_cast<int64_t>(value));
        });
        break;
      default:
        break;
    }
  }
  tensor.type = static_cast<DataType>(type);
  switch (tensor.type) {
    case DataType::kString:
      RepeatLastString(&tensor);
      break;
    case DataType::kFloat:
      TakeContent<float>(content, &tensor.floats);
      CheckCount(tensor.floats, tensor.shape);
      break;
    case DataType::kInt32:
      TakeContent<int32_t>(content, &tensor.ints);
      CheckCount(tensor.ints, tensor.shape);
      break;
    case DataType::kInt64:
      TakeContent<int64_t>(content, &tensor.ints);
      CheckCount(tensor.ints, tensor.shape);
      break;
    default:
      throw DataError("a tensor has the type " + std::to_string(type),
                      "DT_STRING, DT_FLOAT, DT_INT32 or DT_INT64");
  }
  return tensor;
}

std::string SerializeTensor(const TensorValue& tensor) {
  ProtoWriter writer;
  writer.Int64(1, static_cast<int64_t>(tensor.type));
  writer.Bytes(2, SerializeShape(tensor.shape));
  std::string packed;
  switch (tensor.type) {
    case DataType::kString:
      for (const std::string& value : tensor.strings) writer.Bytes(8, value);
      break;
    case DataType::kFloat:
      for (const float value : tensor.floats) {
        ProtoWriter::AppendFloat(value, &packed);
      }
      writer.Bytes(5, packed);
      break;
    case DataType::kInt32:
    case DataType::kInt64:
      for (const int64_t value : tensor.ints) {
        ProtoWriter::AppendVarint(static_cast<uint64_t>(value), &packed);
      }
      writer.Bytes(tensor.type == DataType::kInt32 ? 7 : 10, packed);
      break;
  }
  return writer.bytes();
}

// A map's entry: its key, and its value still serialized.
std::pair<std::string, std::string_view> ParseEntry(std::string_view bytes) {
  std::pair<std::string, std::string_view> entry;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) entry.first = reader.String();
    if (reader.field() == 2) entry.second = reader.Bytes();
  }
  return entry;
}

void ParseTensorEntry(std::string_view bytes,
                      std::map<std::string, TensorValue>* tensors) {
  const auto [name, value] = ParseEntry(bytes);
  (*tensors)[name] = ParseTensor(value);
}

std::string SerializeSpecs(uint32_t field,
                           const std::map<std::string, TensorSpec>& specs) {
  ProtoWriter writer;
  for (const auto& [name, spec] : specs) {
    ProtoWriter info;
    info.Bytes(1, name + ":0");
    info.Int64(2, static_cast<int64_t>(spec.type));
    info.Bytes(3, SerializeShape(std::vector<int64_t>(spec.rank, -1)));
    writer.MapEntry(field, name, info.bytes());
  }
  return writer.bytes();
}

// ModelVersionStatus.State
int64_t StateNumber(const std::string& state) {
  if (state == "START") return 10;
  if (state == "LOADING") return 20;
  if (state == "AVAILABLE") return 30;
  if (state == "UNLOADING") return 40;
  return state == "END" ? 50 : 0;
}

}  // namespace

PredictRequest ParsePredictRequest(std::string_view bytes) {
  PredictRequest request;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        request.model_spec = ParseModelSpec(reader.Bytes());
        break;
      case 2:
        ParseTensorEntry(reader.Bytes(), &request.inputs);
        break;
      case 3:
        request.output_filter.push_back(reader.String());
        break;
      default:
        break;
    }
  }
  return request;
}

std::string SerializePredictRequest(const PredictRequest& request) {
  ProtoWriter writer;
  writer.Bytes(1, SerializeModelSpec(request.model_spec));
  for (const auto& [name, tensor] : request.inputs) {
    writer.MapEntry(2, name, SerializeTensor(tensor));
  }
  for (const std::string& name : request.output_filter) writer.Bytes(3, name);
  return writer.bytes();
}

PredictResponse ParsePredictResponse(std::string_view bytes) {
  PredictResponse response;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) {
      ParseTensorEntry(reader.Bytes(), &response.outputs);
    } else if (reader.field() == 2) {
      response.model_spec = ParseModelSpec(reader.Bytes());
    }
  }
  return response;
}

std::string SerializePredictResponse(const PredictResponse& response) {
  ProtoWriter writer;
  for (const auto& [name, tensor] : response.outputs) {
    writer.MapEntry(1, name, SerializeTensor(tensor));
  }
  writer.Bytes(2, SerializeModelSpec(response.model_spec));
  return writer.bytes();
}

ModelSpec ParseStatusRequest(std::string_view bytes) {
  ModelSpec spec;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) spec = ParseModelSpec(reader.Bytes());
  }
  return spec;
}

std::string SerializeStatusResponse(const std::vector<VersionState>& states) {
  ProtoWriter writer;
  for (const VersionState& state : states) {
    ProtoWriter status;
    status.Int64(1, state.error_code);
    status.Bytes(2, state.error);
    ProtoWriter version;
    version.Int64(1, state.version);
    version.Int64(2, StateNumber(state.state));
    version.Bytes(3, status.bytes());
    writer.Bytes(1, version.bytes());
  }
  return writer.bytes();
}

MetadataRequest ParseMetadataRequest(std::string_view bytes) {
  MetadataRequest request;
  ProtoReader reader(bytes);
  while (reader.Next()) {
    if (reader.field() == 1) {
      request.model_spec = ParseModelSpec(reader.Bytes());
    } else if (reader.field() == 2) {
      request.fields.push_back(reader.String());
    }
  }
  return request;
}

std::string SerializeMetadataResponse(
    const ModelSpec& model_spec,
    const std::map<std::string, TensorSpec>& inputs,
    const std::map<std::string, TensorSpec>& outputs) {
  ProtoWriter method;
  method.Bytes(3, kMethod);
  ProtoWriter map;
  map.MapEntry(
      1, kSignature,
      SerializeSpecs(1, inputs) + SerializeSpecs(2, outputs) + method.bytes());
  ProtoWriter any;
  any.Bytes(1, kSignatureMapType);
  any.Bytes(2, map.bytes());
  ProtoWriter writer;
  writer.Bytes(1, SerializeModelSpec(model_spec));
  writer.MapEntry(2, "signature_def", any.bytes());
  return writer.bytes();
}

}  // namespace t2t
