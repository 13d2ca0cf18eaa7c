#include "t2t/distributed/tf_config.h"

#include <algorithm>
#include <map>
#include <optional>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int64_t kMaxIndex = 1 << 20;

Error TfConfigError(const std::string& what, const std::string& expected = "") {
  return UsageError(
      "TF_CONFIG: " + what, expected,
      "it is to look like {\"cluster\": {\"chief\": [\"host:port\"], "
      "\"worker\": [\"host:port\", ...]}, \"task\": {\"type\": \"worker\", "
      "\"index\": 0}}");
}

// A member of an object; nullptr where it is missing or null.
const Json* FindPart(const Json& object, const std::string& name) {
  const Json* const part = object.Find(name);
  return part == nullptr || part->is_null() ? nullptr : part;
}

// A member that must be an object; an empty one where it is missing or null.
const Json& ObjectPart(const Json& object, const std::string& name) {
  static const auto* const none = new Json(Json::Object());
  const Json* const part = FindPart(object, name);
  if (part == nullptr) return *none;
  if (!part->is_object()) {
    throw TfConfigError("'" + name + "' is no object but " + part->ToString());
  }
  return *part;
}

int64_t ReadIndex(const std::string& text, const std::string& what) {
  int64_t index = 0;
  if (!ParseInt(text, &index) || index < 0 || index > kMaxIndex) {
    throw TfConfigError(what + " is " + text, "a whole number, 0 or more");
  }
  return index;
}

// A number, or a text or fraction that is one: 1, "1", 1.0.
std::string IndexText(const Json& json) {
  if (json.is_string()) return std::string(Trim(json.AsString()));
  const std::string text = json.ToString();
  return EndsWith(text, ".0") ? text.substr(0, text.size() - 2) : text;
}

std::string AddressOf(const Json& json, const std::string& job) {
  if (!json.is_string() || Trim(json.AsString()).empty()) {
    throw TfConfigError("cluster's '" + job + "' holds " + json.ToString(),
                        "\"host:port\"");
  }
  return std::string(Trim(json.AsString()));
}

// The addresses of a job's tasks by index.
std::map<int64_t, std::string> TasksOf(const Json& cluster,
                                       const std::string& job) {
  std::map<int64_t, std::string> tasks;
  const Json* const json = FindPart(cluster, job);
  if (json == nullptr) return tasks;
  if (json->is_array()) {
    for (const Json& task : json->items()) {
      tasks.emplace(static_cast<int64_t>(tasks.size()), AddressOf(task, job));
    }
  } else if (json->is_object()) {
    for (const auto& [index, task] : json->members()) {
      tasks.emplace(ReadIndex(index, "an index of cluster's '" + job + "'"),
                    AddressOf(task, job));
    }
  } else {
    throw TfConfigError("cluster's '" + job + "' is no list but " +
                        json->ToString());
  }
  return tasks;
}

struct Task {
  std::string type;  // "": missing
  std::optional<int64_t> index;
};

Task ReadTask(const Json& config) {
  Task task;
  const Json& json = ObjectPart(config, "task");
  if (const Json* const type = FindPart(json, "type")) {
    if (!type->is_string()) {
      throw TfConfigError("the task's type is " + type->ToString(),
                          "chief, master, worker, evaluator or ps");
    }
    task.type = std::string(Trim(type->AsString()));
  }
  if (const Json* const index = FindPart(json, "index")) {
    task.index = ReadIndex(IndexText(*index), "the task's index");
  }
  static const std::vector<std::string> kTypes = {"chief", "master", "worker",
                                                  "evaluator", "ps"};
  if (!task.type.empty() &&
      std::find(kTypes.begin(), kTypes.end(), task.type) == kTypes.end()) {
    const std::string near = DidYouMean(task.type, kTypes);
    throw TfConfigError("there is no task type '" + task.type + "'",
                        near.empty() ? Join(kTypes, ", ") : near);
  }
  return task;
}

// Without a cluster there is one process.
TfConfig Alone(const Task& task) {
  if (task.index.value_or(0) != 0) {
    throw TfConfigError("the task's index is " + std::to_string(*task.index) +
                            ", but 'cluster' is missing or empty",
                        "the addresses of all tasks in 'cluster'");
  }
  return {};
}

// The task's place among those of its type.
int64_t PlaceAmong(const Task& task,
                   const std::map<int64_t, std::string>& own) {
  if (own.empty()) {
    throw TfConfigError("the task is " + task.type + " " +
                            std::to_string(task.index.value_or(0)) +
                            ", but 'cluster' has no " + task.type,
                        "the task's own address in 'cluster', too");
  }
  if (!task.index && own.size() > 1) {
    throw TfConfigError("the task's index is missing, and the cluster has " +
                            std::to_string(own.size()) + " " + task.type,
                        "which of them this is");
  }
  const int64_t index = task.index.value_or(own.begin()->first);
  const auto found = own.find(index);
  if (found == own.end()) {
    throw TfConfigError("the task is " + task.type + " " +
                            std::to_string(index) + ", but the cluster has " +
                            std::to_string(own.size()) + " of that type",
                        "an index that is in 'cluster'");
  }
  return std::distance(own.begin(), found);
}

// Of a task that trains: chiefs (or masters) first, then workers.
TfConfig ReadTraining(const Json& config, const Json& cluster,
                      const Task& task) {
  TfConfig result;
  const std::map<int64_t, std::string> chiefs = TasksOf(cluster, "chief");
  const std::map<int64_t, std::string> masters = TasksOf(cluster, "master");
  const std::map<int64_t, std::string> workers = TasksOf(cluster, "worker");
  if (!chiefs.empty() && !masters.empty()) {
    throw TfConfigError("the cluster has both a chief and a master", "one");
  }
  const std::map<int64_t, std::string>& first =
      chiefs.empty() ? masters : chiefs;
  if (first.empty() && workers.empty()) {
    if (!TasksOf(cluster, "ps").empty() && !task.type.empty()) {
      PlaceAmong(task, workers);  // says what is missing
    }
    return Alone(task);
  }
  if (task.type.empty()) {
    throw TfConfigError(
        FindPart(config, "task") == nullptr
            ? "there is a cluster, but 'task' is missing"
            : "there is a cluster, but the task's type is missing",
        "chief, master, worker, evaluator or ps");
  }
  const std::map<int64_t, std::string>& own = task.type == "worker"  ? workers
                                              : task.type == "chief" ? chiefs
                                                                     : masters;
  const int64_t place = PlaceAmong(task, own);
  for (const auto* const jobs : {&first, &workers}) {
    for (const auto& [index, address] : *jobs) {
      result.addresses.push_back(address);
    }
  }
  result.rank =
      (task.type == "worker" ? static_cast<int64_t>(first.size()) : 0) + place;
  result.place =
      task.type + " " + std::to_string(std::next(own.begin(), place)->first);
  if (!first.empty()) {
    result.job = std::to_string(first.size()) +
                 (chiefs.empty() ? " master, " : " chief, ");
  }
  result.job += std::to_string(workers.size()) + " worker";
  return result;
}

}  // namespace

TfConfig ReadTfConfig(const std::string& text) {
  if (Trim(text).empty()) return {};
  Json config;
  try {
    config = Json::Parse(text);
  } catch (const Error& error) {
    throw TfConfigError(error.what());
  }
  if (config.is_null()) return {};
  if (!config.is_object()) throw TfConfigError("it is no JSON object");
  const Task task = ReadTask(config);
  const Json& cluster = ObjectPart(config, "cluster");
  TfConfig result;
  if (task.type == "evaluator") {
    result.task = TfConfig::Task::kEvaluator;
    return result;
  }
  if (task.type == "ps") {
    result.task = TfConfig::Task::kParameterServer;
    return result;
  }
  return ReadTraining(config, cluster, task);
}

}  // namespace t2t
