#ifndef T2T_NN_BOTTLENECK_H_
#define T2T_NN_BOTTLENECK_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/nn/context.h"
#include "t2t/nn/params.h"

// T2T's discrete_bottleneck: what stands between an autoencoder's two halves.
// Shapes: B batch, C vectors of a row, D hidden_size, Z z_size, V codes.
namespace t2t::nn {

struct BottleneckOptions {
  // semhash (bits: Kaiser and Bengio 2018, arXiv:1801.09797), dvq (a codebook
  // for each of some blocks: Kaiser et al. 2018, arXiv:1803.03382),
  // gumbel-softmax (Jang et al. 2016, arXiv:1611.01144), gumbel-softmax-dvq;
  // dense and vae, whose codes are vectors and no numbers.
  std::string kind = "semhash";
  int64_t hidden_size = 0;
  int64_t bits = 0;         // z_size: there are 2^bits codes
  int64_t filter_size = 0;  // of semhash, and what dense and vae give
  // semhash: see SemanticHashOptions.
  double noise_dev = 1.0;
  double discrete_mix = 0.5;
  int64_t startup_steps = 50000;
  // dvq: see CodebookOptions. residuals: so many codebooks, whose codes are
  // added up.
  int64_t blocks = 1;
  int64_t residuals = 1;
  bool moving_averages = true;  // else codes are learnt by a loss
  double beta = 0.25;
  double decay = 0.999;
  double epsilon = 1e-5;
  int64_t random_top_k = 1;
  int64_t samples = 0;  // soft_em's; 0: the nearest
  // gumbel-softmax.
  int64_t softmax_k = 0;  // above 0: no noise, but the k largest
  int64_t temperature_warmup_steps = 150000;
  // gumbel-softmax-dvq.
  int64_t gumbel_samples = 1;
  bool hard_samples = false;
  bool approximate_entropy = false;
  bool sum_over_latents = false;
};

class Bottleneck {
 public:
  virtual ~Bottleneck() = default;

  struct Codes {
    at::Tensor dense;  // [B, C, D] (dense and vae: [B, C, filter_size])
    // int64 [B, C]; with samples their shares, fp32 [B, C, V]; of dense and vae
    // their vectors, [B, C, Z].
    at::Tensor discrete;
    at::Tensor loss;
    at::Tensor negative_entropy;
  };
  virtual Codes operator()(const at::Tensor& x_BCD, int64_t step,
                           const Context& context) const = 0;
  // What stands for codes as above, [B, C, D]. Not of dense and vae.
  virtual at::Tensor Embed(const at::Tensor& discrete) const = 0;
};

// Parameters come under `scope`, codebooks' ("means", "ema_count_0",
// "ema_means_0") under `root`. Throws a usage error on options that do not fit
// together.
std::unique_ptr<Bottleneck> MakeBottleneck(const Scope& scope,
                                           const Scope& root,
                                           const BottleneckOptions& options);

// Whether its codes are numbers, which can be predicted one after the other.
bool IsDiscreteBottleneck(const std::string& kind);

}  // namespace t2t::nn

#endif  // T2T_NN_BOTTLENECK_H_
