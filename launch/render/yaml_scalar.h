#ifndef T2T_LAUNCH_RENDER_YAML_SCALAR_H_
#define T2T_LAUNCH_RENDER_YAML_SCALAR_H_

#include <string>
#include <string_view>

#include "t2t/base/json.h"

namespace t2t {

// Why a scalar is refused. The reader catches it and adds the line.
struct YamlFault {
  std::string why;
};

// The value of an unquoted scalar, by YAML 1.2's core schema. Refuses numbers
// that YAML 1.1 takes for octal.
Json ResolvePlainScalar(std::string_view text);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_YAML_SCALAR_H_
