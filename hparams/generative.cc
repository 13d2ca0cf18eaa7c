// Flows and adversarial networks.

#include "hparams/families.h"
#include "t2t/hparams/rows.h"

namespace t2t {
namespace {

// Kingma and Dhariwal 2018, "Glow", arXiv:1807.03039.
constexpr HParamsRow kGlow[] = {
    {"glow_hparams",
     "basic_1",
     {{"batch_size", 32},
      {"activation", "relu"},
      {"coupling", "affine"},
      {"coupling_width", 512},
      {"depth", 32},
      {"init_batch_size", 256},
      {"level_scale", "prev_level"},
      {"n_bits_x", 8},
      {"n_levels", 3},
      {"temperature", 1.0},
      {"top_prior", "single_conv"},
      {"coupling_dropout", 0.0},
      {"weight_decay", 0.0},
      {"clip_grad_norm", 0.0},
      {"learning_rate_constant", 0.0003}}},
};

// A small GAN with a sliced discriminator.
constexpr HParamsRow kSlicedGan[] = {
    {"sliced_gan",
     "basic_1",
     {{"batch_size", 128},
      {"hidden_size", 128},
      {"kernel_height", 4},
      {"kernel_width", 4},
      {"num_sliced_vecs", 4096},
      {"discriminator_batchnorm", true},
      {"initializer", "uniform_unit_scaling"},
      {"initializer_gain", 1.0},
      {"label_smoothing", 0.0},
      {"learning_rate_schedule", "constant * linear_warmup"},
      {"learning_rate_constant", 0.0002},
      {"learning_rate_warmup_steps", 500}}},
};

// Zhu et al. 2017, arXiv:1703.10593, for text.
constexpr HParamsRow kCycleGan[] = {
    {"cycle_gan_small",
     "transformer_ae_small",
     {{"bottom", "inputs:identity_bottom,targets:identity_bottom"},
      {"top", "targets:identity_top"},
      {"cycle_loss_multiplier1", 10.0},
      {"cycle_loss_multiplier2", 10.0},
      {"vocab_size", 66},
      {"weight_decay", 3.0},
      {"learning_rate", 0.05},
      {"learning_rate_warmup_steps", 3000}}},
};

}  // namespace

void RegisterGenerativeHParams(HParamsTable* table) {
  table->Add("glow", kGlow);
  table->Add("sliced_gan", kSlicedGan);
  table->Add("cycle_gan", kCycleGan);
}

}  // namespace t2t
