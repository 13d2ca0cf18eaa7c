#ifndef T2T_LAUNCH_RENDER_POD_H_
#define T2T_LAUNCH_RENDER_POD_H_

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

// The parameters that every Pod has; `training` adds what only training needs.
std::vector<ParamSpec> PodParams();
std::vector<ParamSpec> JobParams(int64_t retries);

Json Labels(const Component& component);
// apiVersion, kind and metadata with the labels; annotations where there are.
Json ObjectHead(const Component& component, const std::string& api_version,
                const std::string& kind, const std::string& name);

struct PodOptions {
  std::string container = "t2t";
  std::vector<std::string> command;
  std::vector<std::string> arguments;  // escaped already
  std::vector<std::pair<std::string, std::string>> variables;
  std::string restart_policy;  // "": left out, the operator sets it
  std::string subdomain;
  int64_t shm = 0;     // whether /dev/shm is one of memory
  int64_t grace = 30;  // terminationGracePeriodSeconds
  bool gpus = true;    // whether the Pod gets the GPUs
  bool service_account = true;
  // "cpu", "memory" instead of the parameters'.
  std::string cpu, memory;
  std::vector<std::pair<std::string, int64_t>> ports;
  Json probes = Json::Object();       // readinessProbe and its like
  std::string role;                   // label t2t.dev/role
  std::vector<std::string> writable;  // folders that get an emptyDir
};
// {metadata, spec} of a Pod under the "restricted" security standard.
Json PodTemplate(const Component& component, const PodOptions& options);

// ServiceAccount (unless one is named) and NetworkPolicy (unless turned off):
// ports empty: only Pods of the same component come in.
void AddCompanions(const Component& component,
                   const std::vector<int64_t>& ports,
                   std::vector<Json>* objects);

// Labels of the component that Services and policies select by.
Json Selector(const Component& component, const std::string& role = "");

// Whole cores of a Pod, at least one.
int64_t Threads(const Component& component);

// podFailurePolicy by the table of exit codes in t2t/base/error.h.
Json PodFailurePolicy(const std::string& container);
// Those of the codes that must not be tried again.
const std::vector<int>& PermanentExitCodes();

// batch/v1 Job's spec. completions > 0: an indexed Job.
Json JobSpec(const Component& component, Json pod_template,
             const std::string& container, int64_t completions,
             int64_t parallelism, int64_t backoff_limit);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_POD_H_
