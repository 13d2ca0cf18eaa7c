#ifndef T2T_SERVE_MODEL_PATH_H_
#define T2T_SERVE_MODEL_PATH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace t2t {

// A path of TF Serving's REST interface:
//   /v1/models/NAME[/versions/N|/labels/LABEL][/metadata|:predict|...]
// The name and the label may be percent-encoded, the rest is taken in any case.
struct ModelPath {
  std::string name;
  std::optional<int64_t> version;
  std::string label;
  // "", "/metadata", ":predict", ":classify" or ":regress".
  std::string rest;
};

// Whether it is one, or would be if it were not malformed.
bool IsModelPath(std::string_view path);

// Throws a DataError with TF Serving's message where it is malformed.
ModelPath ParseModelPath(const std::string& method, std::string_view path);

}  // namespace t2t

#endif  // T2T_SERVE_MODEL_PATH_H_
