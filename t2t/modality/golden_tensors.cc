#include "t2t/modality/golden_tensors.h"

#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

void Flatten(const Json& json, size_t depth, std::vector<int64_t>* shape,
             std::vector<int64_t>* values) {
  if (!json.is_array()) {
    values->push_back(json.AsInt());
    return;
  }
  const auto size = static_cast<int64_t>(json.items().size());
  if (shape->size() == depth) shape->push_back(size);
  for (const Json& item : json.items()) {
    Flatten(item, depth + 1, shape, values);
  }
}

}  // namespace

at::Tensor GoldenTensor(const Json& json) {
  std::vector<int64_t> shape;
  for (const Json& size : json.At("shape").items()) {
    shape.push_back(size.AsInt());
  }
  std::vector<float> values;
  for (const Json& value : json.At("values").items()) {
    values.push_back(static_cast<float>(value.AsDouble()));
  }
  return at::tensor(values, at::kFloat).reshape(shape);
}

at::Tensor GoldenIds(const Json& json) {
  std::vector<int64_t> shape, values;
  Flatten(json, 0, &shape, &values);
  return at::tensor(values, at::kLong).reshape(shape);
}

void LoadGoldenVariables(const Json& variables, ParamStore* params) {
  const at::NoGradGuard no_grad;
  std::set<std::string> used;
  for (const ParamStore::Entry& entry : params->entries()) {
    if (const Json* whole = variables.Find(entry.name)) {
      used.insert(entry.name);
      at::Tensor(entry.tensor).copy_(GoldenTensor(*whole));
      continue;
    }
    std::vector<at::Tensor> shards;
    while (true) {
      const std::string name = entry.name + "_" + std::to_string(shards.size());
      const Json* shard = variables.Find(name);
      if (shard == nullptr) break;
      used.insert(name);
      shards.push_back(GoldenTensor(*shard));
    }
    if (shards.empty()) {
      throw MismatchError("T2T has no variable '" + entry.name + "'");
    }
    at::Tensor(entry.tensor).copy_(at::cat(shards));
  }
  for (const auto& [name, value] : variables.members()) {
    if (used.count(name) == 0) {
      throw MismatchError("there is no parameter for T2T's '" + name + "'");
    }
  }
}

void SetFromJson(const Json& changes, HParams* hparams) {
  const std::vector<std::string> unknown = hparams->MergeJson(changes);
  if (!unknown.empty()) {
    throw MismatchError("no such hparams: " + Join(unknown, ", "));
  }
}

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() != b.numel()) return -1.0;
  return (a.flatten() - b.flatten()).abs().max().item<double>();
}

}  // namespace t2t
