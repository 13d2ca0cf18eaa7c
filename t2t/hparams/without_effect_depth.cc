#include "t2t/hparams/without_effect_depth.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "t2t/base/strings.h"

namespace t2t {
namespace {

using H = const HParams&;
using Use = const HParamsUse&;

// Hparams of sets without recurrence_type are another family's.
bool IsRecurrence(H h, std::initializer_list<const char*> types) {
  return h.Has("recurrence_type") &&
         std::any_of(types.begin(), types.end(), [&](const char* type) {
           return h.GetString("recurrence_type") == type;
         });
}

bool IsOther(H h, std::initializer_list<const char*> types) {
  return h.Has("recurrence_type") && !IsRecurrence(h, types);
}

bool IsUniversal(Use use) {
  return StartsWith(use.model, "universal_transformer");
}

}  // namespace

// A table: as long as it has rows.
std::vector<WithoutEffectRow> OfDepth() {
  return {
      {{"ffn_layer", "filter_size", "relu_dropout", "hard_attention_k"},
       [](H, Use use) { return use.model == "evolved_transformer"; },
       nullptr,
       "the model evolved_transformer has layers of its own, as in T2T",
       "hidden_size and layer_prepostprocess_dropout count in them"},
      {{"num_area_layers"},
       [](H, Use use) {
         return use.model == "evolved_transformer" || IsUniversal(use);
       },
       nullptr,
       "the model has no area attention, as in T2T",
       "use the model transformer"},
      {{"num_hidden_layers", "num_encoder_layers", "num_decoder_layers"},
       [](H h, Use use) { return IsUniversal(use) && h.Has("num_rec_steps"); },
       nullptr,
       "the model has steps of num_inrecurrence_layers layers",
       "use num_rec_steps, or act_max_steps with recurrence_type=act"},
      {{"pos"},
       [](H h, Use) {
         return h.Has("add_position_timing_signal") &&
                h.GetBool("add_position_timing_signal");
       },
       "add_position_timing_signal",
       "tells each step the positions",
       "set add_position_timing_signal=False"},
      {{"num_rec_steps"},
       [](H h, Use) { return IsRecurrence(h, {"act"}); },
       "recurrence_type",
       "goes on until all positions halted",
       "use act_max_steps"},
      {{"act_type", "act_max_steps", "act_epsilon", "act_halting_bias_init",
        "act_loss_weight"},
       [](H h, Use) { return IsOther(h, {"act"}); },
       "recurrence_type",
       "halts nothing",
       "set recurrence_type=act"},
      {{"gates_inputs", "gate_ffn_layer", "transform_bias_init",
        "couple_carry_transform_gates"},
       [](H h, Use) {
         return IsOther(h, {"highway", "skip"});
       },
       "recurrence_type",
       "has no gates that look at them",
       "set recurrence_type=highway"},
      {{"dwa_elements", "depth_embedding"},
       [](H h, Use) { return IsOther(h, {"dwa"}); },
       "recurrence_type",
       "does not weigh steps",
       "set recurrence_type=dwa"},
      {{"lstm_forget_bias", "use_memory_as_final_state"},
       [](H h, Use) { return IsOther(h, {"lstm"}); },
       "recurrence_type",
       "has no memory",
       "set recurrence_type=lstm"},
      {{"add_ffn_unit_to_the_transition_function"},
       [](H h, Use) {
         return IsOther(h, {"gru", "lstm"});
       },
       "recurrence_type",
       "always has the feed-forward layer",
       ""},
      {{"num_inrecurrence_layers"},
       [](H h, Use) {
         return IsRecurrence(h, {"gru", "lstm"});
       },
       "recurrence_type",
       "has one layer a step",
       ""},
      {{"num_mixedin_layers"},
       [](H h, Use) {
         return h.Has("mix_with_transformer") &&
                h.GetString("mix_with_transformer") == "none";
       },
       "mix_with_transformer",
       "mixes no layers in",
       "set mix_with_transformer=before_ut"},
  };
}

}  // namespace t2t
