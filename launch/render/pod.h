#ifndef T2T_LAUNCH_RENDER_POD_H_
#define T2T_LAUNCH_RENDER_POD_H_

#include <string>
#include <utility>
#include <vector>

#include "launch/render/component.h"
#include "launch/render/params.h"
#include "t2t/base/json.h"

namespace t2t {

// The parameters that every Pod has; `training` adds what only training needs.
std::vector<ParamSpec> PodParams();

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

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_POD_H_
