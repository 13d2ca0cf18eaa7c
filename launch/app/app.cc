#include "launch/app/app.h"

#include <algorithm>
#include <memory>

#include "launch/app/facts.h"
#include "launch/render/manifests.h"
#include "launch/render/prototypes.h"
#include "launch/render/train.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// The app's format and the version of its prototypes: "t2t.dev/v2".
constexpr char kVersionStart[] = "t2t.dev/v";

std::string VersionText(int64_t version) {
  return kVersionStart + std::to_string(version);
}

int64_t ReadVersion(const std::string& path, const std::string& text) {
  int64_t version = 0;
  if (!StartsWith(text, kVersionStart) ||
      !ParseInt(text.substr(sizeof(kVersionStart) - 1), &version) ||
      version < 1 || version > kPrototypesVersion) {
    throw DataError(path + " is of " + text,
                    VersionText(1) + " to " + VersionText(kPrototypesVersion),
                    "a newer app needs a newer t2t-launch");
  }
  return version;
}

void CheckName(const std::string& kind, const std::string& name) {
  if (!IsDnsLabel(name, 30)) {
    throw UsageError("the " + kind + " can't be named '" + name + "'",
                     "lower case letters, digits and '-', at most 30");
  }
}

Json ReadYamlFile(const std::string& path,
                  const std::vector<std::string>& keys) {
  try {
    Json value = ParseYaml(ReadFile(path));
    if (!value.is_object()) throw DataError("it is no mapping");
    for (const auto& [key, member] : value.members()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        throw DataError("there is no '" + key + "'", DidYouMean(key, keys),
                        "it knows " + Join(keys, ", "));
      }
    }
    return value;
  } catch (const Error& error) {
    throw Error(error.code(), path + ": " + error.what());
  }
}

std::string StringOr(const Json& value, const std::string& key,
                     const std::string& otherwise) {
  const Json* const found = value.Find(key);
  if (found == nullptr || found->is_null()) return otherwise;
  return found->AsString();
}

Json ObjectOr(const Json& value, const std::string& key) {
  const Json* const found = value.Find(key);
  if (found == nullptr || found->is_null()) return Json::Object();
  if (!found->is_object()) throw DataError("'" + key + "' is no mapping");
  return *found;
}

// The names of a folder's .yaml files.
std::vector<std::string> Names(const std::string& folder) {
  std::vector<std::string> names;
  if (!IsDirectory(folder)) return names;
  for (const std::string& file : ListDirectory(folder)) {
    if (EndsWith(file, ".yaml") && file[0] != '.') {
      names.push_back(file.substr(0, file.size() - 5));
    }
  }
  return names;
}

Json Without(const Json& object, const std::string& key) {
  Json rest = Json::Object();
  for (const auto& [name, value] : object.members()) {
    if (name != key) rest.Set(name, value);
  }
  return rest;
}

template <typename Map>
std::vector<std::string> Keys(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

}  // namespace

App App::Init(const std::string& folder, const std::string& name) {
  CheckName("app", name);
  const std::string path = JoinPath(folder, "app.yaml");
  if (Exists(path)) {
    throw UsageError(path + " is there already", "a folder without an app");
  }
  MakeDirectories(JoinPath(folder, "components"));
  MakeDirectories(JoinPath(folder, "environments"));
  App app;
  app.folder_ = folder;
  app.name_ = name;
  app.version_ = kPrototypesVersion;
  app.Save();
  return Load(folder);
}

App App::Load(const std::string& start) {
  std::string folder = start;
  for (int up = 0; !Exists(JoinPath(folder, "app.yaml")); ++up) {
    if (up == 30 || !IsDirectory(JoinPath(folder, ".."))) {
      throw MissingError(
          "there is no app.yaml in " + start + " or a folder above it",
          "an app", "t2t-launch init NAME makes one");
    }
    folder = JoinPath(folder, "..");
  }
  App app;
  app.folder_ = folder;
  const Json file =
      ReadYamlFile(JoinPath(folder, "app.yaml"), {"apiVersion", "name"});
  app.version_ = ReadVersion(JoinPath(folder, "app.yaml"),
                             StringOr(file, "apiVersion", VersionText(1)));
  app.name_ = StringOr(file, "name", "");
  CheckName("app", app.name_);
  for (const std::string& name : Names(JoinPath(folder, "components"))) {
    const std::string path = app.ComponentPath(name);
    CheckName("component", name);
    const Json component = ReadYamlFile(path, {"prototype", "params"});
    app.components_[name] =
        Object({{"prototype", StringOr(component, "prototype", "")},
                {"params", ObjectOr(component, "params")}});
  }
  for (const std::string& name : Names(JoinPath(folder, "environments"))) {
    const Json value =
        ReadYamlFile(app.EnvironmentPath(name),
                     {"context", "namespace", "operators", "params"});
    AppEnvironment environment;
    environment.name = name;
    environment.context = StringOr(value, "context", "");
    environment.ns = StringOr(value, "namespace", "");
    if (const Json* const operators = value.Find("operators")) {
      for (const Json& item : operators->items()) {
        environment.operators.push_back(item.AsString());
      }
    }
    environment.params = ObjectOr(value, "params");
    app.environments_[name] = environment;
  }
  app.costs_ = std::make_shared<Costs>(JoinPath(folder, "costs.json"));
  return app;
}

std::string App::ComponentPath(const std::string& name) const {
  return JoinPath(JoinPath(folder_, "components"), name + ".yaml");
}

std::string App::ImportedPath(const std::string& name) const {
  return JoinPath(JoinPath(folder_, "imported"), name + ".yaml");
}

void App::Save() const {
  WriteFileAtomically(
      JoinPath(folder_, "app.yaml"),
      ToYaml(Object({{"apiVersion", VersionText(version_)}, {"name", name_}})));
}

App App::Upgraded() const {
  App app = *this;
  app.version_ = kPrototypesVersion;
  return app;
}

std::string App::EnvironmentPath(const std::string& name) const {
  return JoinPath(JoinPath(folder_, "environments"), name + ".yaml");
}

std::vector<std::string> App::ComponentNames() const {
  return Keys(components_);
}

std::vector<std::string> App::EnvironmentNames() const {
  return Keys(environments_);
}

const Json& App::ComponentFile(const std::string& name) const {
  const auto found = components_.find(name);
  if (found == components_.end()) {
    throw UsageError("there is no component '" + name + "'",
                     DidYouMean(name, ComponentNames()),
                     "t2t-launch component list");
  }
  return found->second;
}

const AppEnvironment& App::Environment(const std::string& name) const {
  static const auto* const none = new AppEnvironment;
  if (name.empty()) return *none;
  const auto found = environments_.find(name);
  if (found == environments_.end()) {
    throw UsageError("there is no environment '" + name + "'",
                     DidYouMean(name, EnvironmentNames()),
                     "t2t-launch env list");
  }
  return found->second;
}

void App::SaveComponent(const std::string& name) const {
  const Json& component = components_.at(name);
  Json file = Object({{"prototype", component.At("prototype")}});
  if (!component.At("params").members().empty()) {
    file.Set("params", component.At("params"));
  }
  MakeDirectories(JoinPath(folder_, "components"));
  WriteFileAtomically(ComponentPath(name), ToYaml(file));
}

void App::SaveEnvironment(const std::string& name) const {
  const AppEnvironment& environment = environments_.at(name);
  const Json file = Object({{"context", environment.context},
                            {"namespace", environment.ns},
                            {"operators", Strings(environment.operators)},
                            {"params", environment.params}});
  MakeDirectories(JoinPath(folder_, "environments"));
  WriteFileAtomically(EnvironmentPath(name), ToYaml(file));
}

void App::AddComponent(const std::string& name, const std::string& prototype,
                       const Overrides& overrides) {
  CheckName("component", name);
  if (components_.count(name) > 0) {
    throw UsageError("there is a component '" + name + "' already", "",
                     "t2t-launch param set changes it");
  }
  const Prototype& found = FindPrototype(prototype);
  if (prototype == kManifestsPrototype) {
    throw UsageError("a component of manifests is not generated", "",
                     "t2t-launch import " + name + " FILE makes one");
  }
  Params params(found.params);
  Json given = Json::Object();
  for (const auto& [param, text] : overrides) {
    params.SetText(param, text, "");
    given.Set(param, params.At(param).value);
  }
  components_[name] = Object({{"prototype", prototype}, {"params", given}});
  SaveComponent(name);
}

void App::Import(const std::string& name, const std::string& text) {
  CheckName("component", name);
  if (components_.count(name) > 0) {
    throw UsageError("there is a component '" + name + "' already", "",
                     "another name, or t2t-launch component remove");
  }
  ParseManifests(text);
  MakeDirectories(JoinPath(folder_, "imported"));
  WriteFileAtomically(ImportedPath(name), text);
  components_[name] =
      Object({{"prototype", kManifestsPrototype}, {"params", Json::Object()}});
  SaveComponent(name);
}

void App::RemoveComponent(const std::string& name) {
  ComponentFile(name);
  components_.erase(name);
  RemoveFile(ComponentPath(name));
  RemoveFile(ImportedPath(name));
  for (auto& [key, environment] : environments_) {
    if (environment.params.Find(name) == nullptr) continue;
    environment.params = Without(environment.params, name);
    SaveEnvironment(key);
  }
}

void App::PutEnvironment(const AppEnvironment& environment) {
  CheckName("environment", environment.name);
  if (!environment.ns.empty() && !IsDnsLabel(environment.ns)) {
    throw UsageError("there can't be a namespace '" + environment.ns + "'",
                     "lower case letters, digits and '-'");
  }
  for (const std::string& name : environment.operators) {
    const std::vector<std::string>& known = TrainBackends();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = DidYouMean(name, known);
      throw UsageError("there is no operator '" + name + "'",
                       near.empty() ? "some of " + Join(known, ", ") : near);
    }
  }
  environments_[environment.name] = environment;
  SaveEnvironment(environment.name);
}

void App::RemoveEnvironment(const std::string& name) {
  Environment(name);
  environments_.erase(name);
  RemoveFile(EnvironmentPath(name));
}

void App::SetParam(const std::string& component, const std::string& param,
                   const std::string& text, const std::string& environment) {
  const Json& file = ComponentFile(component);
  Params params(FindPrototype(file.At("prototype").AsString()).params);
  params.SetText(param, text, "");
  const Json value = params.At(param).value;
  if (environment.empty()) {
    Json own = file.At("params");
    own.Set(param, value);
    components_[component].Set("params", own);
    SaveComponent(component);
    return;
  }
  Environment(environment);
  Json& all = environments_.at(environment).params;
  Json own = ObjectOr(all, component);
  own.Set(param, value);
  all.Set(component, own);
  SaveEnvironment(environment);
}

void App::DeleteParam(const std::string& component, const std::string& param,
                      const std::string& environment) {
  const Json& file = ComponentFile(component);
  const Json own = environment.empty()
                       ? file.At("params")
                       : ObjectOr(Environment(environment).params, component);
  if (own.Find(param) == nullptr) {
    std::vector<std::string> names;
    for (const auto& [name, value] : own.members()) names.push_back(name);
    throw UsageError(
        "the parameter " + param + " of " + component + " is not set there",
        DidYouMean(param, names), "t2t-launch param explain shows where it is");
  }
  if (environment.empty()) {
    components_[component].Set("params", Without(own, param));
    SaveComponent(component);
    return;
  }
  environments_.at(environment).params.Set(component, Without(own, param));
  SaveEnvironment(environment);
}

Component App::ResolveFiles(const std::string& name,
                            const std::string& environment_name,
                            const Overrides& overrides) const {
  const Json& file = ComponentFile(name);
  const AppEnvironment& environment = Environment(environment_name);
  Component component;
  component.app = name_;
  component.name = name;
  component.prototype = file.At("prototype").AsString();
  component.ns = environment.ns;
  component.operators = environment.operators;
  component.version = version_;
  if (component.prototype == kManifestsPrototype) {
    const std::string path = ImportedPath(name);
    if (!Exists(path)) {
      throw MissingError("there is no " + path, "the imported manifests",
                         "t2t-launch import brings them back");
    }
    try {
      component.manifests = ParseManifests(ReadFile(path));
    } catch (const Error& error) {
      throw Error(error.code(), path + ": " + error.what());
    }
  }
  component.params = Params(FindPrototype(component.prototype).params);
  const auto layer = [&](const Json& params, const std::string& source) {
    for (const auto& [param, value] : params.members()) {
      try {
        component.params.Set(param, value, source);
      } catch (const Error& error) {
        throw Error(error.code(), source + ": " + error.what());
      }
    }
  };
  layer(file.At("params"), "components/" + name + ".yaml");
  layer(ObjectOr(environment.params, name),
        "environments/" + environment_name + ".yaml");
  for (const auto& [param, text] : overrides) {
    component.params.SetText(param, text, "command line");
  }
  // (A copy: a component may outlive what it was made from.)
  const auto app = std::make_shared<App>(*this);
  component.find = [app, environment_name](const std::string& other) {
    Component found = app->ResolveFiles(other, environment_name, {});
    // A pipeline's facts are found by this very function, and no component is
    // made of a pipeline.
    if (found.prototype != "pipeline") AddFacts(&found, app->costs_);
    return found;
  };
  return component;
}

Component App::Resolve(const std::string& name, const std::string& environment,
                       const Overrides& overrides) const {
  Component component = ResolveFiles(name, environment, overrides);
  AddFacts(&component, costs_);
  return component;
}

}  // namespace t2t
