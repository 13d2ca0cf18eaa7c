// What every set starts from, and the sets of the fully connected model.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// All keys that models share, with the key table's values
// (T2T's basic_params1).
constexpr HParamsRow kCommon[] = {
    {"basic_1", kInitialValues, {}, "what every set starts from"},
};

constexpr HParamsRow kBasic[] = {
    {"basic_fc_small",
     "basic_1",
     {{"batch_size", 128},
      {"num_hidden_layers", 2},
      {"hidden_size", 256},
      {"dropout", 0.0},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"weight_decay", 0.0}},
     "two layers, for MNIST"},
};

// What a tuner may try.
constexpr HParamsRangeRow kRanges[] = {
    {"basic1",
     {{"initializer", OneOf("uniform,orthogonal,uniform_unit_scaling")},
      {"learning_rate_decay_scheme", OneOf("none,sqrt,noam,exp")},
      {"optimizer", OneOf("adam,adagrad,momentum,rms_prop,sgd,yellow_fin")},
      {"batch_size", Points("1024,2048,4096")},
      {"num_hidden_layers", Points("1,2,3,4,5,6")},
      {"hidden_size", Points("32,64,128,256,512", kLog)},
      {"kernel_height", Points("1,3,5,7")},
      {"kernel_width", Points("1,3,5,7")},
      {"compress_steps", Points("0,1,2")},
      {"dropout", Between(0.0, 0.5)},
      {"weight_decay", Between(0.0001, 10.0, kLog)},
      {"label_smoothing", Between(0.0, 0.2)},
      {"clip_grad_norm", Between(0.01, 50.0, kLog)},
      {"learning_rate", Between(0.005, 2.0, kLog)},
      {"initializer_gain", Between(0.5, 3.5)},
      {"optimizer_adam_epsilon", Between(1e-7, 0.01, kLog)},
      {"optimizer_adam_beta1", Between(0.8, 0.9)},
      {"optimizer_adam_beta2", Between(0.995, 0.999)}}},
    {"basic_moe_range", {{"moe_loss_coef", Between(0.01, 0.02)}}},
};

}  // namespace

void RegisterBasicHParams(HParamsTable* table) {
  table->Add("common", kCommon);
  table->Add("basic", kBasic);
  table->AddRanges(kRanges);
}

}  // namespace t2t
