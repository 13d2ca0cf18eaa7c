#include "t2t/checkpoint/importer/variables.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/discretization.h"

namespace t2t {
namespace {

at::ScalarType ScalarTypeOf(const std::string& name, BundleType type) {
  switch (type) {
    case BundleType::kFloat:
      return at::kFloat;
    case BundleType::kDouble:
      return at::kDouble;
    case BundleType::kInt32:
      return at::kInt;
    case BundleType::kUint8:
      return at::kByte;
    case BundleType::kInt16:
      return at::kShort;
    case BundleType::kInt8:
      return at::kChar;
    case BundleType::kInt64:
      return at::kLong;
    case BundleType::kBool:
      return at::kBool;
    case BundleType::kBfloat16:
      return at::kBFloat16;
    case BundleType::kHalf:
      return at::kHalf;
    default:
      throw DataError(
          "variable '" + name + "' is of type " + BundleTypeName(type),
          "numbers of a type that PyTorch has");
  }
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

std::vector<int64_t> WithoutOnes(const std::vector<int64_t>& shape) {
  std::vector<int64_t> rest;
  for (const int64_t size : shape) {
    if (size != 1) rest.push_back(size);
  }
  return rest;
}

// The variables that make up a parameter: itself, or its shards in order;
// none where it isn't there. suffix: of an optimizer's slot.
std::vector<std::string> Sources(const BundleReader& reader,
                                 const std::string& prefix,
                                 const std::string& name,
                                 const std::string& suffix) {
  const std::string whole = prefix + name + suffix;
  if (reader.Has(whole)) return {whole};
  std::vector<std::string> shards;
  if (!EndsWith(name, "/weights")) return shards;
  for (int i = 0;; ++i) {
    const std::string shard = prefix + name + "_" + std::to_string(i) + suffix;
    if (!reader.Has(shard)) return shards;
    shards.push_back(shard);
  }
}

// The shape of shards put together along their first dimension.
std::vector<int64_t> JoinedShape(const BundleReader& reader,
                                 const std::vector<std::string>& sources) {
  std::vector<int64_t> shape = reader.Get(sources[0]).shape;
  for (size_t i = 1; i < sources.size(); ++i) {
    const std::vector<int64_t>& next = reader.Get(sources[i]).shape;
    const bool fits =
        !shape.empty() && next.size() == shape.size() &&
        std::equal(shape.begin() + 1, shape.end(), next.begin() + 1);
    if (!fits) {
      throw MismatchError("the shards " + sources[0] + " and " + sources[i] +
                              " do not fit together",
                          ShapeText(shape), "is this a T2T checkpoint?");
    }
    shape[0] += next[0];
  }
  return shape;
}

at::Tensor ReadJoined(BundleReader* reader,
                      const std::vector<std::string>& sources,
                      at::IntArrayRef shape) {
  std::vector<at::Tensor> parts;
  for (const std::string& source : sources) {
    parts.push_back(ReadVariable(reader, source));
  }
  const at::Tensor whole = parts.size() == 1 ? parts[0] : at::cat(parts, 0);
  return whole.to(at::kFloat).reshape(shape).contiguous();
}

// Our slots' names for what TensorFlow's optimizers call theirs.
struct Slot {
  const char* suffix;
  const char* slot;
};
std::vector<Slot> SlotsOf(const std::string& optimizer) {
  const std::string name = Lower(optimizer);
  if (name == "adam") return {{"/Adam", "adam_m"}, {"/Adam_1", "adam_v"}};
  if (name == "momentum") return {{"/Momentum", "momentum"}};
  if (name == "adagrad") return {{"/Adagrad", "adagrad"}};
  if (name == "rms_prop" || name == "rmsprop") {
    return {{"/RMSProp", "rms"}, {"/RMSProp_1", "momentum"}};
  }
  return {};
}

bool IsBookkeeping(const std::string& name, BundleType type) {
  for (const char* prefix :
       {"training/", "losses_avg/", "train_stats/", "optimizer/"}) {
    if (StartsWith(name, prefix)) return true;
  }
  // A slot of an optimizer that ran outside a scope.
  for (const char* suffix :
       {"/Adam", "/Adam_1", "/Momentum", "/Adafactor", "/Adafactor_1",
        "/RMSProp", "/RMSProp_1", "beta1_power", "beta2_power"}) {
    if (EndsWith(name, suffix)) return true;
  }
  return name == "global_step" || type == BundleType::kString;
}

}  // namespace

at::Tensor ReadVariable(BundleReader* reader, const std::string& name) {
  const BundleEntry& entry = reader->Get(name);
  const at::ScalarType type = ScalarTypeOf(name, entry.type);
  const std::string bytes = reader->ReadBytes(name);
  at::Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(type));
  if (!bytes.empty()) {
    std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  }
  return tensor;
}

namespace {

// `problems`: what is missing or has another shape.
[[noreturn]] void RefuseCheckpoint(std::vector<std::string> problems,
                                   std::vector<std::string> unused) {
  constexpr size_t kShown = 12;
  const size_t more = problems.size() - std::min(problems.size(), kShown);
  problems.resize(problems.size() - more);
  std::string what =
      "the checkpoint does not fit the model:\n  " + Join(problems, "\n  ");
  if (more > 0) what += "\n  and " + std::to_string(more) + " more";
  if (!unused.empty()) {
    if (unused.size() > kShown) unused.resize(kShown);
    what += "\nvariables of the checkpoint that have no place:\n  " +
            Join(unused, "\n  ");
  }
  throw MismatchError(what,
                      "the model, hparams and vocabulary it was trained with",
                      "check --model, --hparams_set, --hparams and --problem");
}

// The optimizer's state, where the checkpoint has all of it.
void MapOptimizerState(BundleReader* reader, const ParamStore& params,
                       const std::string& optimizer, MappedVariables* result) {
  const std::vector<Slot> slots = SlotsOf(optimizer);
  std::set<std::string> used;
  std::map<std::string, at::Tensor> state;
  size_t wanted_slots = 0;
  for (const ParamStore::Entry& entry : params.entries()) {
    if (!entry.trainable) continue;
    for (const Slot& slot : slots) {
      ++wanted_slots;
      // T2T's optimizer runs in the scope "training".
      for (const char* scope : {"training/", ""}) {
        const std::vector<std::string> sources =
            Sources(*reader, scope, entry.name, slot.suffix);
        if (sources.empty()) continue;
        const std::vector<int64_t> shape = entry.tensor.sizes().vec();
        if (WithoutOnes(JoinedShape(*reader, sources)) != WithoutOnes(shape)) {
          continue;
        }
        state[kOptimizerPrefix + std::string(slot.slot) + "/" + entry.name] =
            ReadJoined(reader, sources, shape);
        used.insert(sources.begin(), sources.end());
        break;
      }
    }
  }
  if (wanted_slots == 0 || state.size() != wanted_slots) return;
  result->has_optimizer = true;
  result->tensors.merge(state);
  std::erase_if(result->bookkeeping,
                [&](const std::string& name) { return used.count(name) > 0; });
}

}  // namespace

MappedVariables MapVariables(BundleReader* reader, const ParamStore& params,
                             const std::string& optimizer) {
  MappedVariables result;
  std::set<std::string> used;
  std::vector<std::string> problems;
  for (const ParamStore::Entry& entry : params.entries()) {
    if (!entry.trainable && !nn::IsRunningAverage(entry.name) &&
        !nn::IsCodebook(entry.name)) {
      // What a run remembers from step to step begins anew.
      result.tensors[entry.name] = entry.tensor.detach().clone();
      continue;
    }
    const std::vector<int64_t> wanted = entry.tensor.sizes().vec();
    const std::vector<std::string> sources =
        Sources(*reader, "", entry.name, "");
    if (sources.empty()) {
      problems.push_back(entry.name + " " + ShapeText(wanted) + " is missing");
      continue;
    }
    const std::vector<int64_t> shape = JoinedShape(*reader, sources);
    if (WithoutOnes(shape) != WithoutOnes(wanted)) {
      problems.push_back(entry.name + " has the shape " + ShapeText(shape) +
                         ", not " + ShapeText(wanted));
      continue;
    }
    used.insert(sources.begin(), sources.end());
    if (!problems.empty()) continue;  // only the list is wanted now
    result.tensors[entry.name] = ReadJoined(reader, sources, wanted);
    result.mapped.push_back(
        entry.name + " " + ShapeText(wanted) +
        (sources.size() > 1 ? " = " + sources.front() + " to " + sources.back()
                            : ""));
  }
  for (const auto& [name, entry] : reader->entries()) {
    if (used.count(name) > 0) continue;
    (IsBookkeeping(name, entry.type) ? result.bookkeeping : result.unused)
        .push_back(name);
  }
  if (!problems.empty()) RefuseCheckpoint(problems, result.unused);
  MapOptimizerState(reader, params, optimizer, &result);
  return result;
}

ProblemInfo InfoFromVariables(const BundleReader& reader,
                              const std::string& problem) {
  ProblemInfo info;
  info.name = problem;
  const auto set = [&](const char* feature, const std::string& modality,
                       int64_t size) {
    info.features[feature].modality = modality;
    info.features[feature].vocab_size = size;
  };
  std::string shared_modality;
  int64_t shared_size = 0;
  bool has_encoder = false;
  for (const auto& [name, entry] : reader.entries()) {
    if (IsBookkeeping(name, entry.type)) continue;
    if (name.find("/encoder/") != std::string::npos) has_encoder = true;
    // <model>/<kind>_modality_<size>_<hidden>[_1]/<use>/...
    const std::vector<std::string> parts = Split(name, '/');
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const size_t mark = parts[i].find("_modality_");
      if (mark == std::string::npos) continue;
      const std::string kind = parts[i].substr(0, mark);
      const std::vector<std::string> sizes =
          Split(parts[i].substr(mark + std::strlen("_modality_")), '_');
      int64_t size = 0;
      if (!ParseInt(sizes[0], &size) || size <= 0) continue;
      const std::string& use = parts[i + 1];
      if (use == "shared") {
        shared_modality = kind;
        shared_size = size;
      } else if (use == "input_emb" || use == "input_image_embedding") {
        set("inputs", kind, size);
      } else {
        set("targets", kind, size);
      }
    }
  }
  if (shared_size > 0) {
    set("targets", shared_modality, shared_size);
    if (has_encoder) set("inputs", shared_modality, shared_size);
  }
  if (info.features.count("targets") == 0) {
    throw MismatchError(
        "the names in the checkpoint do not tell the problem's vocabulary",
        "variables like transformer/symbol_modality_8000_512/shared/weights_0",
        "give --problem and --data_dir with its vocabulary");
  }
  return info;
}

}  // namespace t2t
