#ifndef T2T_LAUNCH_APP_TESTING_COMPONENTS_H_
#define T2T_LAUNCH_APP_TESTING_COMPONENTS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "launch/render/component.h"
#include "t2t/base/json.h"

namespace t2t {

using ComponentSettings = std::vector<std::pair<std::string, std::string>>;

// A component of app "ende" in namespace "mt", named as its prototype, with
// what the registries know added.
Component MakeTestingComponent(const std::string& prototype,
                               const ComponentSettings& settings = {});

// Every prototype at its defaults, training by each backend, and what else has
// a golden file (k8s/golden), by the file's name.
std::map<std::string, Component> GoldenComponents();

// The first argument of a container in the objects that starts so, as the
// program gets it; "" where none does.
std::string Argument(const std::vector<Json>& objects,
                     const std::string& start);

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_TESTING_COMPONENTS_H_
