#include "t2t/hparams/common.h"

namespace t2t {

T2T_REGISTER_HPARAMS(basic_fc_small) {
  HParams h = BasicParams1();
  h.Set("learning_rate", 0.1);
  h.Set("batch_size", 128);
  h.Set("hidden_size", 256);
  h.Set("num_hidden_layers", 2);
  h.Set("initializer", "uniform_unit_scaling");
  h.Set("initializer_gain", 1.0);
  h.Set("weight_decay", 0.0);
  h.Set("dropout", 0.0);
  return h;
}

}  // namespace t2t
