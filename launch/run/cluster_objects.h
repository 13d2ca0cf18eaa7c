#ifndef T2T_LAUNCH_RUN_CLUSTER_OBJECTS_H_
#define T2T_LAUNCH_RUN_CLUSTER_OBJECTS_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"
#include "launch/run/kubectl.h"
#include "t2t/base/json.h"

namespace t2t {

// The exit codes of waiting for what has failed, and for what isn't done in
// time.
constexpr int kFailed = 20;
constexpr int kNotInTime = 21;

// Kinds that run something: what kubectl calls them, and how each is stopped.
struct Kind {
  const char* kind;
  const char* api;  // the start of its apiVersion
  const char* resource;
  std::vector<std::string> suspend;  // the field
};
const std::vector<Kind>& Kinds();
// Null for what runs nothing.
const Kind* FindKind(const Json& object);

// metadata.name.
std::string ObjectName(const Json& object);
// The label by which all objects of a component are found.
std::string InstanceSelector(const Component& component);

// kubectl's failure is ours; its message is on stderr already.
void CheckKubectl(const KubectlResult& result, const std::string& doing);

// kubectl apply, on the server's side. dry_run: the server only checks them.
void ApplyObjects(const AppEnvironment& environment,
                  const std::vector<Json>& objects, bool dry_run);
// Asks the cluster until all that run are done or one has failed. timeout: in
// seconds, 0 for none. Returns 0, kFailed or kNotInTime.
int WaitFor(const AppEnvironment& environment, const std::vector<Json>& objects,
            double timeout);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_CLUSTER_OBJECTS_H_
