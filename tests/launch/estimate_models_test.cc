// The estimates of launch/app/estimate.h, which has no LibTorch, against the
// models themselves.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "hparams/all_hparams.h"
#include "launch/app/estimate.h"
#include "t2t/base/error.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

ProblemInfo Info(int64_t inputs, int64_t targets) {
  ProblemInfo info;
  info.name = "test";
  if (inputs > 0) info.features["inputs"].vocab_size = inputs;
  info.features["targets"].vocab_size = targets;
  return info;
}

// True where there is an estimate, which must be right then.
bool Compare(const HParams& hparams, int64_t inputs, int64_t targets,
             const std::string& what) {
  int64_t estimated = 0;
  try {
    estimated = TransformerCost(hparams, {inputs, targets}).parameters;
  } catch (const Error&) {
    return false;
  }
  const std::unique_ptr<Model> model =
      Models().Get("transformer")(hparams, Info(inputs, targets), 1);
  EXPECT_EQ(estimated, model->params().NumParameters())
      << what << " " << inputs << " " << targets;
  return true;
}

// Every set of the Transformer's, made small.
TEST(EstimateModelsTest, ParametersOfEverySet) {
  int compared = 0;
  std::vector<std::string> sets = SetsHere("transformer");
  for (const std::string& set : SetsHere("transformer_memory")) {
    sets.push_back(set);
  }
  for (const std::string& set : sets) {
    HParams hparams = MakeHParams(set, "");
    const int64_t heads = hparams.GetInt("num_heads");
    hparams.Set("hidden_size", 4 * heads);
    hparams.Set("filter_size", 24);
    for (const char* const name :
         {"attention_key_channels", "attention_value_channels"}) {
      if (hparams.GetInt(name) > 0) hparams.Set(name, 2 * heads);
    }
    compared += Compare(hparams, 11, 11, set);
    compared += Compare(hparams, 11, 13, set);
    compared += Compare(hparams, 0, 13, set);
  }
  EXPECT_GT(compared, 200);
}

TEST(EstimateModelsTest, ParametersOfOtherChanges) {
  for (const char* const changes :
       {"shared_embedding_and_softmax_weights=False",
        "shared_embedding_and_softmax_weights=False,shared_embedding=True",
        "vocab_divisor=128", "pos=emb,max_length=33",
        "use_target_space_embedding=False",
        "layer_preprocess_sequence=none,layer_postprocess_sequence=dan",
        "layer_preprocess_sequence=n,layer_postprocess_sequence=dz",
        "norm_type=noam", "norm_type=l2", "ffn_layer=none",
        "ffn_layer=conv_hidden_relu", "attention_variables_3d=True",
        "num_encoder_layers=1,num_decoder_layers=3",
        "attention_key_channels=64,attention_value_channels=32",
        "self_attention_type=dot_product_relative,max_relative_position=5"}) {
    const HParams hparams = MakeHParams("transformer_tiny", changes);
    EXPECT_TRUE(Compare(hparams, 50, 50, changes)) << changes;
    EXPECT_TRUE(Compare(hparams, 50, 60, changes)) << changes;
    EXPECT_TRUE(Compare(hparams, 0, 60, changes)) << changes;
  }
}

}  // namespace
}  // namespace t2t
