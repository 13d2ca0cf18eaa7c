#include "launch/validate.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "launch/models.h"
#include "launch/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/hparams.h"
#include "t2t/base/strings.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

// Linux' limit on one argument or variable, and etcd's on an object.
constexpr size_t kMaxArgument = 131072 - 1;
constexpr size_t kMaxObject = 1 << 20;

std::string Place(const Json& object) {
  return object.At("kind").AsString() + " " +
         object.At("metadata").At("name").AsString();
}

// Calls visit for every Pod template below, those of manifests in a pipeline's
// steps too.
void ForEachTemplate(const Json& value,
                     const std::function<void(const Json&)>& visit) {
  if (value.is_array()) {
    for (const Json& item : value.items()) ForEachTemplate(item, visit);
  }
  if (!value.is_object()) return;
  if (const Json* const manifest = value.Find("manifest")) {
    ForEachTemplate(ParseYaml(manifest->AsString()), visit);
  }
  const Json* const spec = value.Find("spec");
  if (spec != nullptr && spec->is_object() &&
      spec->Find("containers") != nullptr) {
    visit(value);
  }
  for (const auto& [key, member] : value.members()) {
    ForEachTemplate(member, visit);
  }
}

const Json* FindPath(const Json& value, const std::vector<std::string>& path) {
  const Json* at = &value;
  for (const std::string& key : path) {
    if (!at->is_object()) return nullptr;
    at = at->Find(key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool Selects(const Json& selector, const Json& labels) {
  for (const auto& [key, value] : selector.members()) {
    const Json* const label = labels.Find(key);
    // Labels that an operator adds are not in a template.
    if (StartsWith(key, "training.kubeflow.org/")) continue;
    if (label == nullptr || label->AsString() != value.AsString()) return false;
  }
  return true;
}

class Checker {
 public:
  explicit Checker(const std::vector<Json>& objects) : objects_(objects) {}

  std::vector<std::string> Check() {
    std::set<std::string> seen;
    for (const Json& object : objects_) {
      place_ = Place(object);
      if (!seen.insert(object.At("apiVersion").AsString() + " " + place_)
               .second) {
        Add("it is there twice");
      }
      if (!IsDnsLabel(object.At("metadata").At("name").AsString())) {
        Add("its name is no DNS label of at most 63 characters");
      }
      const size_t size = ToYaml(object).size();
      if (size > kMaxObject) {
        Add("it has " + std::to_string(size) +
            " bytes; a cluster takes about a million");
      }
      ForEachTemplate(object, [&](const Json& pod) { CheckPod(pod); });
      CheckJob(object);
      CheckSelectors(object);
    }
    return std::move(found_);
  }

 private:
  void Add(const std::string& text) { found_.push_back(place_ + ": " + text); }

  void CheckText(const std::string& what, const std::string& text) {
    if (text.size() > kMaxArgument) {
      Add(what + " has " + std::to_string(text.size()) +
          " bytes; a program can be started with 131071 at most");
    }
    if (text.find('\0') != std::string::npos) Add(what + " has a NUL byte");
  }

  void CheckPod(const Json& pod) {
    const Json& spec = pod.At("spec");
    std::set<std::string> volumes;
    if (const Json* const list = spec.Find("volumes")) {
      for (const Json& volume : list->items()) {
        if (!volumes.insert(volume.At("name").AsString()).second) {
          Add("a volume is there twice");
        }
      }
    }
    for (const Json& container : spec.At("containers").items()) {
      for (const char* const key : {"command", "args"}) {
        const Json* const list = container.Find(key);
        if (list == nullptr) continue;
        for (const Json& item : list->items()) {
          CheckText("an argument", item.AsString());
        }
      }
      std::set<std::string> names;
      if (const Json* const env = container.Find("env")) {
        for (const Json& variable : env->items()) {
          const std::string& name = variable.At("name").AsString();
          if (!names.insert(name).second) {
            Add("the variable " + name + " is there twice");
          }
          if (const Json* const value = variable.Find("value")) {
            CheckText("the variable " + name, name + "=" + value->AsString());
          }
        }
      }
      const Json& resources = container.At("resources");
      for (const auto& [name, request] : resources.At("requests").members()) {
        const Json* const limit = resources.At("limits").Find(name);
        if (limit == nullptr || QuantityValue(limit->AsString()) <
                                    QuantityValue(request.AsString())) {
          Add("the limit of " + name + " is below the request");
        }
      }
      std::set<std::string> paths;
      for (const Json& mount : container.At("volumeMounts").items()) {
        if (!paths.insert(mount.At("mountPath").AsString()).second) {
          Add("two volumes are mounted at " + mount.At("mountPath").AsString());
        }
        if (volumes.count(mount.At("name").AsString()) == 0) {
          Add("a volume is mounted that is not there");
        }
      }
    }
    for (const Json& volume : spec.At("volumes").items()) {
      const Json* const shm = FindPath(volume, {"emptyDir", "medium"});
      if (shm == nullptr) continue;
      const Json& container = spec.At("containers").items()[0];
      if (QuantityValue(volume.At("emptyDir").At("sizeLimit").AsString()) >=
          QuantityValue(
              container.At("resources").At("limits").At("memory").AsString())) {
        Add("/dev/shm is as large as the memory that it is taken from");
      }
    }
  }

  void CheckJob(const Json& object) {
    if (object.At("kind").AsString() != "Job") return;
    const Json& spec = object.At("spec");
    const Json* const policy =
        FindPath(spec, {"template", "spec", "restartPolicy"});
    if (spec.Find("podFailurePolicy") != nullptr &&
        (policy == nullptr || policy->AsString() != "Never")) {
      Add("podFailurePolicy needs restartPolicy Never");
    }
    if (const Json* const completions = spec.Find("completions")) {
      // A Pod's host name is the Job's name and its number.
      const size_t longest =
          object.At("metadata").At("name").AsString().size() + 1 +
          std::to_string(completions->AsInt()).size();
      if (longest > 63) Add("its Pods' host names are longer than 63");
    }
  }

  void CheckSelectors(const Json& object) {
    const std::string kind = object.At("kind").AsString();
    const Json* selector = nullptr;
    if (kind == "Service") selector = FindPath(object, {"spec", "selector"});
    if (kind == "Deployment" || kind == "PodDisruptionBudget") {
      selector = FindPath(object, {"spec", "selector", "matchLabels"});
    }
    if (kind == "NetworkPolicy") {
      selector = FindPath(object, {"spec", "podSelector", "matchLabels"});
    }
    if (selector == nullptr) return;
    bool any = false;
    for (const Json& other : objects_) {
      ForEachTemplate(other, [&](const Json& pod) {
        const Json* const labels = FindPath(pod, {"metadata", "labels"});
        any = any || (labels != nullptr && Selects(*selector, *labels));
      });
    }
    if (!any) Add("its selector selects no Pod");
  }

  const std::vector<Json>& objects_;
  std::string place_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> CheckComponent(const Component& component) {
  std::vector<std::string> found;
  const Params& params = component.params;
  const auto attempt = [&](const std::function<void()>& check) {
    try {
      check();
    } catch (const Error& error) {
      found.push_back(component.name + ": " + error.what());
    }
  };
  const auto text = [&](const char* name) {
    return params.Has(name) ? params.String(name) : std::string();
  };
  const std::string problems = text("problem");
  if (!problems.empty()) {
    for (const std::string& problem : Split(problems, ',')) {
      if (component.prototype == "datagen" &&
          problem.find_first_of("*?[") != std::string::npos) {
        continue;
      }
      attempt([&] { Problems().Get(ParseProblemName(problem).base_name); });
    }
  }
  const std::string model = text("model");
  const std::vector<std::string>& models = ModelNames();
  if (!model.empty() &&
      std::find(models.begin(), models.end(), model) == models.end()) {
    found.push_back(component.name + ": there is no model '" + model + "'\n" +
                    "  expected: " + DidYouMean(model, models));
  }
  const std::string set = text("hparams_set");
  if (!set.empty()) {
    attempt([&] { MakeHParams(set, text("hparams")); });
  }
  for (const char* const name : {"data_dir", "output_dir"}) {
    const std::string path = text(name);
    if (!path.empty() && !StartsWith(path, "/")) {
      found.push_back(component.name + ": the parameter " + name + " is '" +
                      path + "'\n  expected: an absolute path");
    }
  }
  return found;
}

std::vector<std::string> CheckObjects(const std::vector<Json>& objects) {
  return Checker(objects).Check();
}

}  // namespace t2t
