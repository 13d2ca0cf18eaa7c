#ifndef T2T_LAUNCH_APP_TESTING_COMPONENTS_H_
#define T2T_LAUNCH_APP_TESTING_COMPONENTS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "launch/app/costs.h"
#include "launch/render/component.h"
#include "t2t/base/json.h"

namespace t2t {

using ComponentSettings = std::vector<std::pair<std::string, std::string>>;

// The real t2t-trainer's answers to what these tests ask, in
// tests/golden/launch/costs.json, which //tests/launch:costs_test writes and
// compares with the program. What is not there is not known. (The reference is
// for that test.)
std::shared_ptr<Costs>& TestingCosts();

// The trainings whose costs are in that file, besides those of
// GoldenComponents().
std::vector<ComponentSettings> TestingCostSettings();

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
