#ifndef T2T_LAUNCH_RENDER_COMPONENT_H_
#define T2T_LAUNCH_RENDER_COMPONENT_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/render/params.h"
#include "t2t/base/json.h"

namespace t2t {

// Short ways to write values down.
Json Object(std::initializer_list<std::pair<std::string, Json>> members);
Json List(std::initializer_list<Json> items);
Json Strings(const std::vector<std::string>& items);

// 2: t2t-trainer is told preemption_grace_seconds.
// 3: the layer of facts (launch/app/facts.h); a pipeline's steps go by exit
// codes and keep a version's BLEU with it.
inline constexpr int64_t kPrototypesVersion = 3;

// What a component is rendered from.
struct Component {
  std::string app;
  std::string name;
  std::string prototype;
  std::string ns;  // "" where kubectl's own is meant
  std::vector<std::string> operators;
  Params params{{}};
  // Of the prototypes: an older one renders what it rendered then.
  int64_t version = kPrototypesVersion;
  // What was imported, for the prototype "manifests".
  std::vector<Json> manifests = {};
  // Another component of the app, in the same environment.
  std::function<Component(const std::string&)> find;

  // The objects' name.
  std::string object() const { return app + "-" + name; }
};

// Kubernetes replaces $(NAME) in commands, arguments and variables, and makes
// "$$" a "$": this keeps a text as it is.
std::string EscapeDollars(std::string_view text);
// What Kubernetes makes of it; `find` returns null for an unknown variable.
std::string ExpandVariables(
    std::string_view text,
    const std::function<const std::string*(const std::string&)>& find);
// "--name=value", kept from expansion.
std::string FlagArgument(const std::string& name, const std::string& value);
// Those of a list parameter, which must be flags.
void AddArguments(const Component& component, const std::string& param,
                  std::vector<std::string>* arguments);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_COMPONENT_H_
