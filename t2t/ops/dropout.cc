#include "t2t/ops/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <mutex>
#include <type_traits>

#include "t2t/base/error.h"
#include "t2t/ops/device_kernels.h"
#include "t2t/ops/dropout_kernels.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 1 << 14;

// body(begin, count, index of the first in the whole), for chunks of [0, size)
// whose indices follow on each other and never cross a multiple of 2^32.
template <typename F>
void ForChunks(int64_t size, const DropoutShard& part, const F& body) {
  const int64_t run = part.run == 0 ? size : part.run;
  at::parallel_for(0, size, kGrain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t index =
          begin / run * part.stride + part.start + begin % run;
      const int64_t count = std::min({end - begin, run - begin % run,
                                      (((index >> 32) + 1) << 32) - index});
      body(begin, count, static_cast<uint64_t>(index));
      begin += count;
    }
  });
}

// How a part is kept for the backward pass.
std::vector<int64_t> PartNumbers(const DropoutShard& part) {
  return {part.run, part.stride, part.start};
}

// The same on a device, of fp32 or bf16.
at::Tensor DropoutOnDevice(const at::Tensor& x, const at::Tensor& residual,
                           const DropoutTerms& terms) {
  const DeviceKernels* const kernels = CurrentDeviceKernels();
  at::Tensor out = at::empty_like(x, at::MemoryFormat::Contiguous);
  const auto run = [&](auto* kernel, auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    kernel(static_cast<const T*>(x.const_data_ptr()),
           residual.defined() ? static_cast<const T*>(residual.const_data_ptr())
                              : nullptr,
           static_cast<T*>(out.mutable_data_ptr()), terms, x.numel());
  };
  if (x.scalar_type() == at::kBFloat16) {
    run(kernels->dropout_bf16, static_cast<uint16_t*>(nullptr));
  } else {
    run(kernels->dropout, static_cast<float*>(nullptr));
  }
  return out;
}

at::Tensor RunDropout(const at::Tensor& x, const at::Tensor& residual,
                      uint64_t seed, double rate, const DropoutShard& part) {
  const uint32_t threshold = DropoutThreshold(rate);
  const float scale = static_cast<float>(1.0 / (1.0 - rate));
  if (!x.device().is_cpu()) {
    return DropoutOnDevice(x, residual, {seed, threshold, scale, part});
  }
  at::Tensor out = at::empty_like(x, at::MemoryFormat::Contiguous);
  const float* from = x.const_data_ptr<float>();
  const float* added =
      residual.defined() ? residual.const_data_ptr<float>() : nullptr;
  float* to = out.mutable_data_ptr<float>();
  ForChunks(x.numel(), part, [&](int64_t begin, int64_t count, uint64_t index) {
    DropoutElements(from + begin, added == nullptr ? nullptr : added + begin,
                    to + begin, count, {index, seed, threshold, scale});
  });
  return out;
}

class DropoutFunction : public torch::autograd::Function<DropoutFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& residual,
                            double rate, uint64_t seed,
                            const DropoutShard& part) {
    context->saved_data["seed"] = static_cast<int64_t>(seed);
    context->saved_data["rate"] = rate;
    context->saved_data["adds"] = residual.has_value();
    context->saved_data["part"] = PartNumbers(part);
    return RunDropout(x.contiguous(),
                      residual ? residual->contiguous() : at::Tensor(), seed,
                      rate, part);
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const uint64_t seed =
        static_cast<uint64_t>(context->saved_data["seed"].toInt());
    const double rate = context->saved_data["rate"].toDouble();
    const at::Tensor gradient = gradients[0].contiguous();
    const bool adds = context->saved_data["adds"].toBool();
    const std::vector<int64_t> part = context->saved_data["part"].toIntVector();
    return {RunDropout(gradient, at::Tensor(), seed, rate,
                       {part[0], part[1], part[2]}),
            adds ? gradient : at::Tensor(), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

class ReluDropoutFunction
    : public torch::autograd::Function<ReluDropoutFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            double rate, uint64_t seed,
                            const DropoutShard& part) {
    const at::Tensor x = input.contiguous();
    at::Tensor out = at::empty_like(x);
    const float* from = x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const uint32_t threshold = DropoutThreshold(rate);
    const float scale = static_cast<float>(1.0 / (1.0 - rate));
    ForChunks(x.numel(), part,
              [&](int64_t begin, int64_t count, uint64_t index) {
                ReluDropoutElements(from + begin, to + begin, count,
                                    {index, seed, threshold, scale});
              });
    context->save_for_backward({out});
    context->saved_data["rate"] = rate;
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const at::Tensor out = context->get_saved_variables()[0];
    const double rate = context->saved_data["rate"].toDouble();
    const at::Tensor gradient = gradients[0].contiguous();
    at::Tensor result = at::empty_like(out);
    const float* from = gradient.const_data_ptr<float>();
    const float* kept = out.const_data_ptr<float>();
    float* to = result.mutable_data_ptr<float>();
    const float scale = static_cast<float>(1.0 / (1.0 - rate));
    at::parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
      ReluDropoutGradient(from + begin, kept + begin, to + begin, end - begin,
                          scale);
    });
    return {result, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void CheckRate(double rate) {
  if (!(rate >= 0.0 && rate < 1.0)) {
    throw UsageError("a dropout rate of " + std::to_string(rate),
                     "a number from 0 up to, but not, 1",
                     "change the hparam that ends in 'dropout'");
  }
}

bool IsPlain(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

// What RunDropout() takes.
bool HasKernel(const at::Tensor& x) {
  return x.scalar_type() == at::kFloat ||
         (x.scalar_type() == at::kBFloat16 && !x.device().is_cpu());
}

at::Tensor Ones(at::IntArrayRef shape, const at::Tensor& like) {
  return at::ones(shape, like.options().dtype(at::kFloat));
}

}  // namespace

uint64_t DrawSeed(const at::Generator& rng) {
  TORCH_CHECK(rng.defined() && rng.device().is_cpu(),
              "dropout draws from a generator of the CPU");
  auto* const generator = rng.get<at::CPUGeneratorImpl>();
  std::lock_guard<std::mutex> lock(generator->mutex_);
  return generator->random64();
}

at::Tensor Dropout(const at::Tensor& x, double rate, const at::Generator& rng,
                   const std::vector<int64_t>& broadcast_dims,
                   const DropoutShard& part) {
  CheckRate(rate);
  if (rate == 0.0 || x.numel() == 0) return x;
  if (!broadcast_dims.empty()) {
    std::vector<int64_t> shape = x.sizes().vec();
    for (const int64_t dim : broadcast_dims) {
      const int64_t place = dim < 0 ? dim + x.dim() : dim;
      if (place < 0 || place >= x.dim()) {
        throw UsageError("dropout broadcast dimension " + std::to_string(dim),
                         "below " + std::to_string(x.dim()),
                         "change the hparam that ends in "
                         "'dropout_broadcast_dims'");
      }
      shape[place] = 1;
    }
    return x * Dropout(Ones(shape, x), rate, rng).to(x.options());
  }
  if (!HasKernel(x)) {
    const at::Tensor noise = Dropout(Ones(x.sizes(), x), rate, rng, {}, part);
    return x * noise.to(x.options());
  }
  return DropoutFunction::apply(x, std::nullopt, rate, DrawSeed(rng), part);
}

at::Tensor DropoutAdd(const at::Tensor& x, const at::Tensor& residual,
                      double rate, const at::Generator& rng,
                      const DropoutShard& part) {
  CheckRate(rate);
  if (rate == 0.0) return residual + x;
  if (!HasKernel(x) || x.scalar_type() != residual.scalar_type() ||
      x.device() != residual.device() || x.sizes() != residual.sizes()) {
    return residual + Dropout(x, rate, rng, {}, part);
  }
  return DropoutFunction::apply(x, std::optional<at::Tensor>(residual), rate,
                                DrawSeed(rng), part);
}

at::Tensor ReluDropout(const at::Tensor& x, double rate,
                       const at::Generator& rng, const DropoutShard& part) {
  CheckRate(rate);
  if (rate == 0.0) return at::relu(x);
  if (!IsPlain(x)) return Dropout(at::relu(x), rate, rng, {}, part);
  return ReluDropoutFunction::apply(x, rate, DrawSeed(rng), part);
}

}  // namespace t2t
