// Sets of our own, which T2T does not have.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

constexpr HParamsRow kSets[] = {
    // For some 30,000 pairs of short sentences: narrow, with much dropout, for
    // some 8,000 steps.
    {"transformer_multi30k",
     "transformer_base",
     {{"max_length", 100},
      {"num_hidden_layers", 4},
      {"hidden_size", 128},
      {"filter_size", 256},
      {"num_heads", 4},
      {"layer_prepostprocess_dropout", 0.3},
      {"relu_dropout", 0.0},
      {"symbol_modality_num_shards", 1},
      {"learning_rate_schedule",
       "constant*linear_warmup*single_cycle_cos_decay"},
      {"learning_rate_constant", 0.003},
      {"learning_rate_warmup_steps", 1000}},
     "ours: 30,000 pairs of short sentences (Multi30k)"},
    // For translate_numbers_ende: learnt in two minutes on two cores, in 1,700
    // steps.
    {"transformer_numbers",
     "transformer_base",
     {{"batch_size", 2048},
      {"max_length", 64},
      {"num_hidden_layers", 2},
      {"hidden_size", 128},
      {"filter_size", 256},
      {"num_heads", 4},
      {"attention_dropout", 0.0},
      {"relu_dropout", 0.0},
      {"symbol_modality_num_shards", 1},
      {"learning_rate_schedule",
       "constant*linear_warmup*single_cycle_cos_decay"},
      {"learning_rate_constant", 0.004},
      {"learning_rate_warmup_steps", 300}},
     "ours: numbers in words, in two minutes on two cores"},
};

}  // namespace

void RegisterOwnHParams(HParamsTable* table) {
  table->Add("transformer", kSets);
}

}  // namespace t2t
