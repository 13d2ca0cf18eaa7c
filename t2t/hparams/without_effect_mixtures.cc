#include "t2t/hparams/without_effect_mixtures.h"

#include <string>

namespace t2t {
namespace {

using H = const HParams&;
using Use = const HParamsUse&;

}  // namespace

std::vector<WithoutEffectRow> OfMixtures() {
  return {
      {{"multiproblem_mixing_schedule", "multiproblem_schedule_threshold",
        "multiproblem_per_task_threshold", "multiproblem_schedule_max_examples",
        "multiproblem_reweight_label_loss", "multiproblem_label_weight",
        "multiproblem_target_eval_only", "multiproblem_vocab_size",
        "multiproblem_max_input_length", "multiproblem_max_target_length",
        "multiproblem_fixed_train_length"},
       [](H, Use use) { return !use.is_mixture; },
       nullptr,
       "the problem is no mixture of tasks",
       ""},
      {{"multiproblem_label_weight"},
       [](H h, Use use) {
         return use.is_mixture && h.Has("multiproblem_reweight_label_loss") &&
                !h.GetBool("multiproblem_reweight_label_loss");
       },
       "multiproblem_reweight_label_loss",
       "weighs all tokens alike",
       "set multiproblem_reweight_label_loss=True"},
      {{"multiproblem_reweight_label_loss"},
       [](H, Use use) {
         return use.is_mixture && (use.model == "shuffle_network" ||
                                   use.model == "residual_shuffle_exchange");
       },
       nullptr,
       "the model's loss is the mean over all positions, as in T2T",
       ""},
      {{"multiproblem_mixing_schedule", "multiproblem_schedule_threshold",
        "multiproblem_schedule_max_examples"},
       [](H h, Use use) {
         return use.is_mixture && h.Has("multiproblem_per_task_threshold") &&
                !h.GetString("multiproblem_per_task_threshold").empty();
       },
       "multiproblem_per_task_threshold",
       "says how often each problem is drawn",
       ""},
  };
}

}  // namespace t2t
