#ifndef T2T_LAUNCH_RENDER_MANIFESTS_H_
#define T2T_LAUNCH_RENDER_MANIFESTS_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// The prototype of components that were imported.
inline constexpr char kManifestsPrototype[] = "manifests";

// The objects of a YAML (or JSON) text, Lists taken apart. Throws a DataError
// for what t2t-launch can't keep and send: what its YAML reader refuses,
// objects without a kind or a name, or owned by another, the same one twice,
// kustomizations, and Secrets, which do not belong into files.
std::vector<Json> ParseManifests(const std::string& text);

std::vector<ParamSpec> ManifestsParams();
// The objects with the environment's namespace, the app's labels, and what the
// parameter `set` changes. What only a cluster writes is left out.
std::vector<Json> RenderManifests(const Component& component);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_MANIFESTS_H_
