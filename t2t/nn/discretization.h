#ifndef T2T_NN_DISCRETIZATION_H_
#define T2T_NN_DISCRETIZATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "t2t/nn/context.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/params.h"

// What makes discrete codes of vectors, and stays trainable: T2T's
// layers/discretization.py.
// Shapes: T vectors, K blocks of a vector, V codes of a block, D channels of a
// block.
namespace t2t::nn {

// Whole numbers of `bits` digits to a base, the lowest first. Digits are the
// last dimension, in fp32; numbers are int64.
at::Tensor IntsToBits(const at::Tensor& ints, int64_t bits, int64_t base = 2);
at::Tensor BitsToInts(const at::Tensor& bits, int64_t base = 2);

// A sigmoid that is stretched to [-0.1, 1.1] and cut to [0, 1], which it so
// reaches. Kaiser and Sutskever 2015, arXiv:1511.08228.
at::Tensor SaturatingSigmoid(const at::Tensor& x);

// What `values` says, with the gradient of x.
at::Tensor StraightThrough(const at::Tensor& x, const at::Tensor& values);

// softmax(x) over the last dimension, of which the k largest stay, less the one
// after them, and are scaled to the sum 1.
at::Tensor TopKSoftmax(const at::Tensor& x, int64_t k);

// Gumbel's noise for `like`, kept from its ends.
at::Tensor GumbelLike(const at::Tensor& like, const Context& context);

// From 0.01 at step 0 up to 1 at last_step and after, exponentially and in a
// line.
double RampUpExponentially(int64_t step, int64_t last_step);
double RampUpInALine(int64_t step, int64_t last_step);

// Vectors and their numbers: van den Oord et al. 2017, "Neural Discrete
// Representation Learning", arXiv:1711.00937; in blocks: Kaiser et al. 2018,
// arXiv:1803.03382. Codes are the moving averages of the vectors that they
// stand for, moved by each training pass, or learnt by a loss.
struct CodebookOptions {
  int64_t blocks = 1;
  int64_t codes = 0;   // of a block
  int64_t depth = 0;   // of a block
  double beta = 0.25;  // weight of the loss that keeps vectors near their codes
  // Of the moving averages.
  double decay = 0.999;
  double epsilon = 1e-5;
  double smoothed_codes = 0;  // that epsilon counts for; 0: those of a block
  // Each vector's code is drawn so many times, by its distance, and what is
  // drawn is averaged: Roy et al. 2018, arXiv:1805.11063. 0: the nearest.
  int64_t samples = 0;
  // In training the nearest one is drawn from the k nearest.
  int64_t random_top_k = 1;
};

// Whether a buffer of this name is a codebook's or one of its averages': what
// each process learns from its own batches, without gradients.
bool IsCodebook(const std::string& name);

// How codes begin: TF's uniform_unit_scaling_initializer.
Initializer CodebookInit();

class Codebook {
 public:
  // means [K, V, D]; count [K, V] and averages [K, V, D] are undefined where
  // codes are learnt by a loss. Views of buffers, which it moves.
  Codebook(const at::Tensor& means, const at::Tensor& count,
           const at::Tensor& averages, const CodebookOptions& options);
  // T2T's get_vq_codebook, of one block: buffers "means" [V, D], "ema_count"
  // and "ema_means" in the scope.
  Codebook(const Scope& scope, const CodebookOptions& options);

  struct Codes {
    at::Tensor hot_TKV;      // 1 at each one's code, or samples' shares
    at::Tensor vectors_TKD;  // the codes' own vectors
    // T2T's commitment loss times beta, and, where codes are learnt by a loss,
    // that loss.
    at::Tensor loss;
    at::Tensor negative_entropy;  // of what is drawn; 0: nothing is
  };
  // left_over_TKD: what the averages are of, where it is not x.
  Codes operator()(const at::Tensor& x_TKD, const Context& context,
                   const at::Tensor& left_over_TKD = {}) const;
  // The same for codes that are chosen already.
  Codes Take(const at::Tensor& x_TKD, const at::Tensor& hot_TKV,
             const Context& context,
             const at::Tensor& left_over_TKD = {}) const;

  // Squared distances [T, K, V].
  at::Tensor Distances(const at::Tensor& x_TKD) const;
  // hot [T, K, V] -> vectors [T, K, D].
  at::Tensor Vectors(const at::Tensor& hot_TKV) const;

  const at::Tensor& means() const { return means_; }

 private:
  void Move(const at::Tensor& hot_TKV, const at::Tensor& x_TKD) const;

  CodebookOptions options_;
  at::Tensor means_, count_, averages_;
};

// Bits by a saturating sigmoid with noise: Kaiser and Bengio 2018, "Discrete
// Autoencoders for Sequence Models", arXiv:1801.09797 ("improved semantic
// hashing"), as T2T's bottleneck "semhash" has it.
struct SemanticHashOptions {
  int64_t in = 0;
  int64_t bits = 0;
  int64_t filter_size = 0;
  int64_t out = 0;
  double noise_dev = 1.0;  // in training
  // How often a training pass hands bits on, and not what they were made of:
  // this at startup_steps, less before.
  double discrete_mix = 0.5;
  int64_t startup_steps = 50000;
};

class SemanticHash {
 public:
  // Parameters "vcc", "vch1a", "vch1b" and "vch_final_linear".
  SemanticHash(const Scope& scope, const SemanticHashOptions& options);

  struct Codes {
    at::Tensor dense;  // [.., out]
    at::Tensor ids;    // [..]
  };
  // x [batch, .., in].
  Codes operator()(const at::Tensor& x, int64_t step,
                   const Context& context) const;
  // ids [..] -> [.., out].
  at::Tensor Embed(const at::Tensor& ids) const;

 private:
  at::Tensor FromBits(const at::Tensor& bits) const;

  SemanticHashOptions options_;
  Dense bits_, ones_, zeros_, final_;
};

}  // namespace t2t::nn

#endif  // T2T_NN_DISCRETIZATION_H_
