#include "t2t/train/model_axis.h"

#include <ATen/core/grad_mode.h>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

constexpr char kSharing[] = "sharing the checkpoint";

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

// The parameter that a state's entry belongs to.
std::string ParameterOf(const std::string& name) {
  if (StartsWith(name, "ema/")) return name.substr(4);
  if (!StartsWith(name, "optimizer/")) return name;
  const size_t slash = name.find('/', 10);
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

void RefuseNoise(const HParams& hparams, const std::string& name) {
  if (!hparams.Has(name) || hparams.GetDouble(name) == 0) return;
  throw UsageError(name + " with the axis model in --mesh_shape", "0",
                   "set --hparams=" + name + "=0, or use the axis data alone");
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
  if (!ComputeDevice().is_cpu()) {
    throw UsageError("the axis model in --mesh_shape on a GPU",
                     "the axis data alone",
                     "models over several ranks are for processors so far");
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

void ModelAxis::CheckOptimizer(const HParams& hparams,
                               const Optimizer& optimizer) const {
  RefuseNoise(hparams, "weight_noise");
  RefuseNoise(hparams, "grad_noise_scale");
  if (optimizer.sharing() == Sharing::kPieces) return;
  throw UsageError(
      "optimizer=" + hparams.GetString("optimizer") +
          " looks at whole parameters, which the axis model of --mesh_shape "
          "splits",
      "one that takes each number by itself",
      "use --hparams=optimizer=adam, adamw or momentum, or the axis data "
      "alone");
}

Optimizer::TotalSquares ModelAxis::TotalSquaresOf(
    const std::vector<NamedTensor>& parameters) const {
  // Of each piece that the optimizer tells of: whether it is this rank's alone.
  std::vector<bool> is_part;
  for (const NamedTensor& parameter : parameters) {
    const int64_t pieces =
        (parameter.tensor.numel() + Optimizer::kPieceSize - 1) /
        Optimizer::kPieceSize;
    is_part.insert(is_part.end(), static_cast<size_t>(pieces),
                   PieceOf(parameter.name) != nullptr);
  }
  return [this, is_part](const std::vector<double>& squares) {
    double common = 0;
    const at::Tensor parts = at::zeros(1, at::kDouble);
    double own = 0;
    for (size_t i = 0; i < squares.size(); ++i) {
      (is_part[i] ? own : common) += squares[i];
    }
    parts[0] = own;
    model_->AllReduce(parts, "the gradients' norm");
    return common + parts.item<double>();
  };
}

const ModelParallel::Piece* ModelAxis::PieceOf(const std::string& name) const {
  const auto found = parallel_.pieces().find(ParameterOf(name));
  return found == parallel_.pieces().end() ? nullptr : &found->second;
}

void ModelAxis::Slice(State* state) const {
  for (auto& [name, tensor] : *state) {
    const ModelParallel::Piece* const piece = PieceOf(name);
    if (piece == nullptr) continue;
    if (tensor.sizes() != at::IntArrayRef(piece->shape)) {
      throw MismatchError(
          "parameter '" + name + "' has the shape " +
              ShapeText(tensor.sizes()) + " in the checkpoint",
          ShapeText(piece->shape) + " by the hparams and the vocabulary given",
          "use the hparams, problem and data_dir it was trained with, or "
          "another --output_dir");
    }
    tensor = parallel_.Slice(tensor, *piece);
  }
}

void ModelAxis::GatherForFirst(State* state) const {
  if (mesh_.Group(Mesh::kModel, 0).front() !=
      mesh_.Group(Mesh::kModel, world_->rank()).front()) {
    return;
  }
  for (auto& [name, tensor] : *state) {
    const ModelParallel::Piece* const piece = PieceOf(name);
    if (piece != nullptr) tensor = parallel_.Whole(tensor, *piece);
  }
}

void ModelAxis::Share(
    const State& whole,
    const std::vector<std::pair<std::string, at::Tensor>>& own) const {
  const at::NoGradGuard no_grad;
  Json names = Json::Array();
  if (world_->rank() == 0) {
    for (const auto& [name, tensor] : own) {
      if (PieceOf(name) != nullptr && whole.count(name) > 0) {
        names.Append(name);
      }
    }
  }
  names = Json::Parse(world_->BroadcastText(names.ToString(), kSharing));
  std::map<std::string, bool> are_whole;
  for (const Json& name : names.items()) are_whole[name.AsString()] = true;
  for (const auto& [name, tensor] : own) {
    const ModelParallel::Piece* const piece = PieceOf(name);
    if (piece == nullptr) {
      world_->Broadcast(tensor, kSharing);
    } else if (are_whole.count(name) == 0) {
      data_->Broadcast(tensor, kSharing);
    } else {
      const at::Tensor all = world_->rank() == 0
                                 ? whole.at(name).contiguous()
                                 : at::empty(piece->shape, tensor.options());
      world_->Broadcast(all, kSharing);
      tensor.copy_(parallel_.Slice(all, *piece));
    }
  }
}

std::vector<at::Tensor> ModelAxis::Common(
    const std::vector<std::pair<std::string, at::Tensor>>& own) const {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : own) {
    if (PieceOf(name) == nullptr) tensors.push_back(tensor);
  }
  return tensors;
}

}  // namespace t2t
