#ifndef T2T_NN_PASS_H_
#define T2T_NN_PASS_H_

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "t2t/nn/context.h"

namespace t2t {
struct MemoryChunk;
}  // namespace t2t

// How layers are run. A model writes what it computes once, as functions of
// (x, pass); a pass says over what they run, and layers that mix positions
// behave accordingly:
//   whole   x is [batch, length, depth], rows filled up with padding;
//   ragged  x is [1, tokens, depth], sequences without padding end to end;
//   step    x is [rows, 1, depth], the next position of each hypothesis, after
//           those that a StepCache remembers; or several of them, [rows, n,
//           depth], for layers that know nothing of positions but by x and the
//           bias.
// Shapes: B batch, L length, M memory's length, D depth, T tokens, S memory's
// tokens, R rows (hypotheses).
namespace t2t::nn {

// Over whole rows: what layers see besides their input.
struct WholeRows {
  int64_t length = 0;
  at::Tensor bias;  // self-attention's, [B or 1, 1, L or 1, L]; or undefined
  at::Tensor nonpadding_BL;  // 1 or 0; undefined: not known
  // With sequence parallelism this rank's shard of nonpadding_BL.
  at::Tensor own_nonpadding_BL;
  at::Tensor positions_BL;  // of packed examples; undefined: from 0 on
  at::Tensor memory_BMD;    // the encoder's output; undefined without one
  at::Tensor memory_bias;   // [B, 1, 1 or L, M]
  // For layers with recurrent memory; null: there are none.
  const MemoryChunk* chunk = nullptr;
};

// Sequences without padding, one after the other.
struct RaggedRows {
  std::vector<int64_t> offsets;  // of each sequence's first token, and the end
  at::Tensor positions_1T;       // where each token stood in its row
};

struct RaggedSequences {
  RaggedRows rows;
  at::Tensor memory_1SD;  // the encoder's output; undefined without one
  RaggedRows memory_rows;
};

// What one layer keeps between decoding steps.
class State {
 public:
  virtual ~State() = default;
  // Row i becomes the old rows[i]; rows: int64 [R], on the CPU.
  virtual void Select(const at::Tensor& rows) = 0;
  // The same of what is kept for each source, not for each hypothesis.
  // sources: int64, on the memory's device.
  virtual void SelectSources(const at::Tensor& sources) { (void)sources; }
};

// All that a model keeps between decoding steps: its layers' states and what
// they see. Hypotheses of one source stand side by side and share its memory
// where every source has equally many.
class StepCache {
 public:
  // rows: one for each source; memory_BMD and memory_bias [B, 1, 1, M] are
  // undefined without an encoder.
  StepCache(int64_t rows, at::Tensor memory_BMD, at::Tensor memory_bias)
      : rows_(rows),
        memory_BMD_(std::move(memory_BMD)),
        memory_bias_(std::move(memory_bias)) {}

  // Keeps rows[i] of the old hypotheses as the new i. rows: int64 [R].
  void Select(const at::Tensor& rows);
  // A position was decoded.
  void Advance();

  int64_t rows() const { return rows_; }
  // How many positions were decoded.
  int64_t position() const { return position_; }
  // Row i looks at the memory of source i / group().
  int64_t group() const { return group_; }
  // The encoder's output, for what layers make of it: in the first step alone.
  const at::Tensor& memory_BMD() const { return memory_BMD_; }
  const at::Tensor& memory_bias() const { return memory_bias_; }

 private:
  friend class Pass;

  void SelectSources(const std::vector<int64_t>& sources);

  int64_t rows_ = 0;
  int64_t position_ = 0;
  int64_t group_ = 1;
  at::Tensor memory_BMD_;
  at::Tensor memory_bias_;
  std::vector<std::unique_ptr<State>> states_;
};

// One run of a model's layers.
class Pass {
 public:
  // causal: a decoder's; convolutions look backwards alone, and so does ragged
  // attention (attention over whole rows goes by its bias).
  Pass(Context* context, bool causal, const WholeRows* whole)
      : context_(context), causal_(causal), whole_(whole) {}
  Pass(Context* context, bool causal, const RaggedSequences* ragged)
      : context_(context), causal_(causal), ragged_(ragged) {}
  // One decoding step. position: the new one's among those that positional
  // signals count; bias [.., 1, positions] may be undefined. After the step the
  // caller says StepCache::Advance().
  Pass(Context* context, StepCache* cache, int64_t position, at::Tensor bias)
      : context_(context),
        causal_(true),
        cache_(cache),
        position_(position),
        bias_(std::move(bias)) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  Context& context() const { return *context_; }
  bool training() const { return context_->training; }
  bool causal() const { return causal_; }

  // One of these is not null.
  const WholeRows* whole() const { return whole_; }
  const RaggedSequences* ragged() const { return ragged_; }
  const StepCache* step() const { return cache_; }

  // Of a step.
  int64_t position() const { return position_; }
  const at::Tensor& bias() const { return bias_; }

  // Of a step: what the layer that asks keeps, made by `make` (it returns a
  // std::unique_ptr) in the first step. The k-th state that is asked for in a
  // step is the k-th of every step, so layers must run in the same order, and
  // as often, in each: a block that runs n times has n states.
  template <class Make>
  auto& Kept(const Make& make) {
    using Own = typename std::invoke_result_t<Make>::element_type;
    if (next_state_ == cache_->states_.size()) {
      TORCH_CHECK(cache_->position_ == 0,
                  "a layer asks for a state that it did not ask for in the "
                  "first decoding step");
      cache_->states_.push_back(make());
    }
    auto* const own = dynamic_cast<Own*>(cache_->states_[next_state_++].get());
    TORCH_CHECK(own != nullptr,
                "decoding steps run their layers in different orders");
    return *own;
  }

  // The positions' sines and cosines, counted from `start`: T2T's timing
  // signal, shaped [1 or B, positions of x, channels].
  at::Tensor TimingSignal(int64_t channels, int64_t start = 0) const;

 private:
  Context* const context_;
  const bool causal_;
  const WholeRows* const whole_ = nullptr;
  const RaggedSequences* const ragged_ = nullptr;
  StepCache* const cache_ = nullptr;
  const int64_t position_ = 0;
  const at::Tensor bias_;
  size_t next_state_ = 0;
};

// f(x), where f makes a position out of itself and no more than `reach`
// positions before it (-1: of all before it), such as a causal convolution. In
// a decoding step it runs over the last positions, which are kept.
at::Tensor RunCausally(const at::Tensor& x, int64_t reach, Pass& pass,
                       const std::function<at::Tensor(const at::Tensor&)>& f);

}  // namespace t2t::nn

#endif  // T2T_NN_PASS_H_
