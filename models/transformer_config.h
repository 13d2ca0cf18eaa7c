#ifndef MODELS_TRANSFORMER_CONFIG_H_
#define MODELS_TRANSFORMER_CONFIG_H_

#include <cstdint>

#include "t2t/hparams/hparams.h"
#include "t2t/model/sequence_options.h"
#include "t2t/nn/attention.h"
#include "t2t/nn/ffn.h"
#include "t2t/nn/norm.h"
#include "t2t/nn/recurrent_memory.h"

namespace t2t {

// The hparams of T2T's transformer module, read and checked once.
struct TransformerConfig {
  // Throws a usage error on values that are not supported; says once which of
  // the values given have no effect here.
  static TransformerConfig FromHParams(const HParams& hparams);

  SequenceOptions sequence;
  int64_t encoder_layers = 0;
  int64_t decoder_layers = 0;
  PrePostOptions preprocess;
  PrePostOptions postprocess;
  AttentionOptions self_attention;
  AttentionOptions memory_attention;
  int64_t area_layers = 0;  // the first so many have area attention
  AreaOptions encoder_area;
  AreaOptions decoder_area;
  FfnOptions ffn;
  RecurrentMemoryOptions memory;  // the decoder's; transformer_memory sets it
  // The encoder's feed-forward layers give 0 on padding, as with T2T's pad
  // remover: it shows where an output is averaged over all positions.
  bool remove_padding = false;
};

}  // namespace t2t

#endif  // MODELS_TRANSFORMER_CONFIG_H_
