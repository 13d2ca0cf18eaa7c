#include "t2t/parallel/tensor_parallel_group.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kForward[] = "the exchange between the model's shards";

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
struct TensorParallelFunctions {
  enum class Kind {
    kCopyIn,
    kSumOut,
    kGather,
    kTakeShard,
    kGatherIn,
    kSumShard
  };

  static at::Tensor Sum(const TensorParallelGroup& parallel,
                        const at::Tensor& x) {
    const at::Tensor sum = Wide(x).clone(at::MemoryFormat::Contiguous);
    parallel.group_->AllReduce(sum, kForward);
    return sum.to(x.scalar_type());
  }

  static at::Tensor Take(const TensorParallelGroup& parallel,
                         const at::Tensor& x, int64_t dim) {
    const ShardRange own =
        ShardRangeOf(x.size(dim), parallel.size(), parallel.rank());
    return x.narrow(dim, own.begin, own.size()).contiguous();
  }

  static at::Tensor Forward(const TensorParallelGroup& parallel, Kind kind,
                            const at::Tensor& x, int64_t dim, int64_t whole) {
    switch (kind) {
      case Kind::kCopyIn:
        return x.view_as(x);
      case Kind::kSumOut:
        return Sum(parallel, x);
      case Kind::kGather:
      case Kind::kGatherIn:
        return parallel.GatherAlong(x, dim, whole);
      case Kind::kTakeShard:
        return Take(parallel, x, dim);
      case Kind::kSumShard:
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
        return Kind::kTakeShard;
      case Kind::kTakeShard:
        return Kind::kGather;
      case Kind::kGatherIn:
        return Kind::kSumShard;
      case Kind::kSumShard:
        return Kind::kGatherIn;
    }
    return kind;
  }

  class Exchange : public torch::autograd::Function<Exchange> {
   public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                              const TensorParallelGroup* parallel, Kind kind,
                              int64_t dim, int64_t whole) {
      context->saved_data["parallel"] = reinterpret_cast<int64_t>(parallel);
      context->saved_data["kind"] = static_cast<int64_t>(kind);
      context->saved_data["dim"] = dim;
      context->saved_data["size"] = x.dim() > dim ? x.size(dim) : 0;
      return Forward(*parallel, kind, x, dim, whole);
    }

    static variable_list backward(AutogradContext* context,
                                  variable_list gradients) {
      const auto* const parallel = reinterpret_cast<const TensorParallelGroup*>(
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
                              const TensorParallelGroup* parallel,
                              const std::vector<int64_t>& sent,
                              const std::vector<int64_t>& received) {
      context->saved_data["parallel"] = reinterpret_cast<int64_t>(parallel);
      context->saved_data["sent"] = sent;
      context->saved_data["received"] = received;
      return parallel->MoveRows(rows, sent, received);
    }

    static variable_list backward(AutogradContext* context,
                                  variable_list gradients) {
      const auto* const parallel = reinterpret_cast<const TensorParallelGroup*>(
          context->saved_data["parallel"].toInt());
      return {parallel->MoveRows(gradients[0],
                                 context->saved_data["received"].toIntVector(),
                                 context->saved_data["sent"].toIntVector()),
              at::Tensor(), at::Tensor(), at::Tensor()};
    }
  };

  static at::Tensor Run(const TensorParallelGroup* parallel, Kind kind,
                        const at::Tensor& x, int64_t dim, int64_t whole) {
    return Exchange::apply(x, parallel, kind, dim, whole);
  }
};

using Kind = TensorParallelFunctions::Kind;

ShardRange TensorParallelGroup::RangeOf(const Sharding& sharding,
                                        int64_t rank) const {
  const int64_t size = sharding.shape[static_cast<size_t>(sharding.dim)];
  const ShardRange units =
      ShardRangeOf(size / sharding.unit, this->size(), rank);
  return {units.begin * sharding.unit, units.end * sharding.unit};
}

at::Tensor TensorParallelGroup::Slice(const at::Tensor& whole,
                                      const Sharding& sharding) const {
  const ShardRange own = RangeOf(sharding, rank());
  return whole.narrow(sharding.dim, own.begin, own.size())
      .clone(at::MemoryFormat::Contiguous);
}

at::Tensor TensorParallelGroup::Param(const Scope& scope,
                                      const std::string& name,
                                      const Sharding& sharding,
                                      const Initializer& init) {
  const std::string full_name =
      scope.prefix().empty() ? name : scope.prefix() + "/" + name;
  const int64_t size = sharding.shape[static_cast<size_t>(sharding.dim)];
  if (size / sharding.unit < this->size()) {
    throw UsageError(
        "'" + full_name + "' of shape " + ShapeText(sharding.shape) + " has " +
            std::to_string(size / sharding.unit) + " parts to split over " +
            std::to_string(this->size()) + " ranks",
        "at least one for each rank",
        "make the axis model of --mesh_shape smaller, or leave this out of "
        "--layout");
  }
  shardings_[full_name] = sharding;
  const ShardRange own = RangeOf(sharding, rank());
  std::vector<int64_t> shape = sharding.shape;
  shape[static_cast<size_t>(sharding.dim)] = own.size();
  return scope.Param(name, shape,
                     [this, init, sharding](uint64_t seed, at::IntArrayRef) {
                       return Slice(init(seed, sharding.shape), sharding);
                     });
}

at::Tensor TensorParallelGroup::Whole(const at::Tensor& shard,
                                      const Sharding& sharding) const {
  const at::NoGradGuard no_grad;
  const at::Tensor front = shard.detach().movedim(sharding.dim, 0).contiguous();
  const int64_t total = sharding.shape[static_cast<size_t>(sharding.dim)];
  const int64_t row = front.size(0) == 0 ? 0 : front.numel() / front.size(0);
  // Each rank sends its shard to all.
  std::vector<int64_t> received;
  for (int64_t r = 0; r < size(); ++r) {
    received.push_back(RangeOf(sharding, r).size() * row);
  }
  const at::Tensor all = group_->AllToAll(
      front.flatten().repeat({size()}),
      std::vector<int64_t>(static_cast<size_t>(size()), front.numel()),
      received, "gathering the weights");
  std::vector<int64_t> shape = front.sizes().vec();
  shape[0] = total;
  return all.view(shape).movedim(0, sharding.dim).contiguous();
}

at::Tensor TensorParallelGroup::GatherAlong(const at::Tensor& shard,
                                            int64_t dim, int64_t whole) const {
  const at::Tensor front = Wide(shard).movedim(dim, 0).contiguous();
  std::vector<int64_t> shape = front.sizes().vec();
  shape[0] = whole;
  const int64_t row = c10::multiply_integers(shape.begin() + 1, shape.end());
  at::Tensor all;
  if (whole % size() == 0) {
    all = group_->AllGather(front.flatten(), kForward);
  } else {
    // Shards of two sizes, in places of one.
    const int64_t most = (whole + size() - 1) / size() * row;
    const at::Tensor places = group_->AllGather(
        at::constant_pad_nd(front.flatten(), {0, most - front.numel()}),
        kForward);
    std::vector<at::Tensor> shards;
    for (int64_t r = 0; r < size(); ++r) {
      shards.push_back(
          places[r].narrow(0, 0, ShardRangeOf(whole, size(), r).size() * row));
    }
    all = at::cat(shards);
  }
  return all.view(shape).movedim(0, dim).contiguous().to(shard.scalar_type());
}

at::Tensor TensorParallelGroup::SumAndTake(const at::Tensor& x,
                                           int64_t dim) const {
  const at::Tensor front = Wide(x).movedim(dim, 0).contiguous();
  std::vector<int64_t> shape = front.sizes().vec();
  const int64_t whole = shape[0];
  const int64_t row = c10::multiply_integers(shape.begin() + 1, shape.end());
  std::vector<int64_t> sent;
  for (int64_t r = 0; r < size(); ++r) {
    sent.push_back(ShardRangeOf(whole, size(), r).size() * row);
  }
  const int64_t own = sent[static_cast<size_t>(rank())];
  const at::Tensor shards =
      group_
          ->AllToAll(front.flatten(), sent,
                     std::vector<int64_t>(static_cast<size_t>(size()), own),
                     kForward)
          .view({size(), own});
  at::Tensor sum = shards[0];
  for (int64_t r = 1; r < size(); ++r) sum.add_(shards[r]);
  shape[0] = ShardRangeOf(whole, size(), rank()).size();
  return sum.view(shape).movedim(0, dim).contiguous().to(x.scalar_type());
}

at::Tensor TensorParallelGroup::MoveRows(
    const at::Tensor& rows, const std::vector<int64_t>& sent,
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

at::Tensor TensorParallelGroup::ExchangeRows(
    const at::Tensor& rows, const std::vector<int64_t>& sent,
    const std::vector<int64_t>& received) const {
  return TensorParallelFunctions::Rows::apply(rows, this, sent, received);
}

at::Tensor TensorParallelGroup::CopyIn(const at::Tensor& x) const {
  return TensorParallelFunctions::Run(this, Kind::kCopyIn, x, 0, 0);
}

at::Tensor TensorParallelGroup::SumOut(const at::Tensor& x) const {
  return TensorParallelFunctions::Run(this, Kind::kSumOut, x, 0, 0);
}

at::Tensor TensorParallelGroup::Gather(const at::Tensor& shard, int64_t dim,
                                       int64_t whole) const {
  return TensorParallelFunctions::Run(this, Kind::kGather, shard, dim, whole);
}

at::Tensor TensorParallelGroup::TakeShard(const at::Tensor& whole,
                                          int64_t dim) const {
  return TensorParallelFunctions::Run(this, Kind::kTakeShard, whole, dim, 0);
}

at::Tensor TensorParallelGroup::GatherIn(const at::Tensor& shard, int64_t dim,
                                         int64_t whole) const {
  return TensorParallelFunctions::Run(this, Kind::kGatherIn, shard, dim, whole);
}

at::Tensor TensorParallelGroup::SumShard(const at::Tensor& x,
                                         int64_t dim) const {
  return TensorParallelFunctions::Run(this, Kind::kSumShard, x, dim, 0);
}

at::Tensor TensorParallelGroup::AllGather(const at::Tensor& x,
                                          const char* what) const {
  return group_->AllGather(x, what);
}

at::Tensor TensorParallelGroup::Enter(const at::Tensor& x, bool split) const {
  if (length() == 0) return split ? CopyIn(x) : x;
  return split ? GatherIn(x, 1, length()) : Gather(x, 1, length());
}

at::Tensor TensorParallelGroup::Leave(const at::Tensor& y, bool split) const {
  if (length() == 0) return split ? SumOut(y) : y;
  return split ? SumShard(y, 1) : TakeShard(y, 1);
}

at::Tensor TensorParallelGroup::Between(const at::Tensor& parameter) const {
  return length() == 0 ? parameter : CopyIn(parameter);
}

}  // namespace t2t
