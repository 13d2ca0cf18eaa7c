#include "t2t/nn/params.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/nn/fsdp.h"
#include "t2t/ops/device.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

at::Tensor NewTensor(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat));
}

at::Generator GeneratorOf(uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

// Draws again what is more than two standard deviations off, as TF does.
at::Tensor TruncatedNormal(uint64_t seed, at::IntArrayRef shape,
                           double stddev) {
  at::Tensor values = NewTensor(shape);
  at::Generator generator = GeneratorOf(seed);
  values.normal_(0.0, 1.0, generator);
  while (true) {
    const at::Tensor outside = values.abs().gt(2.0);
    const int64_t count = outside.sum().item<int64_t>();
    if (count == 0) break;
    at::Tensor again = NewTensor({count});
    again.normal_(0.0, 1.0, generator);
    values.masked_scatter_(outside, again);
  }
  return values.mul_(stddev);
}

std::string ShapeText(at::IntArrayRef shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return "[" + Join(sizes, ", ") + "]";
}

}  // namespace

Initializer ConstantInit(double value) {
  return [value](uint64_t, at::IntArrayRef shape) {
    return NewTensor(shape).fill_(value);
  };
}

Initializer ZerosInit() { return ConstantInit(0.0); }

Initializer OnesInit() { return ConstantInit(1.0); }

Initializer NormalInit(double mean, double stddev) {
  return [mean, stddev](uint64_t seed, at::IntArrayRef shape) {
    return NewTensor(shape).normal_(mean, stddev, GeneratorOf(seed));
  };
}

Initializer UniformInit(double low, double high) {
  return [low, high](uint64_t seed, at::IntArrayRef shape) {
    return NewTensor(shape).uniform_(low, high, GeneratorOf(seed));
  };
}

Initializer VarianceScalingInit(double scale, const std::string& mode,
                                const std::string& distribution) {
  if (mode != "fan_in" && mode != "fan_out" && mode != "fan_avg") {
    throw Error(ExitCode::kInternal, "variance scaling mode '" + mode + "'",
                "fan_in, fan_out or fan_avg");
  }
  if (distribution != "normal" && distribution != "uniform") {
    throw Error(ExitCode::kInternal,
                "variance scaling distribution '" + distribution + "'",
                "normal or uniform");
  }
  return [scale, mode, distribution](uint64_t seed, at::IntArrayRef shape) {
    const Fans fans = FansOf(shape);
    double fan = (fans.in + fans.out) / 2.0;
    if (mode == "fan_in") fan = fans.in;
    if (mode == "fan_out") fan = fans.out;
    const double variance = scale / std::max(1.0, fan);
    if (distribution == "normal") {
      // The standard deviation of a normal cut at two of its own.
      constexpr double kTruncated = 0.87962566103423978;
      return TruncatedNormal(seed, shape, std::sqrt(variance) / kTruncated);
    }
    const double limit = std::sqrt(3.0 * variance);
    return UniformInit(-limit, limit)(seed, shape);
  };
}

Initializer OrthogonalInit(double gain) {
  return [gain](uint64_t seed, at::IntArrayRef shape) {
    if (shape.size() < 2) {
      throw UsageError(
          "initializer=orthogonal on a parameter of shape " + ShapeText(shape),
          "at least two dimensions",
          "use --hparams=initializer=uniform_unit_scaling");
    }
    const int64_t columns = shape.back();
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    at::Tensor flat =
        NewTensor({std::max(rows, columns), std::min(rows, columns)});
    flat.normal_(0.0, 1.0, GeneratorOf(seed));
    auto [q, r] = at::linalg_qr(flat);
    q = q * r.diagonal().sign();
    if (rows < columns) q = q.t();
    return (q.reshape(shape) * gain).contiguous();
  };
}

Fans FansOf(at::IntArrayRef shape) {
  if (shape.empty()) return {1.0, 1.0};
  if (shape.size() == 1) {
    return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  }
  double field = 1.0;
  for (size_t i = 0; i + 2 < shape.size(); ++i) {
    field *= static_cast<double>(shape[i]);
  }
  return {field * static_cast<double>(shape[shape.size() - 2]),
          field * static_cast<double>(shape[shape.size() - 1])};
}

at::Tensor ParamStore::Join(const std::vector<at::Tensor>& parameters,
                            int64_t dim) const {
  return fsdp_ == nullptr ? at::cat(parameters, dim)
                          : fsdp_->Join(parameters, dim);
}

at::Tensor ParamStore::Add(const std::string& name, at::IntArrayRef shape,
                           const Initializer& init, bool trainable) {
  const auto found = index_.find(name);
  if (found != index_.end()) {
    const Entry& entry = entries_[found->second];
    if (entry.tensor.sizes() != shape || entry.trainable != trainable) {
      throw Error(ExitCode::kInternal, "parameter '" + name +
                                           "' made twice, of shapes " +
                                           ShapeText(entry.tensor.sizes()) +
                                           " and " + ShapeText(shape));
    }
    return entry.tensor;
  }
  at::Tensor tensor;
  const uint64_t seed = Rng::Combine(options_.seed, name);
  if (trainable && options_.meta) {
    tensor = at::empty(shape, OnDevice(at::kFloat));
    DropMemory(tensor);
    draws_[name] = [init, seed, sizes = shape.vec()] {
      return init(seed, sizes);
    };
  } else {
    tensor = init(seed, shape).to(ComputeDevice());
  }
  tensor.set_requires_grad(trainable);
  index_[name] = entries_.size();
  entries_.push_back({name, tensor, trainable});
  return tensor;
}

at::Tensor ParamStore::Create(const std::string& name, at::IntArrayRef shape,
                              const Initializer& init) {
  return Add(name, shape, init, true);
}

at::Tensor ParamStore::CreateBuffer(const std::string& name,
                                    at::IntArrayRef shape,
                                    const Initializer& init) {
  return Add(name, shape, init, false);
}

void ParamStore::Adopt(const std::string& name, const ParamStore& other,
                       const std::string& their_name, bool trainable) {
  const at::Tensor tensor = other.Get(their_name);
  tensor.set_requires_grad(trainable);
  if (!index_.emplace(name, entries_.size()).second) {
    throw Error(ExitCode::kInternal, "parameter '" + name + "' made twice");
  }
  entries_.push_back({name, tensor, trainable});
  const auto draw = other.draws_.find(their_name);
  if (draw != other.draws_.end()) draws_[name] = draw->second;
}

at::Tensor ParamStore::Get(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    std::vector<std::string> names;
    for (const Entry& entry : entries_) names.push_back(entry.name);
    throw MismatchError("the model has no parameter '" + name + "'",
                        DidYouMean(name, names));
  }
  return entries_[found->second].tensor;
}

std::vector<at::Tensor> ParamStore::Trainable() const {
  std::vector<at::Tensor> tensors;
  for (const Entry& entry : entries_) {
    if (entry.trainable) tensors.push_back(entry.tensor);
  }
  return tensors;
}

int64_t ParamStore::NumParameters() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) {
    if (entry.trainable) count += entry.tensor.numel();
  }
  return count;
}

}  // namespace t2t
