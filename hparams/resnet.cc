// Classifiers of images.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// He et al. 2015, arXiv:1512.03385. td_weight and td_unit drop weights or units
// of small size: Gomez et al. 2019, "Targeted Dropout", arXiv:1905.13678.
constexpr HParamsRow kResNet[] = {
    {"resnet_50",
     "basic_1",
     {{"batch_size", 128},
      {"layer_sizes", Ints("3,4,6,3")},
      {"filter_sizes", Ints("64,64,128,256,512")},
      {"bottleneck_ratios", Ints("4,4,4,4")},
      {"block_fn", "bottleneck"},
      {"is_cifar", false},
      {"keep_prob", 1.0},
      {"targeting_rate", 0.0},
      {"use_nchw", true},
      {"use_td", "none"},
      {"initializer", "normal_unit_scaling"},
      {"initializer_gain", 2.0},
      {"weight_decay", 0.0001},
      {"clip_grad_norm", 0.0},
      {"optimizer", "Momentum"},
      {"optimizer_momentum_nesterov", true},
      {"learning_rate_decay_scheme", "cosine"},
      {"learning_rate", 0.4},
      {"learning_rate_cosine_cycle_steps", 120000}},
     "50 layers, for ImageNet"},
    {"resnet_18",
     "resnet_50",
     {{"layer_sizes", Ints("2,2,2,2")}, {"block_fn", "residual"}}},
    {"resnet_101", "resnet_50", {{"layer_sizes", Ints("3,4,23,3")}}},
    {"resnet_152", "resnet_50", {{"layer_sizes", Ints("3,8,36,3")}}},
    {"resnet_200", "resnet_50", {{"layer_sizes", Ints("3,24,36,3")}}},
    {"resnet_34", "resnet_50", {{"block_fn", "residual"}}},
    {"resnet_imagenet_34", "resnet_34", {{"layer_sizes", Ints("2,4,8,2")}}},
    {"resnet_imagenet_34_td_unit_05_05",
     "resnet_imagenet_34",
     {{"keep_prob", 0.5}, {"targeting_rate", 0.5}, {"use_td", "unit"}}},
    {"resnet_imagenet_34_td_unit_no_drop",
     "resnet_imagenet_34",
     {{"use_td", "unit"}}},
    {"resnet_imagenet_34_td_weight_05_05",
     "resnet_imagenet_34",
     {{"keep_prob", 0.5}, {"targeting_rate", 0.5}, {"use_td", "weight"}}},
    {"resnet_imagenet_102",
     "resnet_imagenet_34",
     {{"layer_sizes", Ints("3,8,36,3")}}},
    {"resnet_cifar_15",
     "resnet_50",
     {{"layer_sizes", Ints("2,2,2")},
      {"filter_sizes", Ints("16,32,64,128")},
      {"block_fn", "residual"},
      {"is_cifar", true}}},
    {"resnet_cifar_32",
     "resnet_cifar_15",
     {{"layer_sizes", Ints("5,5,5")}},
     "32 layers, for CIFAR-10"},
    {"resnet_cifar_32_td_unit_05_05",
     "resnet_cifar_32",
     {{"keep_prob", 0.5}, {"targeting_rate", 0.5}, {"use_td", "unit"}}},
    {"resnet_cifar_32_td_unit_no_drop",
     "resnet_cifar_32",
     {{"use_td", "unit"}}},
    {"resnet_cifar_32_td_weight_05_05",
     "resnet_cifar_32",
     {{"keep_prob", 0.5}, {"targeting_rate", 0.5}, {"use_td", "weight"}}},
};

// Gomez et al. 2017, "The Reversible Residual Network", arXiv:1707.04585.
constexpr HParamsRow kRevNet[] = {
    {"revnet_38_cifar",
     "basic_1",
     {{"batch_size", 128},
      {"num_channels", Ints("16,32,56")},
      {"num_channels_init_block", 32},
      {"num_layers_per_block", Ints("2,2,2")},
      {"bottleneck", false},
      {"dim", "2d"},
      {"first_batch_norm", Ints("0,1,1")},
      {"init_kernel_size", 3},
      {"init_maxpool", false},
      {"init_stride", 1},
      {"strides", Ints("1,2,2")},
      {"initializer", "normal_unit_scaling"},
      {"weight_decay", 0.0001},
      {"clip_grad_norm", 0.0},
      {"optimizer", "Momentum"},
      {"optimizer_momentum_nesterov", true},
      {"learning_rate_decay_scheme", "cosine"},
      {"learning_rate_cosine_cycle_steps", 5000}}},
    {"revnet_104",
     "revnet_38_cifar",
     {{"num_channels", Ints("64,128,256,416")},
      {"num_channels_init_block", 64},
      {"num_layers_per_block", Ints("1,1,10,1")},
      {"bottleneck", true},
      {"first_batch_norm", Ints("0,1,1,1")},
      {"init_kernel_size", 7},
      {"init_maxpool", true},
      {"init_stride", 2},
      {"strides", Ints("1,2,2,2")},
      {"initializer_gain", 2.0},
      {"learning_rate", 0.4},
      {"learning_rate_cosine_cycle_steps", 120000}}},
    {"revnet_110_cifar",
     "revnet_38_cifar",
     {{"num_channels", Ints("16,32,64")},
      {"num_layers_per_block", Ints("8,8,8")},
      {"initializer_gain", 2.0}}},
    {"revnet_164_cifar", "revnet_110_cifar", {{"bottleneck", true}}},
};

// Gastaldi 2017, "Shake-Shake regularization", arXiv:1705.07485.
constexpr HParamsRow kShakeShake[] = {
    {"shakeshake_small",
     "basic_1",
     {{"batch_size", 128},
      {"num_hidden_layers", 26},
      {"hidden_size", 32},
      {"shake_shake_concat", 0},
      {"shake_shake_num_branches", 2},
      {"dropout", 0.0},
      {"layer_prepostprocess_dropout", 0.0},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"label_smoothing", 0.0},
      {"weight_decay", 0.0001},
      {"clip_grad_norm", 0.0},
      {"optimizer", "Momentum"},
      {"learning_rate_decay_scheme", "cosine"},
      {"learning_rate", 0.2},
      {"learning_rate_cosine_cycle_steps", 700000}}},
    {"shake_shake_quick",
     "shakeshake_small",
     {{"batch_size", 100},
      {"optimizer", "adam"},
      {"learning_rate", 0.5},
      {"learning_rate_cosine_cycle_steps", 1000}}},
    {"shakeshake_big",
     "shakeshake_small",
     {{"hidden_size", 96}},
     "the width with which CIFAR-10 is learnt best"},
    {"shakeshake_tpu",
     "shakeshake_big",
     {{"learning_rate", 0.6}, {"learning_rate_cosine_cycle_steps", 180000}}},
};

// Chollet 2016, "Xception", arXiv:1610.02357.
constexpr HParamsRow kXception[] = {
    {"xception_base",
     "basic_1",
     {{"batch_size", 128},
      {"num_hidden_layers", 8},
      {"hidden_size", 768},
      {"kernel_width", 3},
      {"symbol_dropout", 0.2},
      {"initializer_gain", 1.0},
      {"weight_decay", 3.0},
      {"learning_rate_decay_scheme", "exp"},
      {"learning_rate", 0.05},
      {"learning_rate_warmup_steps", 3000}}},
    {"xception_tiny",
     "xception_base",
     {{"batch_size", 2},
      {"num_hidden_layers", 2},
      {"hidden_size", 64},
      {"learning_rate_decay_scheme", "none"}}},
    {"xception_tiny_tpu",
     "xception_base",
     {{"batch_size", 2},
      {"num_hidden_layers", 2},
      {"hidden_size", 128},
      {"optimizer", "true_adam"}}},
};

// Hinton et al. 2015, arXiv:1503.02531: a large model teaches a small one.
constexpr HParamsRow kDistillation[] = {
    {"distill_resnet_32_to_15_cifar20x5",
     "basic_1",
     {{"batch_size", 128},
      {"num_classes", 20},
      {"distill_phase", "none"},
      {"distill_temperature", 2.0},
      {"student_hparams", "resnet_cifar_15"},
      {"student_learning_rate", 0.8},
      {"student_model", "resnet"},
      {"task_balance", 0.28},
      {"teacher_hparams", "resnet_cifar_32"},
      {"teacher_learning_rate", 1.0},
      {"teacher_model", "resnet"},
      {"initializer", "normal_unit_scaling"},
      {"initializer_gain", 2.0},
      {"weight_decay", 0.0001},
      {"clip_grad_norm", 0.0},
      {"optimizer", "Momentum"},
      {"optimizer_momentum_nesterov", true},
      {"learning_rate_decay_scheme", "piecewise"},
      {"learning_rate", 0.4},
      {"learning_rate_boundaries", Ints("40000,60000,80000")},
      {"learning_rate_cosine_cycle_steps", 120000},
      {"learning_rate_multiples", Numbers("0.1,0.01,0.001")}}},
};

// What a tuner may try.
constexpr HParamsRangeRow kRanges[] = {
    {"revnet_range",
     {{"num_channels_init_block", Points("64,128")},
      {"learning_rate", Between(0.05, 0.2, kLog)},
      {"weight_decay", Between(1e-5, 0.001, kLog)}}},
};

}  // namespace

void RegisterResNetHParams(HParamsTable* table) {
  table->Add("resnet", kResNet);
  table->Add("revnet", kRevNet);
  table->Add("shake_shake", kShakeShake);
  table->Add("xception", kXception);
  table->Add("distillation", kDistillation);
  table->AddRanges(kRanges);
}

}  // namespace t2t
