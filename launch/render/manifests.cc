#include "launch/render/manifests.h"

#include <algorithm>
#include <set>

#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

const Json* FindPath(const Json& value,
                     std::initializer_list<const char*> path) {
  const Json* at = &value;
  for (const char* const key : path) {
    if (!at->is_object()) return nullptr;
    at = at->Find(key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string Text(const Json& object, std::initializer_list<const char*> path) {
  const Json* const found = FindPath(object, path);
  return found != nullptr && found->is_string() ? found->AsString() : "";
}

// "Deployment/web".
std::string Id(const Json& object) {
  return Text(object, {"kind"}) + "/" + Text(object, {"metadata", "name"});
}

Json Without(const Json& object, const std::set<std::string>& keys) {
  Json rest = Json::Object();
  for (const auto& [key, value] : object.members()) {
    if (keys.count(key) == 0) rest.Add(key, value);
  }
  return rest;
}

void CheckObject(const Json& object, size_t number) {
  const std::string place = "object " + std::to_string(number);
  if (!object.is_object()) {
    throw DataError(place + " is no mapping", "manifests of Kubernetes");
  }
  const std::string api = Text(object, {"apiVersion"});
  const std::string kind = Text(object, {"kind"});
  if (api.empty() || kind.empty()) {
    throw DataError(place + " has no apiVersion or kind",
                    "manifests of Kubernetes");
  }
  if (StartsWith(api, "kustomize.config.k8s.io/")) {
    throw DataError(place + " is a " + kind + " of kustomize",
                    "what kustomize makes of it",
                    "kubectl kustomize FOLDER | t2t-launch import NAME -");
  }
  if (Text(object, {"metadata", "name"}).empty()) {
    throw DataError(
        place + ", a " + kind + ", has no name",
        "a name: t2t-launch finds its objects by it, generateName is not one");
  }
  if (kind == "Secret" && api == "v1") {
    throw DataError(
        Id(object) + ": secrets are not kept in the app's files",
        "manifests without it",
        "make it with kubectl create secret, and refer to it by its name");
  }
  if (FindPath(object, {"metadata", "ownerReferences"}) != nullptr) {
    throw DataError(Id(object) + " is owned by another object",
                    "the owner's manifest alone: it makes this one");
  }
}

bool IsOfTheCluster(const std::string& kind) {
  static const auto* const kinds =
      new std::set<std::string>{"Namespace",
                                "Node",
                                "PersistentVolume",
                                "StorageClass",
                                "ClusterRole",
                                "ClusterRoleBinding",
                                "CustomResourceDefinition",
                                "PriorityClass",
                                "IngressClass",
                                "RuntimeClass",
                                "CSIDriver",
                                "APIService",
                                "MutatingWebhookConfiguration",
                                "ValidatingWebhookConfiguration",
                                "ClusterQueue",
                                "ResourceFlavor",
                                "ClusterTrainingRuntime",
                                "ClusterServingRuntime",
                                "ClusterWorkflowTemplate"};
  return kinds->count(kind) > 0;
}

// "spec.template.spec.containers.0.image"; "\." is a dot of a name.
std::vector<std::string> PathParts(const std::string& path) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size() && path[i + 1] == '.') {
      parts.back() += path[++i];
    } else if (path[i] == '.') {
      parts.emplace_back();
    } else {
      parts.back() += path[i];
    }
  }
  return parts;
}

// The value with what is at parts[at...] replaced; the last name may be new.
Json Replaced(const Json& value, const std::vector<std::string>& parts,
              size_t at, const Json& with, const std::string& what) {
  if (at == parts.size()) return with;
  const std::string& part = parts[at];
  const auto missing = [&](const std::string& expected) {
    return UsageError(
        "the parameter set has " + what + ", but there is no '" + part + "'",
        expected);
  };
  if (value.is_array()) {
    int64_t index = 0;
    const int64_t size = static_cast<int64_t>(value.items().size());
    if (!ParseInt(part, &index) || index < 0 || index >= size) {
      throw missing("a number from 0 to " + std::to_string(size - 1));
    }
    Json list = Json::Array();
    for (int64_t i = 0; i < size; ++i) {
      const Json& item = value.items()[static_cast<size_t>(i)];
      list.Append(i == index ? Replaced(item, parts, at + 1, with, what)
                             : item);
    }
    return list;
  }
  const Json* const old = value.is_object() ? value.Find(part) : nullptr;
  if (old == nullptr && (!value.is_object() || at + 1 < parts.size())) {
    std::vector<std::string> names;
    if (value.is_object()) {
      for (const auto& [name, member] : value.members()) names.push_back(name);
    }
    throw missing(names.empty() ? "the place of a value"
                                : "one of " + Join(names, ", "));
  }
  Json object = value;
  object.Set(part,
             old == nullptr ? with : Replaced(*old, parts, at + 1, with, what));
  return object;
}

// What a cluster adds to an object.
Json Cleaned(const Json& object) {
  Json cleaned = Without(object, {"status"});
  Json metadata = Without(object.At("metadata"),
                          {"uid", "resourceVersion", "creationTimestamp",
                           "generation", "managedFields", "selfLink"});
  if (const Json* const annotations = metadata.Find("annotations")) {
    if (annotations->is_object()) {
      const Json rest = Without(
          *annotations, {"kubectl.kubernetes.io/last-applied-configuration"});
      if (rest.members().empty()) {
        metadata = Without(metadata, {"annotations"});
      } else {
        metadata.Set("annotations", rest);
      }
    }
  }
  cleaned.Set("metadata", metadata);
  return cleaned;
}

Json MapWith(const Json& metadata, const char* key,
             const std::vector<std::pair<std::string, std::string>>& more) {
  Json map = Json::Object();
  if (const Json* const found = metadata.Find(key)) {
    if (found->is_object()) map = *found;
  }
  for (const auto& [name, value] : more) map.Set(name, value);
  return map;
}

}  // namespace

std::vector<Json> ParseManifests(const std::string& text) {
  std::vector<Json> documents;
  try {
    documents = ParseYamlStream(text);
  } catch (const Error& error) {
    throw Error(error.code(),
                std::string(error.what()) +
                    (text.find("{{") == std::string::npos
                         ? ""
                         : "\n  (a template? 'helm template' makes manifests "
                           "of it)"));
  }
  std::vector<Json> objects;
  for (const Json& document : documents) {
    if (document.is_null()) continue;
    const Json* const items =
        document.is_object() && EndsWith(Text(document, {"kind"}), "List")
            ? document.Find("items")
            : nullptr;
    if (items == nullptr) {
      objects.push_back(document);
    } else {
      for (const Json& item : items->items()) objects.push_back(item);
    }
  }
  if (objects.empty()) throw DataError("there is no object in it");
  std::set<std::string> seen;
  for (size_t i = 0; i < objects.size(); ++i) {
    CheckObject(objects[i], i + 1);
    const std::string id = Text(objects[i], {"apiVersion"}) + " " +
                           Text(objects[i], {"metadata", "namespace"}) + " " +
                           Id(objects[i]);
    if (!seen.insert(id).second) {
      throw DataError(Id(objects[i]) + " is there twice");
    }
  }
  return objects;
}

std::vector<ParamSpec> ManifestsParams() {
  using T = ParamType;
  return {
      {"set", T::kMap, Json::Object(),
       "changes: KIND/NAME:path=value, as Deployment/web:spec.replicas=3"},
      {"labels", T::kMap, Json::Object(), "further labels"},
      {"annotations", T::kMap, Json::Object(), "further annotations"},
  };
}

namespace {

// Puts the values of the parameter "set" where they belong.
void ApplySettings(const Component& component, std::vector<Json>* objects) {
  std::vector<std::string> ids;
  for (const Json& object : *objects) ids.push_back(Id(object));
  for (const auto& [place, text] : component.params.Map("set")) {
    const size_t colon = place.find(':');
    const std::string id = place.substr(0, colon);
    const auto found = std::find(ids.begin(), ids.end(), id);
    if (colon == std::string::npos || found == ids.end()) {
      const std::string near = DidYouMean(id, ids);
      throw UsageError("the parameter set has '" + place + "'",
                       near.empty()
                           ? "KIND/NAME:path, with one of " + Join(ids, ", ")
                           : near);
    }
    Json& object = (*objects)[static_cast<size_t>(found - ids.begin())];
    object = Replaced(object, PathParts(place.substr(colon + 1)), 0,
                      ParseYaml(text), "'" + place + "'");
    if (Id(object) != id) {
      throw UsageError("the parameter set changes the name of " + id,
                       "a change of something else");
    }
  }
}

// The environment's namespace, where objects of this kind have one.
void SetNamespace(const Component& component, const Json& object,
                  Json* metadata) {
  if (component.ns.empty() || IsOfTheCluster(Text(object, {"kind"}))) return;
  const std::string given = Text(object, {"metadata", "namespace"});
  if (!given.empty() && given != component.ns) {
    throw UsageError(Id(object) + " is of the namespace " + given +
                         ", the environment of " + component.ns,
                     "one namespace",
                     "an environment of that namespace, or --set='" +
                         Id(object) + ":metadata.namespace=" + component.ns +
                         "'");
  }
  metadata->Set("namespace", component.ns);
}

}  // namespace

std::vector<Json> RenderManifests(const Component& component) {
  std::vector<Json> objects;
  for (const Json& object : component.manifests) {
    objects.push_back(Cleaned(object));
  }
  ApplySettings(component, &objects);
  const Json labels = Labels(component);
  std::vector<std::pair<std::string, std::string>> own;
  for (const auto& [key, value] : labels.members()) {
    // (The name is the program's, which is not ours.)
    if (key != "app.kubernetes.io/name")
      own.emplace_back(key, value.AsString());
  }
  const Json head = ObjectHead(component, "v1", "List", "x");
  std::vector<std::pair<std::string, std::string>> annotations;
  if (const Json* const map = head.At("metadata").Find("annotations")) {
    for (const auto& [key, value] : map->members()) {
      annotations.emplace_back(key, value.AsString());
    }
  }
  for (Json& object : objects) {
    Json metadata = object.At("metadata");
    SetNamespace(component, object, &metadata);
    metadata.Set("labels", MapWith(metadata, "labels", own));
    if (!annotations.empty()) {
      metadata.Set("annotations",
                   MapWith(metadata, "annotations", annotations));
    }
    object.Set("metadata", metadata);
  }
  return objects;
}

}  // namespace t2t
