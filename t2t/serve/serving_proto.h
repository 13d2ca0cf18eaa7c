#ifndef T2T_SERVE_SERVING_PROTO_H_
#define T2T_SERVE_SERVING_PROTO_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace t2t {

// The messages of TF Serving's PredictionService and ModelService, as far as
// they are used here; compatible on the wire.

enum class DataType { kFloat = 1, kInt32 = 3, kString = 7, kInt64 = 9 };

struct ModelSpec {
  std::string name;
  std::optional<int64_t> version;
  std::string version_label;
  std::string signature_name;
};

// TensorProto; the values of its type.
struct TensorValue {
  DataType type = DataType::kString;
  std::vector<int64_t> shape;
  std::vector<std::string> strings;
  std::vector<int64_t> ints;  // kInt32 and kInt64
  std::vector<float> floats;
};

struct PredictRequest {
  ModelSpec model_spec;
  std::map<std::string, TensorValue> inputs;
  std::vector<std::string> output_filter;
};

struct PredictResponse {
  ModelSpec model_spec;
  std::map<std::string, TensorValue> outputs;
};

// What GetModelStatus answers for a version.
struct VersionState {
  int64_t version = 0;
  std::string state;  // TF Serving's name
  int error_code = 0;
  std::string error;
};

struct MetadataRequest {
  ModelSpec model_spec;
  std::vector<std::string> fields;
};

// A tensor's name, type and shape in a signature.
struct TensorSpec {
  DataType type = DataType::kString;
  int rank = 1;  // all sizes are unknown
};

// Parse: throws a DataError. A tensor of another type is refused, and so is
// one that says to be larger than its values are (but for strings that repeat
// the last one, up to kMostRepeatedBytes in all).
inline constexpr size_t kMostRepeatedBytes = 1 << 22;
PredictRequest ParsePredictRequest(std::string_view bytes);
PredictResponse ParsePredictResponse(std::string_view bytes);
// GetModelStatusRequest has nothing but a ModelSpec.
ModelSpec ParseStatusRequest(std::string_view bytes);
MetadataRequest ParseMetadataRequest(std::string_view bytes);

std::string SerializePredictRequest(const PredictRequest& request);
std::string SerializePredictResponse(const PredictResponse& response);
std::string SerializeStatusResponse(const std::vector<VersionState>& states);
// One signature, by the name "serving_default".
std::string SerializeMetadataResponse(
    const ModelSpec& model_spec,
    const std::map<std::string, TensorSpec>& inputs,
    const std::map<std::string, TensorSpec>& outputs);

}  // namespace t2t

#endif  // T2T_SERVE_SERVING_PROTO_H_
