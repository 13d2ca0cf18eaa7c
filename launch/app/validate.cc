#include "launch/app/validate.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "launch/render/manifests.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"

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
  // KServe's Pod: the template's fields among its own.
  const Json* const predictor = value.Find("predictor");
  if (predictor != nullptr && predictor->is_object() &&
      predictor->Find("containers") != nullptr) {
    const Json* const labels = predictor->Find("labels");
    visit(Object(
        {{"metadata",
          Object({{"labels", labels != nullptr ? *labels : Json::Object()}})},
         {"spec", *predictor}}));
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

bool IsImported(const Json& object) {
  const Json* const kind =
      FindPath(object, {"metadata", "labels", "app.kubernetes.io/component"});
  return kind != nullptr && kind->is_string() &&
         kind->AsString() == kManifestsPrototype;
}

// An empty list where there is none.
const std::vector<Json>& Items(const Json& value, const char* key) {
  static const auto* const none = new std::vector<Json>;
  const Json* const list = value.Find(key);
  return list != nullptr && list->is_array() ? list->items() : *none;
}

const std::vector<std::pair<std::string, Json>>& Members(
    const Json& value, const std::vector<std::string>& path) {
  static const auto* const none = new std::vector<std::pair<std::string, Json>>;
  const Json* const map = FindPath(value, path);
  return map != nullptr && map->is_object() ? map->members() : *none;
}

// A quantity may be a number in a manifest written by hand.
double Quantity(const Json& value) {
  if (value.is_number()) return value.AsDouble();
  return value.is_string() && IsQuantity(value.AsString())
             ? QuantityValue(value.AsString())
             : 0;
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
      imported_ = IsImported(object);
      if (!imported_ &&
          !IsDnsLabel(object.At("metadata").At("name").AsString())) {
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
      CheckReferences(object);
      CheckServer(object);
      CheckWorkflow(object);
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
    for (const Json& volume : Items(spec, "volumes")) {
      if (!volumes.insert(volume.At("name").AsString()).second) {
        Add("a volume is there twice");
      }
    }
    for (const Json& container : Items(spec, "containers")) {
      for (const char* const key : {"command", "args"}) {
        for (const Json& item : Items(container, key)) {
          CheckText("an argument", item.AsString());
        }
      }
      std::set<std::string> names;
      for (const Json& variable : Items(container, "env")) {
        const std::string& name = variable.At("name").AsString();
        if (!names.insert(name).second) {
          Add("the variable " + name + " is there twice");
        }
        if (const Json* const value = variable.Find("value")) {
          CheckText("the variable " + name, name + "=" + value->AsString());
        }
      }
      for (const auto& [name, request] :
           Members(container, {"resources", "requests"})) {
        const Json* const limit =
            FindPath(container, {"resources", "limits", name});
        // What is imported may leave a limit out.
        if (limit == nullptr ? !imported_
                             : Quantity(*limit) < Quantity(request)) {
          Add("the limit of " + name + " is below the request");
        }
      }
      std::set<std::string> paths;
      for (const Json& mount : Items(container, "volumeMounts")) {
        if (!paths.insert(mount.At("mountPath").AsString()).second) {
          Add("two volumes are mounted at " + mount.At("mountPath").AsString());
        }
        if (!imported_ && volumes.count(mount.At("name").AsString()) == 0) {
          Add("a volume is mounted that is not there");
        }
      }
    }
    for (const Json& volume : Items(spec, "volumes")) {
      const Json* const shm = FindPath(volume, {"emptyDir", "medium"});
      if (shm == nullptr || imported_) continue;
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
    // An imported one may select what is not the app's.
    if (selector == nullptr || imported_) return;
    bool any = false;
    for (const Json& other : objects_) {
      ForEachTemplate(other, [&](const Json& pod) {
        const Json* const labels = FindPath(pod, {"metadata", "labels"});
        any = any || (labels != nullptr && Selects(*selector, *labels));
      });
    }
    if (!any) Add("its selector selects no Pod");
  }

  bool IsThere(const std::string& kind, const std::string& name) const {
    return std::any_of(
        objects_.begin(), objects_.end(), [&](const Json& object) {
          return object.At("kind").AsString() == kind &&
                 object.At("metadata").At("name").AsString() == name;
        });
  }

  void CheckLeastAndMost(const Json& value) {
    const Json* const least = value.Find("minReplicas");
    const Json* const most = value.Find("maxReplicas");
    if (least != nullptr && most != nullptr && least->is_int() &&
        most->is_int() && most->AsInt() < least->AsInt()) {
      Add("maxReplicas is below minReplicas");
    }
  }

  // Objects that name others of the app.
  void CheckReferences(const Json& object) {
    const std::string& kind = object.At("kind").AsString();
    const bool scaler = kind == "HorizontalPodAutoscaler";
    if (scaler) CheckLeastAndMost(object.At("spec"));
    if (imported_) return;
    const Json* const reference =
        scaler                  ? FindPath(object, {"spec", "scaleTargetRef"})
        : kind == "TrainJob"    ? FindPath(object, {"spec", "runtimeRef"})
        : kind == "RoleBinding" ? FindPath(object, {"roleRef"})
                                : nullptr;
    if (reference != nullptr && !IsThere(reference->At("kind").AsString(),
                                         reference->At("name").AsString())) {
      Add("it refers to the " + reference->At("kind").AsString() + " " +
          reference->At("name").AsString() + ", which is not there");
    }
    const Json* const jobs = FindPath(object, {"spec", "replicatedJobs"});
    if (kind != "JobSet" || jobs == nullptr) return;
    for (const Json& job : jobs->items()) {
      const Json* const count =
          FindPath(job, {"template", "spec", "completions"});
      // A Pod's host name: JobSet, job, its number, the Pod's.
      const size_t longest =
          object.At("metadata").At("name").AsString().size() +
          job.At("name").AsString().size() + 4 +
          (count == nullptr ? 1 : std::to_string(count->AsInt()).size());
      if (longest > 63) Add("its Pods' host names are longer than 63");
    }
  }

  // What the webhooks of KServe and Seldon refuse.
  void CheckServer(const Json& object) {
    const std::string& kind = object.At("kind").AsString();
    if (kind == "InferenceService") {
      const Json* const predictor = FindPath(object, {"spec", "predictor"});
      if (predictor == nullptr) return;
      CheckLeastAndMost(*predictor);
      const std::vector<Json>& containers = Items(*predictor, "containers");
      if (!containers.empty() &&
          std::none_of(
              containers.begin(), containers.end(), [](const Json& container) {
                return container.At("name").AsString() == "kserve-container";
              })) {
        Add("none of its containers is named kserve-container");
      }
    }
    if (kind != "SeldonDeployment") return;
    int64_t traffic = 0;
    std::set<std::string> names;
    const std::vector<Json>& predictors =
        Items(object.At("spec"), "predictors");
    for (const Json& predictor : predictors) {
      if (!names.insert(predictor.At("name").AsString()).second) {
        Add("two predictors have one name");
      }
      if (const Json* const share = predictor.Find("traffic")) {
        traffic += share->AsInt();
      }
      const std::string& model = predictor.At("graph").At("name").AsString();
      bool found = predictor.At("graph").Find("implementation") != nullptr;
      for (const Json& spec : Items(predictor, "componentSpecs")) {
        for (const Json& container : Items(spec.At("spec"), "containers")) {
          found = found || container.At("name").AsString() == model;
        }
        if (const Json* const scaler = spec.Find("hpaSpec")) {
          CheckLeastAndMost(*scaler);
        }
      }
      if (!found) Add("no container is named " + model + ", as its graph is");
    }
    if (traffic != 100 && (predictors.size() > 1 || traffic > 0)) {
      Add("its predictors get " + std::to_string(traffic) +
          "% of the requests together, not 100");
    }
  }

  void CheckWorkflow(const Json& object) {
    const std::string& kind = object.At("kind").AsString();
    const Json* const spec =
        FindPath(object, kind == "CronWorkflow"
                             ? std::vector<std::string>{"spec", "workflowSpec"}
                             : std::vector<std::string>{"spec"});
    if ((kind != "Workflow" && kind != "CronWorkflow") || spec == nullptr) {
      return;
    }
    std::set<std::string> templates;
    for (const Json& item : Items(*spec, "templates")) {
      if (!templates.insert(item.At("name").AsString()).second) {
        Add("the template " + item.At("name").AsString() + " is there twice");
      }
    }
    const Json* const entry = spec->Find("entrypoint");
    if (entry != nullptr && !templates.empty() &&
        templates.count(entry->AsString()) == 0) {
      Add("its entrypoint " + entry->AsString() + " is no template");
    }
    for (const Json& item : Items(*spec, "templates")) {
      const Json* const dag = item.Find("dag");
      if (dag == nullptr) continue;
      std::set<std::string> tasks;
      for (const Json& task : Items(*dag, "tasks")) {
        if (!tasks.insert(task.At("name").AsString()).second) {
          Add("the task " + task.At("name").AsString() + " is there twice");
        }
      }
      for (const Json& task : Items(*dag, "tasks")) {
        const Json* const name = task.Find("template");
        if (name != nullptr && templates.count(name->AsString()) == 0) {
          Add("the task " + task.At("name").AsString() + " has no template");
        }
        for (const Json& needed : Items(task, "dependencies")) {
          if (tasks.count(needed.AsString()) == 0) {
            Add("the task " + task.At("name").AsString() + " waits for " +
                needed.AsString() + ", which is not there");
          }
        }
      }
    }
  }

  const std::vector<Json>& objects_;
  std::string place_;
  bool imported_ = false;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> CheckObjects(const std::vector<Json>& objects) {
  return Checker(objects).Check();
}

}  // namespace t2t
