// The Evolved Transformer: So, Liang and Le 2019, arXiv:1901.11117, and the
// search space it was found in.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// Sizes as those of the Transformer.
constexpr HParamsRow kEvolved[] = {
    {"evolved_transformer_base",
     "transformer_base",
     {{"num_encoder_layers", 3},
      {"num_decoder_layers", 4},
      {"learning_rate_schedule",
       "constant*linear_warmup*single_cycle_cos_decay*rsqrt_hidden_size"},
      {"learning_rate_constant", 0.022360679774997897}},
     "as wide as transformer_base"},
    {"evolved_transformer_big",
     "transformer_big",
     {{"num_encoder_layers", 3},
      {"num_decoder_layers", 4},
      {"learning_rate_schedule",
       "constant*linear_warmup*single_cycle_cos_decay*rsqrt_hidden_size"},
      {"learning_rate_constant", 0.022360679774997897}},
     "as wide as transformer_big"},
    {"evolved_transformer_deep",
     "evolved_transformer_big",
     {{"num_encoder_layers", 9},
      {"num_decoder_layers", 10},
      {"hidden_size", 640}}},
    {"evolved_transformer_big_tpu",
     "transformer_big_tpu",
     {{"num_encoder_layers", 3},
      {"num_decoder_layers", 4},
      {"learning_rate_schedule", "constant*single_cycle_cos_decay"},
      {"learning_rate_constant", 0.01}}},
    {"evolved_transformer_tpu_basic",
     "transformer_big_tpu",
     {{"batch_size", 8192},
      {"max_length", 256},
      {"num_trainable_top_decoder_layers", -1},
      {"print_vars", false}}},
    {"evolved_transformer_tiny",
     "transformer_tiny",
     {{"num_encoder_layers", 3},
      {"num_decoder_layers", 4},
      {"learning_rate_schedule", "constant*single_cycle_cos_decay"},
      {"learning_rate_constant", 0.022360679774997897}}},
    {"evolved_transformer_base_tpu",
     "transformer_tpu",
     {{"num_encoder_layers", 3},
      {"num_decoder_layers", 4},
      {"learning_rate_schedule", "constant*single_cycle_cos_decay"},
      {"learning_rate_constant", 0.01}}},
};

// The Transformer, written as cells of the search space.
constexpr HParamsRow kSearch[] = {
    {"nas_seq2seq_base",
     "transformer_base",
     {{"encoder_combiner_functions", Repeat(4, "add")},
      {"encoder_final_combiner_function", "add"},
      {"encoder_left_activations", Strings("none,relu,none,none")},
      {"encoder_left_inputs", Ints("0,1,2,3")},
      {"encoder_left_layers",
       Strings(
           "standard_attention,standard_conv_1x1,standard_conv_1x1,identity")},
      {"encoder_left_norms", Strings("layer_norm,layer_norm,none,none")},
      {"encoder_left_output_dims", Ints("512,2048,512,512")},
      {"encoder_num_cells", 6},
      {"encoder_right_activations", Repeat(4, "none")},
      {"encoder_right_inputs", Ints("0,1,1,1")},
      {"encoder_right_layers", Repeat(2, "identity,dead_branch")},
      {"encoder_right_norms", Repeat(4, "none")},
      {"encoder_right_output_dims", Ints("512,512,512,512")},
      {"decoder_combiner_functions", Repeat(5, "add")},
      {"decoder_final_combiner_function", "add"},
      {"decoder_left_activations", Strings("none,none,relu,none,none")},
      {"decoder_left_inputs", Ints("0,1,2,3,4")},
      {"decoder_left_layers",
       Strings("standard_attention,attend_to_encoder,standard_conv_1x1,"
               "standard_conv_1x1,identity")},
      {"decoder_left_norms",
       Strings("layer_norm,layer_norm,layer_norm,none,none")},
      {"decoder_left_output_dims", Ints("512,512,2048,512,512")},
      {"decoder_num_cells", 6},
      {"decoder_right_activations", Repeat(5, "none")},
      {"decoder_right_inputs", Ints("0,1,2,2,4")},
      {"decoder_right_layers",
       Strings("identity,identity,dead_branch,identity,dead_branch")},
      {"decoder_right_norms", Repeat(5, "none")},
      {"decoder_right_output_dims", Ints("512,512,512,512,512")}}},
};

}  // namespace

void RegisterEvolvedTransformerHParams(HParamsTable* table) {
  table->Add("evolved_transformer", kEvolved);
  table->Add("nas_seq2seq", kSearch);
}

}  // namespace t2t
