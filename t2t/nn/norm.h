#ifndef T2T_NN_NORM_H_
#define T2T_NN_NORM_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/nn/context.h"
#include "t2t/nn/params.h"
#include "t2t/nn/tensor_parallel.h"

namespace t2t {

// Normalises over the last dimension. Types as T2T's norm_type: "layer"
// (parameters layer_norm/layer_norm_scale and _bias), "l2" (l2_norm/...),
// "noam" and "none" (no parameters); and "batch" (batch_normalization/gamma and
// beta), which in T2T's models always takes the mean to be 0 and the variance
// 1: a scale and a shift.
class Norm {
 public:
  // name_suffix tells several norms of one scope apart ("_1", as TF does).
  Norm(const Scope& scope, const std::string& type, int64_t depth,
       double epsilon, const std::string& name_suffix = "");

  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::string type_;
  double epsilon_;
  TensorParallel* parallel_;  // null: the model is whole
  at::Tensor scale_;
  at::Tensor bias_;
};

// What stands around every layer.
struct PrePostOptions {
  // The same over another number of channels.
  PrePostOptions OfDepth(int64_t channels) const {
    PrePostOptions other = *this;
    other.depth = channels;
    return other;
  }

  std::string sequence;  // of 'n', 'd', 'a', 'z', or "none"
  double dropout = 0.0;
  std::vector<int64_t> dropout_broadcast_dims;
  std::string norm_type = "layer";
  double norm_epsilon = 1e-6;
  int64_t depth = 0;
};

// T2T's layer_prepostprocess: n normalises, d drops out, a adds the layer's
// input, z adds it with a gate that starts at zero.
class PrePost {
 public:
  // scope: the layer's; name: "layer_prepostprocess" (TF numbers a scope's
  // further ones "layer_prepostprocess_1", _2, ...) or "layer_postprocess".
  // Preprocessing must have no 'a' and no 'z'.
  PrePost(const Scope& scope, const std::string& name,
          const PrePostOptions& options);

  // previous may be undefined where the sequence has no 'a' and no 'z'.
  at::Tensor operator()(const at::Tensor& previous, const at::Tensor& x,
                        const nn::Context& context) const;
  // Whether it does the same to sequences without padding, end to end: not
  // where dropout is broadcast over rows or positions.
  bool CanBeRagged() const { return options_.dropout_broadcast_dims.empty(); }

 private:
  PrePostOptions options_;
  TensorParallel* parallel_;  // null: the model is whole
  std::vector<Norm> norms_;
  std::vector<at::Tensor> gammas_;
};

}  // namespace t2t

#endif  // T2T_NN_NORM_H_
