#ifndef T2T_LAUNCH_RENDER_YAML_H_
#define T2T_LAUNCH_RENDER_YAML_H_

#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// YAML as Kubernetes' tools read it, out of the value tree that Json is: block
// style, the order of the members kept, the same bytes for the same value. A
// string is written plain only where no YAML reader (1.1 or 1.2) takes it for
// anything else. Throws a DataError for a string that is not UTF-8.
std::string ToYaml(const Json& value);

// Documents with "---" between.
std::string ToYamlStream(const std::vector<Json>& documents);

// Reads YAML as manifests use it, with libyaml, whose port kubectl reads it
// with. Anchors, tags, directives and "? " keys are refused, and so are
// duplicate keys and what other readers take for something else. Throws a
// DataError that names the line.
Json ParseYaml(std::string_view text);
std::vector<Json> ParseYamlStream(std::string_view text);

// The text as one scalar, quoted where it must be.
std::string YamlScalar(std::string_view text);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_YAML_H_
