#include "t2t/train/tensor_parallel_mesh.h"

#include <ATen/core/grad_mode.h>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/optim/adafactor.h"

namespace t2t {
namespace {

constexpr char kSharing[] = "sharing the checkpoint";

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

// Where the slot begins in "optimizer/<slot>/<name>".
constexpr size_t kSlotStart = sizeof(kOptimizerPrefix) - 1;

// The parameter that a state's entry belongs to.
std::string ParameterOf(const std::string& name) {
  if (StartsWith(name, kAveragePrefix)) {
    return name.substr(sizeof(kAveragePrefix) - 1);
  }
  if (!StartsWith(name, kOptimizerPrefix)) return name;
  const size_t slash = name.find('/', kSlotStart);
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

std::string SlotOf(const std::string& name) {
  if (!StartsWith(name, kOptimizerPrefix)) return "";
  return name.substr(kSlotStart, name.find('/', kSlotStart) - kSlotStart);
}

}  // namespace

std::unique_ptr<TensorParallelMesh> TensorParallelMesh::Make(
    const std::string& mesh_shape, const std::string& layout,
    ProcessGroup* world) {
  const Mesh mesh =
      Mesh::Parse(mesh_shape, world == nullptr ? 1 : world->size());
  const Layout parsed = Layout::Parse(layout, mesh);
  if (mesh.Size(Mesh::kModel) == 1) return nullptr;
  if (!parsed.Any()) {
    throw UsageError("--mesh_shape=" + mesh_shape + " with --layout=" + layout +
                         " splits nothing over the axis model",
                     "at least one dimension of the model",
                     "as --layout=\"vocab:model;d_ff:model;heads:model\", or "
                     "use the axis data alone");
  }
  auto data = world->Sub(mesh.Group(Mesh::kData, world->rank()), Mesh::kData);
  auto model =
      world->Sub(mesh.Group(Mesh::kModel, world->rank()), Mesh::kModel);
  return std::unique_ptr<TensorParallelMesh>(new TensorParallelMesh(
      mesh, parsed, world, std::move(data), std::move(model)));
}

TensorParallelMesh::TensorParallelMesh(Mesh mesh, const Layout& layout,
                                       ProcessGroup* world,
                                       std::unique_ptr<ProcessGroup> data,
                                       std::unique_ptr<ProcessGroup> model)
    : mesh_(std::move(mesh)),
      world_(world),
      data_(std::move(data)),
      model_(std::move(model)),
      group_(model_.get(), layout) {}

Optimizer::TotalSquares TensorParallelMesh::TotalSquaresOf(
    const std::vector<NamedTensor>& parameters) const {
  // Of each number that the optimizer tells: whether it is of a sharded
  // parameter, and so of this rank alone.
  std::vector<bool> is_split;
  for (const NamedTensor& parameter : parameters) {
    const int64_t pieces = Optimizer::PieceCount(parameter.tensor);
    is_split.insert(is_split.end(), static_cast<size_t>(pieces),
                    ShardingOf(parameter.name).has_value());
  }
  return [this, is_split](const std::vector<double>& squares) {
    double common = 0;
    const at::Tensor parts = at::zeros(1, at::kDouble);
    double own = 0;
    for (size_t i = 0; i < squares.size(); ++i) {
      (is_split[i] ? own : common) += squares[i];
    }
    parts[0] = own;
    model_->AllReduce(parts, "the gradients' norm");
    return common + parts.item<double>();
  };
}

std::optional<TensorParallel::Sharding> TensorParallelMesh::ShardingOf(
    const std::string& name) const {
  const auto found = group_.shardings().find(ParameterOf(name));
  if (found == group_.shardings().end()) return std::nullopt;
  TensorParallel::Sharding sharding = found->second;
  const std::optional<int64_t> lacks = AdafactorMeansOver(
      SlotOf(name), static_cast<int64_t>(sharding.shape.size()));
  if (!lacks) return sharding;
  // Means over what is sharded are of the whole on every rank.
  if (sharding.dim == *lacks) return std::nullopt;
  sharding.shape.erase(sharding.shape.begin() + *lacks);
  if (sharding.dim > *lacks) --sharding.dim;
  return sharding;
}

std::optional<OptimizerShards::Shard> TensorParallelMesh::ShardOf(
    const std::string& name) const {
  const std::optional<TensorParallel::Sharding> sharding = ShardingOf(name);
  if (!sharding) return std::nullopt;
  return Shard{sharding->shape, sharding->dim,
               group_.RangeOf(*sharding, group_.rank()).begin};
}

void TensorParallelMesh::Sum(const at::Tensor& numbers) const {
  if (numbers.numel() > 0) model_->AllReduce(numbers, "the optimizer's sums");
}

TensorPlace TensorParallelMesh::InWhole(const std::string& name,
                                        TensorPlace place) const {
  const std::optional<TensorParallel::Sharding> sharding = ShardingOf(name);
  if (!sharding) return place;
  const ShardRange own = group_.RangeOf(*sharding, group_.rank());
  place.shape = sharding->shape;
  place.cut = TensorPlace::Cut{sharding->dim, own.begin, own.size()};
  return place;
}

void TensorParallelMesh::CheckShapes(const State& whole) const {
  for (const auto& [name, tensor] : whole) {
    const std::optional<TensorParallel::Sharding> sharding = ShardingOf(name);
    if (!sharding || tensor.sizes() == at::IntArrayRef(sharding->shape))
      continue;
    throw MismatchError(
        "parameter '" + name + "' has the shape " + ShapeText(tensor.sizes()) +
            " in the checkpoint",
        ShapeText(sharding->shape) + " by the hparams and the vocabulary given",
        "use the hparams, problem and data_dir it was trained with, or "
        "another --output_dir");
  }
}

void TensorParallelMesh::GatherForFirst(State* state) const {
  if (mesh_.Group(Mesh::kModel, 0).front() !=
      mesh_.Group(Mesh::kModel, world_->rank()).front()) {
    return;
  }
  for (auto& [name, tensor] : *state) {
    const std::optional<TensorParallel::Sharding> sharding = ShardingOf(name);
    // By way of the CPU: rank 0's device need not have room for all.
    if (sharding) tensor = group_.Whole(tensor.cpu(), *sharding);
  }
}

TensorParallelMesh::State TensorParallelMesh::ShardsOfFirst(
    const State& whole) const {
  const at::NoGradGuard no_grad;
  State shards;
  if (data_->rank() > 0) return shards;
  const bool first = world_->rank() == 0;
  Json entries = Json::Array();
  for (const auto& [name, tensor] : whole) {
    if (!first) break;
    Json entry = Json::Array();
    entry.Append(name);
    entry.Append(static_cast<int64_t>(tensor.scalar_type()));
    for (const int64_t size : tensor.sizes()) entry.Append(size);
    entries.Append(std::move(entry));
  }
  entries = Json::Parse(model_->BroadcastText(entries.ToString(), kSharing));
  for (const Json& entry : entries.items()) {
    const std::string name = entry.items()[0].AsString();
    const auto type = static_cast<at::ScalarType>(entry.items()[1].AsInt());
    std::vector<int64_t> shape;
    for (size_t i = 2; i < entry.items().size(); ++i) {
      shape.push_back(entry.items()[i].AsInt());
    }
    // One whole tensor at a time.
    const at::Tensor tensor =
        first ? whole.at(name).contiguous() : at::empty(shape, type);
    model_->Broadcast(tensor, kSharing);
    const std::optional<TensorParallel::Sharding> sharding = ShardingOf(name);
    shards[name] = sharding ? group_.Slice(tensor, *sharding) : tensor;
  }
  return shards;
}

}  // namespace t2t
