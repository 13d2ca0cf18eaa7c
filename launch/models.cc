#include "launch/models.h"

namespace t2t {

const std::vector<std::string>& ModelNames() {
  static const auto* const names = new std::vector<std::string>{
      "basic_fc_relu",
      "lstm_encoder",
      "lstm_seq2seq",
      "lstm_seq2seq_attention",
      "lstm_seq2seq_attention_bidirectional_encoder",
      "lstm_seq2seq_bidirectional_encoder",
      "transformer",
      "transformer_encoder",
      "transformer_memory",
      "transformer_scorer",
  };
  return *names;
}

}  // namespace t2t
