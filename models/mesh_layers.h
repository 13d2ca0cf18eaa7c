#ifndef MODELS_MESH_LAYERS_H_
#define MODELS_MESH_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/nn/block.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"
#include "t2t/nn/tensor_parallel.h"

// The layers of the Transformers that T2T has on a mesh of devices: Shazeer et
// al. 2018, "Mesh-TensorFlow", arXiv:1811.02084. They differ from T2T's others:
// norms have no mean and no bias, dense layers no bias, and attention's scale
// is in its initial values. Over the mesh's axis `model` they are split by
// heads (layout heads:model) and by the filter (d_ff:model).
// Shapes: B batch, L length, M memory's length, D d_model, H heads, K d_kv,
// R rows (hypotheses).
namespace t2t {

struct MeshAttentionOptions {
  int64_t size = 0;  // D
  int64_t heads = 1;
  int64_t depth = 0;         // K
  int64_t memory_heads = 0;  // 1: all heads share keys and values; 0: none do
  bool shares_keys_and_values = false;
  // All of its kernels in one variable "qkvo" [4, H, D, K]; else "q", "k", "v"
  // and "o".
  bool one_variable = false;
  bool sees_memory = false;  // the encoder's output
  bool may_see_nothing = false;
  int64_t window = 0;  // the last so many positions; 0: all
  // Blocks as long as the window, and a position sees all of the block before
  // its own.
  bool window_of_blocks = false;
  int64_t compression = 0;  // above 0: means of so many positions are seen
  double dropout = 0.0;     // of the weights, alike for all queries
};

class MeshAttention : public nn::PositionMixer {
 public:
  // scope: that of its variables. Throws a usage error on options that don't go
  // together.
  MeshAttention(const Scope& scope, const MeshAttentionOptions& options);

  bool CanStep() const override { return options_.compression == 0; }

 protected:
  at::Tensor Whole(const at::Tensor& x_BLD, nn::Pass& pass) const override;
  at::Tensor Step(const at::Tensor& x_R1D, nn::Pass& pass) const override;

 private:
  void MakeKernels(const Scope& scope);
  at::Tensor Project(const at::Tensor& x, const at::Tensor& kernel) const;
  at::Tensor Output(const at::Tensor& attended) const;
  at::Tensor Weights(const at::Tensor& scores,
                     const nn::Context& context) const;
  at::Tensor Attend(const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v, const at::Tensor& bias,
                    const nn::Context& context) const;
  at::Tensor AttendInWindow(const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v,
                            const nn::Context& context) const;

  MeshAttentionOptions options_;
  TensorParallel* parallel_ = nullptr;  // null: the heads are whole
  at::Tensor qkvo_;                     // of one_variable
  at::Tensor q_, k_, v_, o_;            // [D, H K], the last [H K, D]
};

// "wi" and "wo", with ReLU between. dropout is alike for all positions.
class MeshDenseReluDense : public nn::Sublayer {
 public:
  MeshDenseReluDense(const Scope& scope, int64_t size, int64_t filter,
                     double dropout);

  at::Tensor operator()(const at::Tensor& x_BLD, nn::Pass& pass) const override;

 private:
  double dropout_;
  TensorParallel* parallel_;  // null: the filter is whole
  ColumnParallelDense in_;
  RowParallelDense out_;
};

// x divided by the root of its mean square, times scale [D].
at::Tensor RootMeanSquareNorm(const at::Tensor& x, const at::Tensor& scale_D,
                              double epsilon);

// Residual layers, each after a norm; and a last norm.
class MeshStack {
 public:
  MeshStack() = default;
  MeshStack(double dropout, double epsilon)
      : dropout_(dropout), epsilon_(epsilon) {}

  // The norm's scale: a parameter [D], or row `index` of one [norms, D].
  struct Scale {
    at::Tensor parameter;
    int64_t index = -1;

    at::Tensor Get() const;
  };

  void Add(Scale scale, nn::SublayerPtr layer) {
    layers_.push_back({std::move(scale), std::move(layer)});
  }
  void SetLast(Scale scale) { last_ = std::move(scale); }

  at::Tensor operator()(const at::Tensor& x_BLD, nn::Pass& pass) const;
  bool CanStep() const;

 private:
  struct Layer {
    Scale scale;
    nn::SublayerPtr layer;
  };

  double dropout_ = 0.0;
  double epsilon_ = 1e-6;
  std::vector<Layer> layers_;
  Scale last_;
};

// Dropout in training, alike for all positions [.., length, depth].
at::Tensor MeshDropout(const at::Tensor& x, double rate,
                       const nn::Context& context);

// Throws a usage error for a layer of T2T's that is not here.
[[noreturn]] void RefuseMeshLayer(const std::string& key,
                                  const std::string& layer,
                                  const std::string& known);

}  // namespace t2t

#endif  // MODELS_MESH_LAYERS_H_
