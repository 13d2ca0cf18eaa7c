#ifndef T2T_MODEL_SEQUENCE_OPTIONS_H_
#define T2T_MODEL_SEQUENCE_OPTIONS_H_

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"

namespace t2t {

// How a position is told from the others: hparam pos.
enum class PositionKind { kNone, kTiming, kTimingFromFeatures, kEmbedding };

// What T2T's transformer_prepare_encoder and transformer_prepare_decoder go by:
// all that stands between the modality's bottom and the layers. Read from
// hparams once.
struct SequenceOptions {
  // Throws a usage error on values that are not supported.
  static SequenceOptions FromHParams(const HParams& hparams);

  // Whether padding can be left out of training's computations as far as what
  // stands before the layers is concerned.
  bool CanBeRagged() const;

  int64_t hidden_size = 0;
  double dropout = 0.0;  // layer_prepostprocess_dropout
  PositionKind position = PositionKind::kTiming;
  // Of kTimingFromFeatures: whose numbers are positions; "" for the position
  // itself.
  std::vector<std::string> position_features;
  int64_t max_length = 0;  // of kEmbedding's table
  bool proximity_bias = false;
  bool causal_decoder_self_attention = true;
  bool use_target_space_embedding = true;
  bool unidirectional_encoder = false;
  // prepend_mode: inputs stand before the targets, in one sequence, and are
  // masked as the targets are or see each other.
  bool prepends_inputs = false;
  bool prepend_full_attention = false;
  double symbol_dropout = 0.0;  // the modalities'
  // What matrix products compute in: activation_dtype.
  at::ScalarType activation_type = at::kFloat;
  // Parameters stand in the model's own scope in place of its "body": so it is
  // with T2T's models whose body is written for several devices.
  bool no_body_scope = false;
  // The decoder begins anew after so many positions (recurrent memory); 0: it
  // does not.
  int64_t chunk_length = 0;
};

}  // namespace t2t

#endif  // T2T_MODEL_SEQUENCE_OPTIONS_H_
