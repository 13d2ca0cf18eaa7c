#ifndef T2T_NN_CONTEXT_H_
#define T2T_NN_CONTEXT_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace t2t::nn {

// Losses that layers add to the model's own while they compute (a mixture of
// experts keeps its experts equally busy, adaptive computation time charges
// for its steps), each in the training loss' scale.
class Losses {
 public:
  // Losses of one name are summed.
  void Add(const std::string& name, const at::Tensor& loss);
  const std::map<std::string, at::Tensor>& by_name() const { return by_name_; }

 private:
  std::map<std::string, at::Tensor> by_name_;
};

// Keeps what attention to the encoder's output looks at, in the order in which
// the layers run.
class AttentionRecorder {
 public:
  // [batch, heads, queries, keys]; each query's weights sum to 1.
  void Add(at::Tensor weights) { weights_.push_back(std::move(weights)); }
  const std::vector<at::Tensor>& weights() const { return weights_; }

 private:
  std::vector<at::Tensor> weights_;
};

// What one pass through a model is for, and what it leaves behind besides its
// result. Every layer is given it: nothing that a layer computes depends on a
// global.
struct Context {
  Context() : Context(/*is_training=*/false) {}
  explicit Context(bool is_training);

  // Whether dropout and other noise apply.
  bool training = false;
  // What these draw from, a generator of the CPU whatever device computes.
  // ATen's default one where the caller gives no other; training seeds it from
  // (seed, step) before every batch.
  at::Generator rng;
  // What the model's matrix products run in; nullopt: what its hparams say.
  std::optional<at::ScalarType> precision;
  Losses losses;
  // Null: attention is not recorded.
  AttentionRecorder* recorder = nullptr;
};

// Noise for `like` out of the context's generator, the same on every device:
// numbers from [0, 1), and standard normal ones.
at::Tensor UniformLike(const at::Tensor& like, const Context& context);
at::Tensor NormalLike(const at::Tensor& like, const Context& context);

}  // namespace t2t::nn

#endif  // T2T_NN_CONTEXT_H_
