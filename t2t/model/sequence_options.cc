#include "t2t/model/sequence_options.h"

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"

namespace t2t {
namespace {

PositionKind PositionKindOf(const HParams& hparams) {
  const std::string name = StringOr(hparams, "pos", "timing");
  if (name == "timing") return PositionKind::kTiming;
  if (name == "timing_from_features") return PositionKind::kTimingFromFeatures;
  if (name == "emb") return PositionKind::kEmbedding;
  if (name == "none" || name.empty()) return PositionKind::kNone;
  throw UsageError("pos=" + name + " is not supported",
                   "timing, timing_from_features, emb or none",
                   "change --hparams=pos=...");
}

at::ScalarType ActivationTypeOf(const HParams& hparams) {
  const std::string type = StringOr(hparams, "activation_dtype", "float32");
  if (type == "float32") return at::kFloat;
  if (type == "bfloat16") return at::kBFloat16;
  if (type == "float16") return at::kHalf;
  throw UsageError("activation_dtype=" + type, "float32, bfloat16 or float16",
                   "change --hparams=activation_dtype=...");
}

}  // namespace

SequenceOptions SequenceOptions::FromHParams(const HParams& hparams) {
  SequenceOptions options;
  options.hidden_size = hparams.GetInt("hidden_size");
  if (options.hidden_size < 1) {
    throw UsageError("hidden_size=" + std::to_string(options.hidden_size),
                     "at least 1", "change --hparams=hidden_size=...");
  }
  options.dropout = hparams.GetDouble("layer_prepostprocess_dropout");
  options.position = PositionKindOf(hparams);
  if (options.position == PositionKind::kTimingFromFeatures) {
    options.position_features =
        Split(StringOr(hparams, "position_features", ""), ',');
    if (options.position_features.empty()) options.position_features = {""};
  }
  options.max_length = IntOr(hparams, "max_length", 0);
  options.proximity_bias = BoolOr(hparams, "proximity_bias", false);
  options.causal_decoder_self_attention =
      BoolOr(hparams, "causal_decoder_self_attention", true);
  options.use_target_space_embedding =
      BoolOr(hparams, "use_target_space_embedding", true);
  options.unidirectional_encoder =
      BoolOr(hparams, "unidirectional_encoder", false);
  const std::string prepend = StringOr(hparams, "prepend_mode", "none");
  if (prepend != "none" && prepend != "prepend_inputs_masked_attention" &&
      prepend != "prepend_inputs_full_attention") {
    throw UsageError("prepend_mode=" + prepend,
                     "none, prepend_inputs_masked_attention or "
                     "prepend_inputs_full_attention",
                     "change --hparams=prepend_mode=...");
  }
  options.prepends_inputs = prepend != "none";
  options.prepend_full_attention = prepend == "prepend_inputs_full_attention";
  options.symbol_dropout = DoubleOr(hparams, "symbol_dropout", 0.0);
  options.activation_type = ActivationTypeOf(hparams);
  return options;
}

bool SequenceOptions::CanBeRagged() const {
  return activation_type == at::kFloat &&
         position != PositionKind::kTimingFromFeatures && !proximity_bias &&
         causal_decoder_self_attention && !prepends_inputs &&
         !unidirectional_encoder && symbol_dropout == 0.0 && chunk_length == 0;
}

}  // namespace t2t
