#ifndef T2T_LAUNCH_RENDER_PROTOTYPES_H_
#define T2T_LAUNCH_RENDER_PROTOTYPES_H_

#include <functional>
#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

// A kind of component: what its parameters are, what it is rendered to.
struct Prototype {
  std::string name;
  std::string help;
  std::vector<ParamSpec> params;
  std::function<std::vector<Json>(const Component&)> render;
};

const std::vector<Prototype>& Prototypes();
// Throws a usage error with did-you-mean.
const Prototype& FindPrototype(const std::string& name);

// The objects of a component, in the order in which they are to be sent.
std::vector<Json> Render(const Component& component);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_PROTOTYPES_H_
