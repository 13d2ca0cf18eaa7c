#include "t2t/train/model_axis.h"

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

std::unique_ptr<ModelAxis> ModelAxis::Make(const std::string& mesh_shape,
                                           const std::string& layout,
                                           ProcessGroup* world) {
  const Mesh mesh =
      Mesh::Parse(mesh_shape, world == nullptr ? 1 : world->size());
  const Layout split = Layout::Parse(layout, mesh);
  if (mesh.Size(Mesh::kModel) == 1) return nullptr;
  if (!split.Any()) {
    throw UsageError("--mesh_shape=" + mesh_shape + " with --layout=" + layout +
                         " splits nothing over the axis model",
                     "at least one dimension of the model",
                     "as --layout=\"vocab:model;d_ff:model;heads:model\", or "
                     "use the axis data alone");
  }
  auto data = world->Sub(mesh.Group(Mesh::kData, world->rank()), Mesh::kData);
  auto model =
      world->Sub(mesh.Group(Mesh::kModel, world->rank()), Mesh::kModel);
  return std::unique_ptr<ModelAxis>(
      new ModelAxis(mesh, split, world, std::move(data), std::move(model)));
}

ModelAxis::ModelAxis(Mesh mesh, const Layout& layout, ProcessGroup* world,
                     std::unique_ptr<ProcessGroup> data,
                     std::unique_ptr<ProcessGroup> model)
    : mesh_(std::move(mesh)),
      world_(world),
      data_(std::move(data)),
      model_(std::move(model)),
      parallel_(model_.get(), layout) {}

Optimizer::TotalSquares ModelAxis::TotalSquaresOf(
    const std::vector<NamedTensor>& parameters) const {
  // Of each number that the optimizer tells: whether it is of a split
  // parameter, and so of this rank alone.
  std::vector<bool> is_split;
  for (const NamedTensor& parameter : parameters) {
    const int64_t pieces = Optimizer::PieceCount(parameter.tensor);
    is_split.insert(is_split.end(), static_cast<size_t>(pieces),
                    SplitOf(parameter.name).has_value());
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

std::optional<ModelParallel::Piece> ModelAxis::SplitOf(
    const std::string& name) const {
  const auto found = parallel_.pieces().find(ParameterOf(name));
  if (found == parallel_.pieces().end()) return std::nullopt;
  ModelParallel::Piece split = found->second;
  const std::optional<int64_t> lacks = AdafactorMeansOver(
      SlotOf(name), static_cast<int64_t>(split.shape.size()));
  if (!lacks) return split;
  // Means over what is split are of the whole on every rank.
  if (split.dim == *lacks) return std::nullopt;
  split.shape.erase(split.shape.begin() + *lacks);
  if (split.dim > *lacks) --split.dim;
  return split;
}

std::optional<SplitParameters::Part> ModelAxis::PartOf(
    const std::string& name) const {
  const std::optional<ModelParallel::Piece> split = SplitOf(name);
  if (!split) return std::nullopt;
  return Part{split->shape, split->dim,
              parallel_.RangeOf(*split, parallel_.rank()).begin};
}

void ModelAxis::Sum(const at::Tensor& numbers) const {
  if (numbers.numel() > 0) model_->AllReduce(numbers, "the optimizer's sums");
}

TensorPlace ModelAxis::InWhole(const std::string& name,
                               TensorPlace place) const {
  const std::optional<ModelParallel::Piece> split = SplitOf(name);
  if (!split) return place;
  const PartRange own = parallel_.RangeOf(*split, parallel_.rank());
  place.shape = split->shape;
  place.cut = TensorPlace::Cut{split->dim, own.begin, own.size()};
  return place;
}

void ModelAxis::CheckShapes(const State& whole) const {
  for (const auto& [name, tensor] : whole) {
    const std::optional<ModelParallel::Piece> split = SplitOf(name);
    if (!split || tensor.sizes() == at::IntArrayRef(split->shape)) continue;
    throw MismatchError(
        "parameter '" + name + "' has the shape " + ShapeText(tensor.sizes()) +
            " in the checkpoint",
        ShapeText(split->shape) + " by the hparams and the vocabulary given",
        "use the hparams, problem and data_dir it was trained with, or "
        "another --output_dir");
  }
}

void ModelAxis::GatherForFirst(State* state) const {
  if (mesh_.Group(Mesh::kModel, 0).front() !=
      mesh_.Group(Mesh::kModel, world_->rank()).front()) {
    return;
  }
  for (auto& [name, tensor] : *state) {
    const std::optional<ModelParallel::Piece> split = SplitOf(name);
    // By way of the CPU: rank 0's device need not have room for all.
    if (split) tensor = parallel_.Whole(tensor.cpu(), *split);
  }
}

ModelAxis::State ModelAxis::ShardsOfFirst(const State& whole) const {
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
    const std::optional<ModelParallel::Piece> split = SplitOf(name);
    shards[name] = split ? parallel_.Slice(tensor, *split) : tensor;
  }
  return shards;
}

}  // namespace t2t
