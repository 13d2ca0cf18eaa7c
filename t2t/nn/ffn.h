#ifndef T2T_NN_FFN_H_
#define T2T_NN_FFN_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/nn/context.h"
#include "t2t/nn/params.h"

namespace t2t {

struct FfnOptions {
  // dense_relu_dense, conv_hidden_relu (the same), conv_relu_conv,
  // conv_hidden_relu_with_sepconv, parameter_attention, sru, local_moe,
  // local_moe_tpu, none;
  // sepconv_relu_sepconv, which is the Universal Transformer's "sepconv".
  std::string type = "dense_relu_dense";
  int64_t hidden_size = 0;
  int64_t filter_size = 0;
  double dropout = 0.0;  // relu_dropout
  std::vector<int64_t> dropout_broadcast_dims;
  int64_t conv_first_kernel = 3;
  // parameter_attention
  int64_t key_channels = 0;
  int64_t value_channels = 0;
  int64_t heads = 1;
  double attention_dropout = 0.0;
  // local_moe
  int64_t experts = 0;
  int64_t experts_per_token = 1;
  std::string gating = "topk";
  // local_moe_tpu, whose experts have half the filter_size
  double overhead_train = 1.0;
  double overhead_eval = 2.0;
  double loss_weight = 1e-3;
};

// T2T's transformer_ffn_layer: [batch, length, hidden] -> the same shape.
class Ffn {
 public:
  virtual ~Ffn() = default;

  // nonpadding [batch, length], 1 or 0, may be undefined; left: convolutions
  // look only backwards (a decoder's).
  virtual at::Tensor Apply(const at::Tensor& x, const at::Tensor& nonpadding,
                           bool left, nn::Context& context) const = 0;
  // How many earlier positions an output depends on; -1: all of them.
  virtual int64_t reach() const { return 0; }
  // Whether it gives the same for sequences without padding, end to end: each
  // position is made of itself alone.
  virtual bool CanBeRagged() const { return false; }
};

// scope: the layer's ".../ffn".
std::unique_ptr<Ffn> MakeFfn(const Scope& scope, const FfnOptions& options);

}  // namespace t2t

#endif  // T2T_NN_FFN_H_
