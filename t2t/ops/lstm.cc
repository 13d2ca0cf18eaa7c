#include "t2t/ops/lstm.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "t2t/ops/lstm_kernels.h"

namespace t2t {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 16;  // rows a thread

template <typename T>
void Copy(const T* from, int64_t n, T* to) {
  std::copy(from, from + n, to);
}

// What a layer computes and keeps. Time comes first everywhere; hs and cs have
// one step more, the first is the initial state.
struct Sequence {
  at::Tensor gates, hs, cs, outputs;
  std::vector<int64_t> lengths;
};

template <typename T>
void RunForward(const at::Tensor& kernel, Sequence* s) {
  const int64_t time = s->gates.size(0);
  const int64_t batch = s->gates.size(1);
  const int64_t n = s->hs.size(2);
  for (int64_t t = 0; t < time; ++t) {
    at::Tensor gates = s->gates.select(0, t);
    gates.addmm_(s->hs.select(0, t), kernel);
    T* const g = gates.mutable_data_ptr<T>();
    const T* const h = s->hs.const_data_ptr<T>() + t * batch * n;
    const T* const c = s->cs.const_data_ptr<T>() + t * batch * n;
    T* const new_h = s->hs.mutable_data_ptr<T>() + (t + 1) * batch * n;
    T* const new_c = s->cs.mutable_data_ptr<T>() + (t + 1) * batch * n;
    T* const out = s->outputs.mutable_data_ptr<T>() + t * batch * n;
    at::parallel_for(0, batch, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t at = row * n;
        if (t < s->lengths[row]) {
          LstmForwardRow(g + 4 * at, c + at, n, new_c + at, new_h + at);
          Copy(new_h + at, n, out + at);
        } else {
          Copy(h + at, n, new_h + at);
          Copy(c + at, n, new_c + at);
          std::fill(out + at, out + at + n, T(0));
        }
      }
    });
  }
}

// dh and dc: of the last state, replaced by those of the first. dgates: zero
// on entry.
template <typename T>
void RunBackward(const Sequence& s, const at::Tensor& kernel,
                 const at::Tensor& doutputs, at::Tensor* dh, at::Tensor* dc,
                 at::Tensor* dgates) {
  const int64_t time = s.gates.size(0);
  const int64_t batch = s.gates.size(1);
  const int64_t n = s.hs.size(2);
  const at::Tensor transposed = kernel.t();
  for (int64_t t = time - 1; t >= 0; --t) {
    const int64_t step = t * batch * n;
    const T* const g = s.gates.const_data_ptr<T>() + 4 * step;
    const T* const c = s.cs.const_data_ptr<T>() + step;
    const T* const new_c = c + batch * n;
    const T* const dout =
        doutputs.defined() ? doutputs.const_data_ptr<T>() + step : nullptr;
    T* const dg = dgates->mutable_data_ptr<T>() + 4 * step;
    T* const dh_data = dh->mutable_data_ptr<T>();
    T* const dc_data = dc->mutable_data_ptr<T>();
    at::parallel_for(0, batch, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        if (t >= s.lengths[row]) continue;
        const int64_t at = row * n;
        T* const d = dh_data + at;
        if (dout != nullptr) {
          for (int64_t k = 0; k < n; ++k) d[k] += dout[at + k];
        }
        LstmBackwardRow(g + 4 * at, c + at, new_c + at, d, n, dc_data + at,
                        dg + 4 * at);
        // Their way to the step before is through the kernel alone.
        std::fill(d, d + n, T(0));
      }
    });
    dh->addmm_(dgates->select(0, t), transposed);
  }
}

class LstmFunction : public torch::autograd::Function<LstmFunction> {
 public:
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& gates,
                               const at::Tensor& kernel, const at::Tensor& h,
                               const at::Tensor& c, const at::Tensor& lengths) {
    const int64_t time = gates.size(0);
    const int64_t batch = gates.size(1);
    const int64_t hidden = kernel.size(0);
    Sequence s;
    s.gates = gates.clone(at::MemoryFormat::Contiguous);
    s.hs = at::empty({time + 1, batch, hidden}, gates.options());
    s.cs = at::empty({time + 1, batch, hidden}, gates.options());
    s.hs.select(0, 0).copy_(h);
    s.cs.select(0, 0).copy_(c);
    s.outputs = at::empty({time, batch, hidden}, gates.options());
    s.lengths = Lengths(lengths);
    if (gates.scalar_type() == at::kDouble) {
      RunForward<double>(kernel, &s);
    } else {
      RunForward<float>(kernel, &s);
    }
    context->save_for_backward({s.gates, s.hs, s.cs, kernel, lengths});
    // The last state is copied: what is saved must not be a view of a result.
    return {s.outputs, s.hs.select(0, time).clone(),
            s.cs.select(0, time).clone()};
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    Sequence s;
    s.gates = saved[0];
    s.hs = saved[1];
    s.cs = saved[2];
    const at::Tensor& kernel = saved[3];
    const int64_t time = s.gates.size(0);
    const int64_t batch = s.gates.size(1);
    const int64_t hidden = kernel.size(0);
    s.lengths = Lengths(saved[4]);
    const auto or_zero = [&](const at::Tensor& gradient) {
      return gradient.defined() ? gradient.clone(at::MemoryFormat::Contiguous)
                                : at::zeros({batch, hidden}, s.gates.options());
    };
    at::Tensor dh = or_zero(gradients[1]);
    at::Tensor dc = or_zero(gradients[2]);
    at::Tensor dgates = at::zeros_like(s.gates);
    const at::Tensor doutputs =
        gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
    if (s.gates.scalar_type() == at::kDouble) {
      RunBackward<double>(s, kernel, doutputs, &dh, &dc, &dgates);
    } else {
      RunBackward<float>(s, kernel, doutputs, &dh, &dc, &dgates);
    }
    const at::Tensor before =
        s.hs.narrow(0, 0, time).reshape({time * batch, hidden});
    const at::Tensor dkernel =
        at::mm(before.t(), dgates.reshape({time * batch, 4 * hidden}));
    return {dgates, dkernel, dh, dc, at::Tensor()};
  }

 private:
  static std::vector<int64_t> Lengths(const at::Tensor& lengths) {
    const at::Tensor flat = lengths.to(at::kLong).contiguous();
    const int64_t* data = flat.const_data_ptr<int64_t>();
    return std::vector<int64_t>(data, data + flat.numel());
  }
};

// The same out of ATen's operators, for other devices.
LstmResult PlainLstm(const at::Tensor& gates, const at::Tensor& kernel,
                     at::Tensor h, at::Tensor c, const at::Tensor& lengths) {
  const at::Tensor limit = lengths.to(gates.device()).unsqueeze(1);
  std::vector<at::Tensor> outputs;
  for (int64_t t = 0; t < gates.size(0); ++t) {
    const std::vector<at::Tensor> g =
        at::addmm(gates[t], h, kernel).chunk(4, 1);
    const at::Tensor new_c =
        at::sigmoid(g[2] + 1.0) * c + at::sigmoid(g[0]) * at::tanh(g[1]);
    const at::Tensor new_h = at::sigmoid(g[3]) * at::tanh(new_c);
    const at::Tensor live = limit.gt(t);
    h = at::where(live, new_h, h);
    c = at::where(live, new_c, c);
    outputs.push_back(at::where(live, new_h, at::zeros_like(new_h)));
  }
  return {at::stack(outputs), h, c};
}

}  // namespace

LstmResult Lstm(const at::Tensor& gates, const at::Tensor& kernel,
                const at::Tensor& h, const at::Tensor& c,
                const at::Tensor& lengths) {
  // Autograd's functions take no undefined tensors.
  const at::Tensor known =
      lengths.defined() ? lengths
                        : at::full({gates.size(1)}, gates.size(0), at::kLong);
  if (!gates.device().is_cpu()) return PlainLstm(gates, kernel, h, c, known);
  const variable_list results = LstmFunction::apply(gates, kernel, h, c, known);
  return {results[0], results[1], results[2]};
}

}  // namespace t2t
