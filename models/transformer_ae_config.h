#ifndef MODELS_TRANSFORMER_AE_CONFIG_H_
#define MODELS_TRANSFORMER_AE_CONFIG_H_

#include <cstdint>

#include "models/transformer_config.h"
#include "t2t/hparams/hparams.h"
#include "t2t/nn/bottleneck.h"

namespace t2t {

// The hparams of T2T's transformer_ae, read and checked once.
struct AeConfig {
  // Throws a usage error on values that are not supported.
  static AeConfig From(const HParams& hparams);

  TransformerConfig layers;
  nn::BottleneckOptions bottleneck;
  bool is_discrete = true;
  int64_t halvings = 0;
  double dropout = 0.0;
  int64_t max_length = 0;
  int64_t startup_steps = 0;
  int64_t mask_startup_steps = 0;
  double word_shuffle = 0.0;
  double word_dropout = 0.0;
  double unmasked_percentage = 0.0;
  double entropy_scale = 0.0;
  double prior_scale = 1.0;
  double sampling_temperature = 0.0;
  bool masks = true;
  bool masks_all = true;  // use_predict_mask
  bool attends_compressing = false;
  bool attends_decompressing = true;
  bool residual_compressing = false;
  bool normalises_logits = true;
  bool sums_over_latents = false;
};

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_AE_CONFIG_H_
