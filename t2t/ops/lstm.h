#ifndef T2T_OPS_LSTM_H_
#define T2T_OPS_LSTM_H_

#include <ATen/ATen.h>

namespace t2t {

struct LstmResult {
  at::Tensor outputs;  // [time, batch, hidden], zero from a row's length on
  at::Tensor h;        // [batch, hidden], at a row's length
  at::Tensor c;
};

// One layer of TensorFlow's LSTMCell over a sequence, as dynamic_rnn runs it:
// gates [time, batch, 4 hidden] hold the input's part and the bias, in the
// order input, new, forget, output; 1 is added to forget's. kernel [hidden,
// 4 hidden] is the part for h. From its length on (lengths: int64 [batch] on
// the CPU, may be undefined) a row's state stays and its output is 0.
LstmResult Lstm(const at::Tensor& gates, const at::Tensor& kernel,
                const at::Tensor& h, const at::Tensor& c,
                const at::Tensor& lengths);

}  // namespace t2t

#endif  // T2T_OPS_LSTM_H_
