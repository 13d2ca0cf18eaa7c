#include "usr_dir.h"

#include "t2t/problem/user_plugin.h"

namespace usr_dir {
namespace {

// Trained in seconds.
t2t::HParams PositionMlpTiny() {
  t2t::HParams hparams = t2t::MakeHParams("transformer_tiny", "");
  hparams.Set("hidden_size", 32);
  hparams.Set("batch_size", 512);
  hparams.Set("learning_rate_schedule", "constant");
  hparams.Set("learning_rate_constant", 0.01);
  return hparams;
}

}  // namespace
}  // namespace usr_dir

T2T_USER_PLUGIN(registries) {
  usr_dir::RegisterProblem(registries.problems);
  usr_dir::RegisterModel(registries);
  registries.hparams_sets.Add("position_mlp_tiny", usr_dir::PositionMlpTiny,
                              "for position_mlp");
}
