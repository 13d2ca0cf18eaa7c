// Recurrent networks with a differentiable stack, queue or deque. Grefenstette
// et al. 2015, "Learning to Transduce with Unbounded Memory", arXiv:1506.02516;
// equation numbers are the paper's. Differs from it as T2T does: a memory of
// fixed size, in which the deque is written from the middle.
// Shapes: B batch, L length, H heads, M memory_size, E embedding_size, U units
// of the controller.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "t2t/base/error.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/positional.h"

namespace t2t {
namespace {

enum class Kind { kStack, kQueue, kDeque };

struct Memory {
  at::Tensor units_BU;      // the controller's state
  at::Tensor read_BHE;      // what was read last
  at::Tensor values_BME;    // what was written
  at::Tensor strengths_BM;  // of it, how much is still there
  at::Tensor writes_BHM;    // where each head writes next
};

class MemoryCell {
 public:
  MemoryCell(const Scope& scope, Kind kind, int64_t units,
             const HParams& hparams)
      : kind_(kind),
        heads_(kind == Kind::kDeque ? 2 : 1),
        size_(hparams.GetInt("memory_size")),
        width_(hparams.GetInt("embedding_size")),
        units_(units),
        input_(Make(scope, "input_projection_", width_ * (heads_ + 1), units)),
        push_(Make(scope, "push_projection_", units, heads_)),
        pop_(Make(scope, "pop_projection_", units, heads_)),
        value_(Make(scope, "value_projection_", units, heads_ * width_)),
        output_(Make(scope, "output_projection_", units, width_)) {
    const Scope cell = scope.Sub("basic_rnn_cell");
    recurrent_ = {cell.Param("kernel", {2 * units, units}),
                  cell.Param("bias", {units}, ZerosInit())};
  }

  Memory Start(int64_t batch) const {
    const auto options = input_.bias.options().requires_grad(false);
    Memory memory;
    memory.units_BU = at::zeros({batch, units_}, options);
    memory.read_BHE = at::zeros({batch, heads_, width_}, options);
    memory.values_BME = at::zeros({batch, size_, width_}, options);
    memory.strengths_BM = at::zeros({batch, size_}, options);
    memory.writes_BHM = at::zeros({batch, heads_, size_}, options);
    const int64_t first = kind_ == Kind::kDeque ? size_ / 2 - 1 : 0;
    for (int64_t head = 0; head < heads_; ++head) {
      memory.writes_BHM.select(1, head).select(1, first + head).fill_(1.0);
    }
    return memory;
  }

  // x_BE at one time; returns the controller's output [B, E].
  at::Tensor operator()(const at::Tensor& x_BE, Memory* memory) const {
    const at::Tensor seen =
        at::tanh(input_(at::cat({x_BE, memory->read_BHE.flatten(1)}, 1)));
    const at::Tensor units_BU =
        at::tanh(recurrent_(at::cat({seen, memory->units_BU}, 1)));
    const at::Tensor push_BH = at::sigmoid(push_(units_BU));
    const at::Tensor pop_BH = at::sigmoid(pop_(units_BU));
    const at::Tensor value_BHE =
        at::tanh(value_(units_BU)).view({-1, heads_, width_});
    const at::Tensor& writes_BHM = memory->writes_BHM;

    // (1): all values are written.
    memory->values_BME =
        memory->values_BME + at::matmul(writes_BHM.transpose(1, 2), value_BHE);
    // (2): what is popped loses strength, in its order, and what is pushed
    // gets some.
    at::Tensor strengths = memory->strengths_BM;
    for (int64_t head = heads_ - 1; head >= 0; --head) {
      const at::Tensor left =
          pop_BH.narrow(1, head, 1) - Before(strengths, head);
      strengths = at::relu(strengths - at::relu(left));
    }
    strengths =
        strengths + at::matmul(push_BH.unsqueeze(1), writes_BHM).squeeze(1);
    // (3): each head reads a strength of 1 in all.
    std::vector<at::Tensor> read;
    for (int64_t head = 0; head < heads_; ++head) {
      const at::Tensor share_BM =
          at::minimum(strengths, at::relu(1.0 - Before(strengths, head)));
      read.push_back(at::matmul(share_BM.unsqueeze(1), memory->values_BME));
    }
    memory->read_BHE = at::cat(read, 1);
    memory->strengths_BM = strengths;
    memory->writes_BHM = Advance(writes_BHM);
    memory->units_BU = units_BU;
    return at::tanh(output_(units_BU));
  }

 private:
  struct Projection {
    at::Tensor operator()(const at::Tensor& x) const {
      return at::addmm(bias, x, weights);
    }
    at::Tensor weights, bias;
  };
  static Projection Make(const Scope& scope, const std::string& name,
                         int64_t in, int64_t out) {
    return {scope.Param(name + "weights", {in, out}),
            scope.Param(name + "bias", {out}, ZerosInit())};
  }

  // For each place the strength of those that a head comes to first: a stack's
  // above it, a queue's below it. A deque's first head is at its bottom.
  at::Tensor Before(const at::Tensor& strengths_BM, int64_t head) const {
    const bool from_top =
        kind_ == Kind::kStack || (kind_ == Kind::kDeque && head == 1);
    const at::Tensor all = at::ones({size_, size_}, strengths_BM.options());
    return at::matmul(strengths_BM, from_top ? all.tril(-1) : all.triu(1));
  }

  at::Tensor Advance(const at::Tensor& writes_BHM) const {
    if (kind_ != Kind::kDeque) return writes_BHM.roll(1, 2);
    return at::cat({writes_BHM.narrow(1, 0, 1).roll(-1, 2),
                    writes_BHM.narrow(1, 1, 1).roll(1, 2)},
                   1);
  }

  Kind kind_;
  int64_t heads_, size_, width_, units_;
  Projection input_, push_, pop_, value_, output_, recurrent_;
};

// Cells on top of each other.
class MemoryStack {
 public:
  MemoryStack(const Scope& scope, const std::string& cell, Kind kind,
              const HParams& hparams) {
    for (const int64_t units : hparams.GetInts("controller_layer_sizes")) {
      const std::string name = "cell_" + std::to_string(cells_.size());
      cells_.emplace_back(scope.Sub("rnn/multi_rnn_cell").Sub(name).Sub(cell),
                          kind, units, hparams);
    }
  }

  // state: empty at the start; becomes that after the last position.
  at::Tensor operator()(const at::Tensor& x_BLE,
                        std::vector<Memory>* state) const {
    if (state->empty()) {
      for (const MemoryCell& cell : cells_) {
        state->push_back(cell.Start(x_BLE.size(0)));
      }
    }
    std::vector<at::Tensor> outputs;
    for (at::Tensor x_BE : x_BLE.unbind(1)) {
      for (size_t i = 0; i < cells_.size(); ++i) {
        x_BE = cells_[i](x_BE, &state->at(i));
      }
      outputs.push_back(x_BE);
    }
    return at::stack(outputs, 1);
  }

 private:
  std::vector<MemoryCell> cells_;
};

class NeuralStack : public Model {
 public:
  NeuralStack(const std::string& word, Kind kind, HParams hparams,
              ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        root_(&params_, "neural_" + word + "_model",
              DefaultInitializer(hparams_)),
        decoder_(root_.Sub("body").Sub("decoder"), "neural_" + word + "_cell",
                 kind, hparams_) {
    RefuseScheduledSampling(hparams_);
    RefuseSplitModel(root_);
    const int64_t width = hparams_.GetInt("embedding_size");
    if (width != hparams_.GetInt("hidden_size") ||
        hparams_.GetInt("memory_size") < 2) {
      throw UsageError(
          "embedding_size=" + std::to_string(width) + " with hidden_size=" +
              std::to_string(hparams_.GetInt("hidden_size")) +
              " and memory_size=" +
              std::to_string(hparams_.GetInt("memory_size")),
          "embeddings as wide as hidden_size, and a memory of 2 or more",
          "change them in --hparams");
    }
    if (info_.has_inputs()) {
      encoder_.emplace(root_.Sub("body").Sub("encoder"),
                       "neural_" + word + "_cell", kind, hparams_);
    }
    MakeEnds(root_, width);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    std::vector<Memory> state;
    if (encoder_) {
      (*encoder_)(AsSequence(EmbedInputs(features, context)).flip(1), &state);
    }
    const at::Tensor targets =
        AsSequence(EmbedTargets(RequiredFeature(features, "targets"), context));
    return decoder_(ShiftRight(targets), &state);
  }

 private:
  Scope root_;
  std::optional<MemoryStack> encoder_;  // none without inputs
  MemoryStack decoder_;
};

struct NeuralStackModel : NeuralStack {
  NeuralStackModel(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : NeuralStack("stack", Kind::kStack, std::move(hparams), std::move(info),
                    params) {}
};
struct NeuralQueueModel : NeuralStack {
  NeuralQueueModel(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : NeuralStack("queue", Kind::kQueue, std::move(hparams), std::move(info),
                    params) {}
};
struct NeuralDequeModel : NeuralStack {
  NeuralDequeModel(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : NeuralStack("deque", Kind::kDeque, std::move(hparams), std::move(info),
                    params) {}
};

}  // namespace

void RegisterNeuralStack(ModelRegistry& models) {
  AddModel<NeuralStackModel>(models, "neural_stack_model");
  AddModel<NeuralQueueModel>(models, "neural_queue_model");
  AddModel<NeuralDequeModel>(models, "neural_deque_model");
}

}  // namespace t2t
