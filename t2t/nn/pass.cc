#include "t2t/nn/pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "t2t/base/error.h"
#include "t2t/nn/positional.h"

namespace t2t::nn {
namespace {

// The last inputs of a layer that looks back, [R, positions, D].
struct Past : State {
  void Select(const at::Tensor& rows) override {
    x = x.index_select(0, rows.to(x.device()));
  }

  at::Tensor x;
};

}  // namespace

void StepCache::Select(const at::Tensor& rows) {
  const at::Tensor chosen = rows.to(at::kLong).contiguous();
  const int64_t* old = chosen.const_data_ptr<int64_t>();
  const int64_t count = chosen.numel();
  for (int64_t i = 0; i < count; ++i) {
    if (old[i] < 0 || old[i] >= rows_) {
      throw Error(ExitCode::kInternal, "row " + std::to_string(old[i]) +
                                           " of " + std::to_string(rows_) +
                                           " chosen in decoding");
    }
  }
  bool same = count == rows_;
  for (int64_t i = 0; same && i < count; ++i) same = old[i] == i;
  if (same) return;

  for (const auto& state : states_) state->Select(chosen);
  rows_ = count;
  if (!memory_bias_.defined()) return;

  // Runs of rows of one source share its memory where all are of one length.
  std::vector<int64_t> sources;
  std::vector<int64_t> runs;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t source = old[i] / group_;
    if (sources.empty() || source != sources.back()) {
      sources.push_back(source);
      runs.push_back(0);
    }
    ++runs.back();
  }
  const bool regular = std::all_of(runs.begin(), runs.end(), [&](int64_t run) {
    return run == runs.front();
  });
  if (regular && !runs.empty()) {
    group_ = runs.front();
  } else {
    sources.clear();
    for (int64_t i = 0; i < count; ++i) sources.push_back(old[i] / group_);
    group_ = 1;
  }
  SelectSources(sources);
}

void StepCache::SelectSources(const std::vector<int64_t>& sources) {
  bool unchanged = static_cast<int64_t>(sources.size()) == memory_bias_.size(0);
  for (size_t i = 0; unchanged && i < sources.size(); ++i) {
    unchanged = sources[i] == static_cast<int64_t>(i);
  }
  if (unchanged) return;
  const at::Tensor kept =
      at::tensor(sources, at::kLong).to(memory_bias_.device());
  memory_bias_ = memory_bias_.index_select(0, kept);
  if (memory_BMD_.defined()) memory_BMD_ = memory_BMD_.index_select(0, kept);
  for (const auto& state : states_) state->SelectSources(kept);
}

void StepCache::Advance() {
  ++position_;
  memory_BMD_ = at::Tensor();
}

at::Tensor Pass::TimingSignal(int64_t channels, int64_t start) const {
  if (cache_ != nullptr) {
    return t2t::TimingSignal(1, channels, start + position_);
  }
  if (ragged_ != nullptr) {
    return TimingSignalAt(ragged_->rows.positions_1T + start, channels);
  }
  if (whole_->positions_BL.defined()) {
    return TimingSignalAt(whole_->positions_BL + start, channels);
  }
  return t2t::TimingSignal(whole_->length, channels, start);
}

at::Tensor RunCausally(const at::Tensor& x, int64_t reach, Pass& pass,
                       const std::function<at::Tensor(const at::Tensor&)>& f) {
  TORCH_CHECK(pass.ragged() == nullptr || reach == 0,
              "a layer that looks back runs over ragged sequences");
  if (pass.step() == nullptr || reach == 0) return f(x);
  TORCH_CHECK(x.size(1) == 1, "a layer that looks back steps over a block");
  at::Tensor& past = pass.Kept([] { return std::make_unique<Past>(); }).x;
  past = past.defined() ? at::cat({past, x}, 1) : x;
  if (reach > 0 && past.size(1) > reach + 1) {
    past = past.narrow(1, past.size(1) - reach - 1, reach + 1);
  }
  const at::Tensor y = f(past);
  return y.narrow(1, y.size(1) - 1, 1);
}

}  // namespace t2t::nn
