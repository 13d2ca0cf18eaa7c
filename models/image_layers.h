#ifndef MODELS_IMAGE_LAYERS_H_
#define MODELS_IMAGE_LAYERS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/transformer_config.h"
#include "t2t/hparams/hparams.h"
#include "t2t/modality/loss_parts.h"
#include "t2t/nn/block.h"
#include "t2t/nn/filtered_attention.h"
#include "t2t/nn/grid_attention.h"
#include "t2t/nn/params.h"
#include "t2t/problem/problem.h"

// What T2T's Transformers of images (its common_image_attention) have in
// common. Parmar et al. 2018, "Image Transformer", arXiv:1802.05751: an image
// is a grid of its numbers, a row of it the pixels of a row with their channels
// side by side.
// Shapes: B batch, H height, W width, C channels, S a row's numbers (W * C, or
// pixels where each is one vector), D hidden_size, L length, M memory's length.
namespace t2t {

// The values of a channel.
constexpr int64_t kLevels = 256;

struct ImageConfig {
  // model: its name, for messages. Throws a usage error on values that are not
  // supported.
  static ImageConfig FromHParams(const HParams& hparams,
                                 const std::string& model);

  enum class Attention {
    kGlobal,   // encoders alone
    kLocal1d,  // over all numbers as one sequence
    kLocal2d,
    kDilated  // decoders alone: over stretches of that with gaps between
  };

  TransformerConfig layer;
  Attention encoder_attention = Attention::kGlobal;
  Attention decoder_attention = Attention::kLocal1d;
  nn::GridPattern grid;          // of kLocal2d
  std::vector<int64_t> gaps;     // of kDilated, in each layer
  nn::AttentionFilters filters;  // of decoders, but for kLocal2d
  bool block_order = false;      // it decodes block by block
  int64_t width = 0;             // of an image that is decoded, in pixels
  int64_t channels = 0;          // numbers of a pixel with places of their own
  int64_t position_table = 0;    // its length; 0: sines and cosines
};

// Throws the usage error "name=value in the model M".
[[noreturn]] void RefuseImageHParam(const HParams& hparams,
                                    const std::string& model,
                                    const std::string& name,
                                    const std::string& expected);

// The scope of a feature's modality.
Scope ImageModalityScope(const Scope& root, const FeatureInfo& feature,
                         int64_t hidden_size);

// A vector for each level of each channel: T2T's
// image_channel_embeddings_bottom.
class ChannelEmbedding {
 public:
  // Makes "rgb_target_emb_input_bottom" in the scope.
  ChannelEmbedding(const Scope& scope, int64_t channels, int64_t hidden_size);

  // levels [B, H, W, C] -> [B, H, S, D].
  at::Tensor operator()(const at::Tensor& levels) const;

 private:
  int64_t channels_;
  at::Tensor table_;
};

// What tells rows and columns apart: T2T's add_timing_signal_nd and
// add_positional_embedding_nd.
class GridPositions {
 public:
  // scope: "<model>/body"; name: "dec_pos", say. table: its length, 0 for none.
  GridPositions(const Scope& scope, const std::string& name, int64_t table,
                int64_t hidden_size);

  at::Tensor AddTo(const at::Tensor& x_BHSD) const;

 private:
  int64_t size_;
  at::Tensor rows_, columns_;
};

// The feed-forward layer of each layer, given its scope; null: T2T's own of a
// Transformer.
using MakeImageTransition =
    std::function<nn::SublayerPtr(const Scope& scope, int64_t layer)>;

// Encodes an image.
class ImageEncoder {
 public:
  // body: "<model>/body".
  ImageEncoder(const Scope& body, const ImageConfig& config);

  // x_BHSD: embedded. Returns [B, M, D].
  at::Tensor operator()(const at::Tensor& x_BHSD, nn::Context& context) const;

 private:
  GridPositions positions_;
  double dropout_;
  nn::Stack layers_;
};

// Makes each number of an image out of those before it: in a row and the rows
// above, or in the order of local attention's blocks.
class ImageDecoder {
 public:
  // body: "<model>/body". has_memory: an encoder's output is looked at, whose
  // last norm has the name before this one's.
  ImageDecoder(const Scope& body, const ImageConfig& config, bool has_memory,
               const MakeImageTransition& make_transition = nullptr);

  // x_BHSD: embedded, not shifted yet. given: added at each position; it and
  // memory_BMD may be undefined. Returns [B, H, S, D].
  at::Tensor operator()(const at::Tensor& x_BHSD, const at::Tensor& given,
                        const at::Tensor& memory_BMD,
                        nn::Context& context) const;

  // Of decoding: the numbers so far, [B, L], as an image [B, H, W, C], which
  // zeros fill up to whole rows (of blocks); and back, [B, H, S, D] in their
  // order as [B, L, D].
  at::Tensor AsImage(const at::Tensor& ids_BL) const;
  at::Tensor InOrder(const at::Tensor& y_BHSD, int64_t length) const;

 private:
  ImageConfig config_;
  GridPositions positions_;
  nn::Stack layers_;
};

// The loss of logits [B, H, W, C, 256], or [B, L, 256], with the weights that
// the targets' modality gives.
LossParts LevelLoss(const at::Tensor& logits, const at::Tensor& targets,
                    const ProblemInfo& info, double label_smoothing);

}  // namespace t2t

#endif  // MODELS_IMAGE_LAYERS_H_
