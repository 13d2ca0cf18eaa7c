#include <cstdint>

#include "t2t/hparams/common.h"

namespace t2t {

T2T_REGISTER_HPARAMS(lstm_seq2seq) {
  HParams h = BasicParams1();
  h.Set("daisy_chain_variables", false);
  h.Set("batch_size", 1024);
  h.Set("hidden_size", 128);
  h.Set("num_hidden_layers", 2);
  h.Set("initializer", "uniform_unit_scaling");
  h.Set("initializer_gain", 1.0);
  h.Set("weight_decay", 0.0);
  return h;
}

namespace {

HParams LstmAttentionBase(const char* mechanism) {
  HParams h = HParamsSet_lstm_seq2seq();
  h.Add("attention_layer_size", h.GetInt("hidden_size"));
  h.Add("output_attention", true);
  h.Add("num_heads", 1);
  h.Add("attention_mechanism", mechanism);
  // Ours: T2T's attention sees the padding after an input.
  h.Add("attention_masks_padding", false);
  return h;
}

}  // namespace

T2T_REGISTER_HPARAMS(lstm_bahdanau_attention) {
  return LstmAttentionBase("bahdanau");
}

T2T_REGISTER_HPARAMS(lstm_luong_attention) {
  return LstmAttentionBase("luong");
}

T2T_REGISTER_HPARAMS(lstm_attention) {
  return HParamsSet_lstm_bahdanau_attention();
}

T2T_REGISTER_HPARAMS(lstm_bahdanau_attention_multi) {
  HParams h = HParamsSet_lstm_bahdanau_attention();
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(lstm_luong_attention_multi) {
  HParams h = HParamsSet_lstm_luong_attention();
  h.Set("num_heads", 4);
  return h;
}

T2T_REGISTER_HPARAMS(lstm_asr_v1) {
  HParams h = HParamsSet_lstm_bahdanau_attention();
  constexpr int64_t kMaxInput = 600000;
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 256);
  h.Set("batch_size", 36);
  h.Set("max_input_seq_length", kMaxInput);
  h.Set("max_target_seq_length", 350);
  h.Set("max_length", kMaxInput);
  h.Set("min_length_bucket", kMaxInput / 2);
  h.Set("learning_rate", 0.05);
  return h;
}

T2T_REGISTER_HPARAMS(lstm_area_attention_base) {
  HParams h = HParamsSet_lstm_luong_attention();
  h.Set("batch_size", 16384);
  h.Set("num_hidden_layers", 2);
  h.Set("hidden_size", 1024);
  h.Set("num_heads", 4);
  h.Set("dropout", 0.2);
  h.Set("learning_rate", 0.1);
  h.Set("max_area_width", 2);
  h.Set("area_key_mode", "mean");
  h.Set("area_value_mode", "sum");
  return h;
}

T2T_REGISTER_HPARAMS(lstm_area_attention_enfr) {
  HParams h = HParamsSet_lstm_area_attention_base();
  h.Set("dropout", 0.1);
  return h;
}

T2T_REGISTER_HPARAMS(lstm_area_attention_char) {
  HParams h = HParamsSet_lstm_area_attention_base();
  h.Set("batch_size", 20480);
  return h;
}

T2T_REGISTER_HPARAMS(lstm_area_attention_char_enfr) {
  HParams h = HParamsSet_lstm_area_attention_char();
  h.Set("dropout", 0.1);
  return h;
}

}  // namespace t2t
