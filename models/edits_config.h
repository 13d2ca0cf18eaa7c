#ifndef MODELS_EDITS_CONFIG_H_
#define MODELS_EDITS_CONFIG_H_

#include <cstdint>

#include "models/transformer_config.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

// What the hparams say of transformer_seq2edits.
struct EditsConfig {
  // Throws a usage error where they contradict each other.
  static EditsConfig FromHParams(const HParams& hparams);

  TransformerConfig transformer;
  bool has_tags = true;
  bool predicts_start = false;  // else a span begins where the last one ended
  bool feeds_end = false;       // the last span's end is fed back, too
  bool in_the_middle = true;    // more decoder layers follow the predictions
  int64_t layers_between = 1;   // feed-forward, between two predictions
  int64_t tag_size = 6;
};

}  // namespace t2t

#endif  // MODELS_EDITS_CONFIG_H_
