#ifndef T2T_LAUNCH_APP_APP_H_
#define T2T_LAUNCH_APP_APP_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "launch/app/costs.h"
#include "launch/render/pod.h"
#include "t2t/base/json.h"

namespace t2t {

// Where an app is sent, and what is other there.
struct AppEnvironment {
  std::string name;
  std::string context;  // kubectl's; "" for its current one
  std::string ns;
  std::vector<std::string> operators;  // backends that the cluster has
  // component -> parameter -> value
  Json params = Json::Object();
};

// What the command line says of a component: parameter and text.
using Overrides = std::vector<std::pair<std::string, std::string>>;

// An app on disk:
//   app.yaml                  its name, the prototypes' version
//   components/NAME.yaml      prototype and parameters
//   imported/NAME.yaml        manifests of a component that was imported
//   environments/NAME.yaml    context, namespace, operators, parameters
//   costs.json                what t2t-trainer said that its models cost
// Every change is written at once, a file whole or not at all.
class App {
 public:
  static App Init(const std::string& folder, const std::string& name);
  // `folder`, or the nearest folder above it that has an app.yaml.
  static App Load(const std::string& folder);

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }
  const std::string& folder() const { return folder_; }
  // Those of costs.json, one for all copies of an app. Unless AskBy() says whom
  // to ask, the file alone counts.
  Costs* costs() const { return costs_.get(); }

  std::vector<std::string> ComponentNames() const;
  std::vector<std::string> EnvironmentNames() const;
  // Throws with did-you-mean. "" is the one without a file: kubectl's context.
  const AppEnvironment& Environment(const std::string& name) const;

  void AddComponent(const std::string& name, const std::string& prototype,
                    const Overrides& params);
  // A component of existing manifests, kept as they are. Throws where the text
  // has what can't be kept so.
  void Import(const std::string& name, const std::string& text);
  void RemoveComponent(const std::string& name);
  // The same app as a program with the newest prototypes makes it; Save()
  // writes it down.
  App Upgraded() const;
  void Save() const;
  // Writes a component as this object knows it.
  void SaveAgain(const std::string& component) const {
    SaveComponent(component);
  }
  void PutEnvironment(const AppEnvironment& environment);
  void RemoveEnvironment(const std::string& name);

  // In the component, or in an environment.
  void SetParam(const std::string& component, const std::string& param,
                const std::string& text, const std::string& environment);
  void DeleteParam(const std::string& component, const std::string& param,
                   const std::string& environment);

  // The component with all layers: the prototype's defaults, facts from the
  // registries, the component's file, the environment's, the command line.
  Component Resolve(const std::string& component,
                    const std::string& environment,
                    const Overrides& overrides = {}) const;

 private:
  App() = default;

  const Json& ComponentFile(const std::string& name) const;
  std::string ComponentPath(const std::string& name) const;
  std::string EnvironmentPath(const std::string& name) const;
  void SaveComponent(const std::string& name) const;
  void SaveEnvironment(const std::string& name) const;

  std::string ImportedPath(const std::string& name) const;
  // Without the facts.
  Component ResolveFiles(const std::string& component,
                         const std::string& environment,
                         const Overrides& overrides) const;

  std::string folder_;
  std::string name_;
  int64_t version_ = 0;
  std::map<std::string, Json> components_;
  std::map<std::string, AppEnvironment> environments_;
  std::shared_ptr<Costs> costs_;
};

}  // namespace t2t

#endif  // T2T_LAUNCH_APP_APP_H_
