#include "t2t/nn/model_parallel.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kForward[] = "the exchange between the model's parts";

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

// Reduced types travel, and are added up, in fp32.
at::Tensor Wide(const at::Tensor& x) {
  return at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
}

}  // namespace

// What crosses the ranks in the forward pass, and back in the backward pass.
struct ModelParallelFunctions {
  enum class Kind { kCopyIn, kSumOut, kGather, kTakePart, kGatherIn, kSumPart };

  static at::Tensor Sum(const ModelParallel& parallel, const at::Tensor& x) {
    const at::Tensor sum = Wide(x).clone(at::MemoryFormat::Contiguous);
    parallel.group_->AllReduce(sum, kForward);
    return sum.to(x.scalar_type());
  }

  static at::Tensor Take(const ModelParallel& parallel, const at::Tensor& x,
                         int64_t dim) {
    const PartRange own = PartOf(x.size(dim), parallel.size(), parallel.rank());
    return x.narrow(dim, own.begin, own.size()).contiguous();
  }

  static at::Tensor Forward(const ModelParallel& parallel, Kind kind,
                            const at::Tensor& x, int64_t dim, int64_t whole) {
    switch (kind) {
      case Kind::kCopyIn:
        return x.view_as(x);
      case Kind::kSumOut:
        return Sum(parallel, x);
      case Kind::kGather:
      case Kind::kGatherIn:
        return parallel.GatherAlong(x, dim, whole);
      case Kind::kTakePart:
        return Take(parallel, x, dim);
      case Kind::kSumPart:
        return parallel.SumAndTake(x, dim);
    }
    return x;
  }

  static Kind Opposite(Kind kind) {
    switch (kind) {
      case Kind::kCopyIn:
        return Kind::kSumOut;
      case Kind::kSumOut:
        return Kind::kCopyIn;
      case Kind::kGather:
        return Kind::kTakePart;
      case Kind::kTakePart:
        return Kind::kGather;
      case Kind::kGatherIn:
        return Kind::kSumPart;
      case Kind::kSumPart:
        return Kind::kGatherIn;
    }
    return kind;
  }

  class Exchange : public torch::autograd::Function<Exchange> {
   public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                              const ModelParallel* parallel, Kind kind,
                              int64_t dim, int64_t whole) {
      context->saved_data["parallel"] = reinterpret_cast<int64_t>(parallel);
      context->saved_data["kind"] = static_cast<int64_t>(kind);
      context->saved_data["dim"] = dim;
      context->saved_data["size"] = x.dim() > dim ? x.size(dim) : 0;
      return Forward(*parallel, kind, x, dim, whole);
    }

    static variable_list backward(AutogradContext* context,
                                  variable_list gradients) {
      const auto* const parallel = reinterpret_cast<const ModelParallel*>(
          context->saved_data["parallel"].toInt());
      const auto kind = static_cast<Kind>(context->saved_data["kind"].toInt());
      return {Forward(*parallel, Opposite(kind), gradients[0],
                      context->saved_data["dim"].toInt(),
                      context->saved_data["size"].toInt()),
              at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
  };

  class Rows : public torch::autograd::Function<Rows> {
   public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                              const ModelParallel* parallel,
                              const std::vector<int64_t>& sent,
                              const std::vector<int64_t>& received) {
      context->saved_data["parallel"] = reinterpret_cast<int64_t>(parallel);
      context->saved_data["sent"] = sent;
      context->saved_data["received"] = received;
      return parallel->MoveRows(rows, sent, received);
    }

    static variable_list backward(AutogradContext* context,
                                  variable_list gradients) {
      const auto* const parallel = reinterpret_cast<const ModelParallel*>(
          context->saved_data["parallel"].toInt());
      return {parallel->MoveRows(gradients[0],
                                 context->saved_data["received"].toIntVector(),
                                 context->saved_data["sent"].toIntVector()),
              at::Tensor(), at::Tensor(), at::Tensor()};
    }
  };

  static at::Tensor Run(const ModelParallel* parallel, Kind kind,
                        const at::Tensor& x, int64_t dim, int64_t whole) {
    return Exchange::apply(x, parallel, kind, dim, whole);
  }
};

using Kind = ModelParallelFunctions::Kind;

PartRange ModelParallel::RangeOf(const Piece& piece, int64_t rank) const {
  const int64_t size = piece.shape[static_cast<size_t>(piece.dim)];
  const PartRange units = PartOf(size / piece.unit, this->size(), rank);
  return {units.begin * piece.unit, units.end * piece.unit};
}

at::Tensor ModelParallel::Slice(const at::Tensor& whole,
                                const Piece& piece) const {
  const PartRange own = RangeOf(piece, rank());
  return whole.narrow(piece.dim, own.begin, own.size())
      .clone(at::MemoryFormat::Contiguous);
}

at::Tensor ModelParallel::Param(const Scope& scope, const std::string& name,
                                const Piece& piece, const Initializer& init) {
  const std::string full_name =
      scope.prefix().empty() ? name : scope.prefix() + "/" + name;
  const int64_t size = piece.shape[static_cast<size_t>(piece.dim)];
  if (size / piece.unit < this->size()) {
    throw UsageError(
        "'" + full_name + "' of shape " + ShapeText(piece.shape) + " has " +
            std::to_string(size / piece.unit) + " parts to split over " +
            std::to_string(this->size()) + " ranks",
        "at least one for each rank",
        "make the axis model of --mesh_shape smaller, or leave this out of "
        "--layout");
  }
  pieces_[full_name] = piece;
  const PartRange own = RangeOf(piece, rank());
  std::vector<int64_t> shape = piece.shape;
  shape[static_cast<size_t>(piece.dim)] = own.size();
  return scope.Param(name, shape,
                     [this, init, piece](uint64_t seed, at::IntArrayRef) {
                       return Slice(init(seed, piece.shape), piece);
                     });
}

at::Tensor ModelParallel::Whole(const at::Tensor& part,
                                const Piece& piece) const {
  const at::NoGradGuard no_grad;
  const at::Tensor front = part.detach().movedim(piece.dim, 0).contiguous();
  const int64_t total = piece.shape[static_cast<size_t>(piece.dim)];
  const int64_t row = front.size(0) == 0 ? 0 : front.numel() / front.size(0);
  // Every rank's parts are its own to all.
  std::vector<int64_t> received;
  for (int64_t r = 0; r < size(); ++r) {
    received.push_back(RangeOf(piece, r).size() * row);
  }
  const at::Tensor all = group_->AllToAll(
      front.flatten().repeat({size()}),
      std::vector<int64_t>(static_cast<size_t>(size()), front.numel()),
      received, "gathering the weights");
  std::vector<int64_t> shape = front.sizes().vec();
  shape[0] = total;
  return all.view(shape).movedim(0, piece.dim).contiguous();
}

at::Tensor ModelParallel::GatherAlong(const at::Tensor& part, int64_t dim,
                                      int64_t whole) const {
  const at::Tensor front = Wide(part).movedim(dim, 0).contiguous();
  std::vector<int64_t> shape = front.sizes().vec();
  shape[0] = whole;
  const int64_t row = c10::multiply_integers(shape.begin() + 1, shape.end());
  at::Tensor all;
  if (whole % size() == 0) {
    all = group_->AllGather(front.flatten(), kForward);
  } else {
    // Parts of two sizes, in places of one.
    const int64_t most = (whole + size() - 1) / size() * row;
    const at::Tensor places = group_->AllGather(
        at::constant_pad_nd(front.flatten(), {0, most - front.numel()}),
        kForward);
    std::vector<at::Tensor> parts;
    for (int64_t r = 0; r < size(); ++r) {
      parts.push_back(
          places[r].narrow(0, 0, PartOf(whole, size(), r).size() * row));
    }
    all = at::cat(parts);
  }
  return all.view(shape).movedim(0, dim).contiguous().to(part.scalar_type());
}

at::Tensor ModelParallel::SumAndTake(const at::Tensor& x, int64_t dim) const {
  const at::Tensor front = Wide(x).movedim(dim, 0).contiguous();
  std::vector<int64_t> shape = front.sizes().vec();
  const int64_t whole = shape[0];
  const int64_t row = c10::multiply_integers(shape.begin() + 1, shape.end());
  std::vector<int64_t> sent;
  for (int64_t r = 0; r < size(); ++r) {
    sent.push_back(PartOf(whole, size(), r).size() * row);
  }
  const int64_t own = sent[static_cast<size_t>(rank())];
  const at::Tensor parts =
      group_
          ->AllToAll(front.flatten(), sent,
                     std::vector<int64_t>(static_cast<size_t>(size()), own),
                     kForward)
          .view({size(), own});
  at::Tensor sum = parts[0];
  for (int64_t r = 1; r < size(); ++r) sum.add_(parts[r]);
  shape[0] = PartOf(whole, size(), rank()).size();
  return sum.view(shape).movedim(0, dim).contiguous().to(x.scalar_type());
}

at::Tensor ModelParallel::MoveRows(const at::Tensor& rows,
                                   const std::vector<int64_t>& sent,
                                   const std::vector<int64_t>& received) const {
  const at::Tensor whole = Wide(rows).contiguous();
  const int64_t width = whole.size(1);
  std::vector<int64_t> to;
  std::vector<int64_t> from;
  for (const int64_t count : sent) to.push_back(count * width);
  for (const int64_t count : received) from.push_back(count * width);
  return group_->AllToAll(whole.flatten(), to, from, kForward)
      .view({-1, width})
      .to(rows.scalar_type());
}

at::Tensor ModelParallel::ExchangeRows(
    const at::Tensor& rows, const std::vector<int64_t>& sent,
    const std::vector<int64_t>& received) const {
  return ModelParallelFunctions::Rows::apply(rows, this, sent, received);
}

at::Tensor ModelParallel::CopyIn(const at::Tensor& x) const {
  return ModelParallelFunctions::Run(this, Kind::kCopyIn, x, 0, 0);
}

at::Tensor ModelParallel::SumOut(const at::Tensor& x) const {
  return ModelParallelFunctions::Run(this, Kind::kSumOut, x, 0, 0);
}

at::Tensor ModelParallel::Gather(const at::Tensor& part, int64_t dim,
                                 int64_t whole) const {
  return ModelParallelFunctions::Run(this, Kind::kGather, part, dim, whole);
}

at::Tensor ModelParallel::TakePart(const at::Tensor& whole, int64_t dim) const {
  return ModelParallelFunctions::Run(this, Kind::kTakePart, whole, dim, 0);
}

at::Tensor ModelParallel::GatherIn(const at::Tensor& part, int64_t dim,
                                   int64_t whole) const {
  return ModelParallelFunctions::Run(this, Kind::kGatherIn, part, dim, whole);
}

at::Tensor ModelParallel::SumPart(const at::Tensor& x, int64_t dim) const {
  return ModelParallelFunctions::Run(this, Kind::kSumPart, x, dim, 0);
}

ModelParallel::SplitLength::SplitLength(ModelParallel* parallel, int64_t length)
    // Every rank is to have some of it.
    : parallel_(parallel != nullptr && parallel->layout_.length &&
                        length >= parallel->size()
                    ? parallel
                    : nullptr),
      length_(length) {
  if (parallel_ == nullptr) return;
  before_ = parallel_->length_;
  parallel_->length_ = length;
}

ModelParallel::SplitLength::~SplitLength() {
  if (parallel_ != nullptr) parallel_->length_ = before_;
}

at::Tensor ModelParallel::SplitLength::Split(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->TakePart(x, 1);
}

at::Tensor ModelParallel::SplitLength::Join(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->Gather(x, 1, length_);
}

at::Tensor ModelParallel::SplitLength::Own(const at::Tensor& x) const {
  return parallel_ == nullptr ? x : parallel_->OwnLength(x);
}

at::Tensor ModelParallel::OwnLength(const at::Tensor& x) const {
  const PartRange own = PartOf(length_, size(), rank());
  return x.narrow(1, own.begin, own.size());
}

at::Tensor ModelParallel::Enter(const at::Tensor& x, bool split) const {
  if (length_ == 0) return split ? CopyIn(x) : x;
  return split ? GatherIn(x, 1, length_) : Gather(x, 1, length_);
}

at::Tensor ModelParallel::Leave(const at::Tensor& y, bool split) const {
  if (length_ == 0) return split ? SumOut(y) : y;
  return split ? SumPart(y, 1) : TakePart(y, 1);
}

at::Tensor ModelParallel::Between(const at::Tensor& parameter) const {
  return length_ == 0 ? parameter : CopyIn(parameter);
}

DropoutPart ModelParallel::PartBetween(const at::Tensor& x) const {
  if (length_ == 0) return {};
  const PartRange own = PartOf(length_, size(), rank());
  return PartAlong(own.begin, own.size(), length_, x.size(-1));
}

ColumnDense::ColumnDense(const Scope& scope, int64_t in, int64_t out,
                         bool use_bias, ModelParallel* parallel, int64_t unit) {
  if (parallel == nullptr) {
    kernel_ = scope.Param("kernel", {in, out});
    if (use_bias) bias_ = scope.Param("bias", {out}, ZerosInit());
    return;
  }
  kernel_ =
      parallel->Param(scope, "kernel", {{in, out}, 1, unit}, scope.init());
  if (use_bias) {
    bias_ = parallel->Param(scope, "bias", {{out}, 0, unit}, ZerosInit());
  }
}

at::Tensor ColumnDense::operator()(const at::Tensor& x) const {
  return at::linear(x, kernel_.t(), bias_);
}

RowDense::RowDense(const Scope& scope, int64_t in, int64_t out, bool use_bias,
                   ModelParallel* parallel, int64_t unit)
    : parallel_(parallel) {
  kernel_ = parallel == nullptr
                ? scope.Param("kernel", {in, out})
                : parallel->Param(scope, "kernel", {{in, out}, 0, unit},
                                  scope.init());
  if (use_bias) bias_ = scope.Param("bias", {out}, ZerosInit());
}

at::Tensor RowDense::operator()(const at::Tensor& x) const {
  if (parallel_ == nullptr) return at::linear(x, kernel_.t(), bias_);
  const at::Tensor y = parallel_->Leave(at::linear(x, kernel_.t()), true);
  return bias_.defined() ? y + parallel_->Between(bias_) : y;
}

}  // namespace t2t
