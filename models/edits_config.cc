#include "models/edits_config.h"

#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"

namespace t2t {

EditsConfig EditsConfig::FromHParams(const HParams& hparams) {
  EditsConfig config;
  config.transformer = TransformerConfig::FromHParams(hparams);
  config.has_tags = BoolOr(hparams, "use_error_tags", true);
  config.predicts_start = BoolOr(hparams, "use_start_token", false);
  config.feeds_end = BoolOr(hparams, "feedback_end_token", false);
  config.in_the_middle = BoolOr(hparams, "middle_prediction", true);
  config.layers_between = IntOr(hparams, "ffn_in_prediction_cascade", 1);
  config.tag_size = IntOr(hparams, "error_tag_embed_size", 6);
  if (config.predicts_start && !config.feeds_end) {
    throw UsageError("use_start_token without feedback_end_token",
                     "both: else the start that is to be predicted is fed in",
                     "set --hparams=feedback_end_token=True");
  }
  if (config.transformer.ffn.type != "dense_relu_dense") {
    throw UsageError("ffn_layer=" + config.transformer.ffn.type +
                         " with the model transformer_seq2edits",
                     "dense_relu_dense", "change --hparams=ffn_layer=...");
  }
  if (config.in_the_middle) {
    int64_t& layers = config.transformer.decoder_layers;
    layers = static_cast<int64_t>(
        static_cast<double>(layers) /
        DoubleOr(hparams, "middle_prediction_layer_factor", 2.0));
    if (layers < 1) {
      throw UsageError("middle_prediction with a decoder of one layer",
                       "layers before and after the predictions",
                       "set --hparams=num_decoder_layers=2 or more, or "
                       "middle_prediction=False");
    }
  }
  return config;
}

}  // namespace t2t
