// Recurrent models: Sutskever et al. 2014, arXiv:1409.3215.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// Without attention.
constexpr HParamsRow kPlain[] = {
    {"lstm_seq2seq",
     "basic_1",
     {{"batch_size", 1024},
      {"num_hidden_layers", 2},
      {"hidden_size", 128},
      {"daisy_chain_variables", false},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"weight_decay", 0.0}},
     "two layers of width 128"},
    {"lstm_transduction",
     "basic_1",
     {{"batch_size", 10},
      {"hidden_size", 128},
      {"daisy_chain_variables", false},
      {"embedding_size", 32},
      {"memory_size", 128},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 1.0},
      {"optimizer", "RMSProp"},
      {"learning_rate", 0.01}}},
};

// With attention: Bahdanau et al. 2014, arXiv:1409.0473; Luong et al. 2015,
// arXiv:1508.04025; over areas: Li et al. 2018, arXiv:1810.10126.
// attention_masks_padding is ours: T2T's attention sees the padding after an
// input.
constexpr HParamsRow kAttention[] = {
    {"lstm_bahdanau_attention",
     "lstm_seq2seq",
     {{"num_heads", 1},
      {"attention_layer_size", 128},
      {"attention_masks_padding", false},
      {"attention_mechanism", "bahdanau"},
      {"output_attention", true}},
     "additive attention"},
    {"lstm_asr_v1",
     "lstm_bahdanau_attention",
     {{"batch_size", 36},
      {"max_length", 600000},
      {"min_length_bucket", 300000},
      {"max_input_seq_length", 600000},
      {"max_target_seq_length", 350},
      {"hidden_size", 256},
      {"learning_rate", 0.05}},
     "speech recognition"},
    {"lstm_attention",
     "lstm_bahdanau_attention",
     {},
     "additive attention: lstm_bahdanau_attention"},
    {"lstm_bahdanau_attention_multi",
     "lstm_bahdanau_attention",
     {{"num_heads", 4}}},
    {"lstm_luong_attention",
     "lstm_seq2seq",
     {{"num_heads", 1},
      {"attention_layer_size", 128},
      {"attention_masks_padding", false},
      {"attention_mechanism", "luong"},
      {"output_attention", true}},
     "multiplicative attention"},
    {"lstm_luong_attention_multi", "lstm_luong_attention", {{"num_heads", 4}}},
    {"lstm_area_attention_base",
     "lstm_luong_attention",
     {{"batch_size", 16384},
      {"hidden_size", 1024},
      {"num_heads", 4},
      {"area_key_mode", "mean"},
      {"area_value_mode", "sum"},
      {"max_area_width", 2}}},
    {"lstm_area_attention_enfr",
     "lstm_area_attention_base",
     {{"dropout", 0.1}}},
    {"lstm_area_attention_char",
     "lstm_area_attention_base",
     {{"batch_size", 20480}}},
    {"lstm_area_attention_char_enfr",
     "lstm_area_attention_char",
     {{"dropout", 0.1}}},
};

}  // namespace

void RegisterLstmHParams(HParamsTable* table) {
  table->Add("lstm", kPlain);
  table->Add("lstm_attention", kAttention);
}

}  // namespace t2t
