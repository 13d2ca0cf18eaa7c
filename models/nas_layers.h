#ifndef MODELS_NAS_LAYERS_H_
#define MODELS_NAS_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "models/transformer_config.h"
#include "t2t/nn/block.h"
#include "t2t/nn/params.h"

// The layers of the Evolved Transformer's search space, by name: So, Liang and
// Le 2019, arXiv:1901.11117, appendix.
// Shapes: B batch, L length, I and O channels in and out.
namespace t2t {

// Not there at all, and what gives back what it is given.
inline constexpr char kDeadBranch[] = "dead_branch";
inline constexpr char kIdentityLayer[] = "identity";

// One side of a block: encoder_left_layers and so on.
struct NasBranch {
  size_t input = 0;  // a state of the cell: 0 is what it is given
  std::string layer;
  std::string activation;
  int64_t depth = 0;
  bool normalises = false;
};

// What a cell's layers are made with.
struct NasContext {
  const TransformerConfig* config;
  bool is_decoder = false;
  int64_t memory_depth = 0;
};

// Names that NasBranch::layer may have.
std::vector<std::string> NasLayerChoices(bool is_decoder);

// The layer of a branch that is neither of the two above, from `in` channels to
// the branch's depth, over whole rows or step by step. scope: the branch's;
// suffix: "left_0", as T2T names what is inside.
nn::SublayerPtr MakeNasLayer(const NasBranch& spec, int64_t in,
                             const Scope& scope, const std::string& suffix,
                             const NasContext& context);

// "swish", "leaky_relu", "relu", "sigmoid", "softmax" or "none".
at::Tensor NasActivation(const std::string& activation, const at::Tensor& x);

}  // namespace t2t

#endif  // MODELS_NAS_LAYERS_H_
