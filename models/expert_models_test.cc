// Kinds of attention of transformer_moe and attention_lm_moe that T2T's own
// runs in golden_models_test.cc do not have.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr char kSmall[] =
    "hidden_size=16,filter_size=24,num_heads=2,num_hidden_layers=1,"
    "attention_dropout=0,relu_dropout=0,layer_prepostprocess_dropout=0,";

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes,
                            bool has_inputs = false) {
  ProblemInfo info;
  info.name = "toy";
  info.features["targets"].vocab_size = 11;
  if (has_inputs) info.features["inputs"].vocab_size = 11;
  return Models().Get(name)(MakeHParams(set, kSmall + changes), info, 3);
}

std::unique_ptr<Model> MakeLm(const std::string& changes,
                              bool has_inputs = false) {
  return Make("attention_lm_moe", "attention_lm_moe_base",
              "attention_num_experts=3,attention_kq_size=8,"
              "attention_v_size=8,attention_exp_inputdim=8," +
                  changes,
              has_inputs);
}

at::Tensor Ids(int64_t rows, int64_t length) {
  return at::arange(rows * length, at::kLong)
      .mul(3)
      .remainder(9)
      .add(1)
      .view({rows, length});
}

// Step by step, given the symbols; and that later ones do not show.
void ExpectCausal(Model* model, const Features& features) {
  const at::NoGradGuard no_grad;
  const at::Tensor& ids_BL = features.at("targets");
  const at::Tensor logits_BLV = model->Logits(features, Mode::kEval);
  Features changed = features;
  changed["targets"] = ids_BL.clone();
  changed["targets"].slice(1, 4).fill_(10);
  const at::Tensor other_BLV = model->Logits(changed, Mode::kEval);
  EXPECT_LT(MaxDifference(other_BLV.slice(1, 0, 5), logits_BLV.slice(1, 0, 5)),
            1e-5);
  EXPECT_GT(MaxDifference(other_BLV.slice(1, 5), logits_BLV.slice(1, 5)), 1e-3);
  const auto state = model->StartDecoding(features);
  for (int64_t i = 0; i < ids_BL.size(1); ++i) {
    const at::Tensor step_BV = model->DecodeStep(
        state.get(), i == 0 ? at::Tensor() : ids_BL.select(1, i - 1));
    EXPECT_LT(MaxDifference(step_BV, logits_BLV.select(1, i)), 1e-4) << i;
  }
}

TEST(AttentionLmMoeTest, EachKindOfAttentionIsCausalAndDecodes) {
  for (const char* const changes :
       {"attention_type=multihead", "attention_local=True",
        "attention_layers=f,attention_local=True", "attention_layers=r",
        "attention_layers=r,attention_reduction_type=attention,"
        "attention_nonlinearity=silu",
        "attention_layers=e", "attention_layers=e,attention_exp_factor=2",
        "attention_layers=hre,use_sepconv=True",
        "attention_layers=mm,memory_efficient_ffn=True,"
        "layer_preprocess_sequence=n,layer_postprocess_sequence=da"}) {
    SCOPED_TRACE(changes);
    const auto model =
        MakeLm(std::string(changes) + ",attention_block_length=4");
    ExpectCausal(model.get(), {{"targets", Ids(2, 9)}});
  }
}

// Padding at a row's end is no expert's, and changes nothing.
TEST(AttentionLmMoeTest, PaddingChangesNothing) {
  const at::NoGradGuard no_grad;
  const auto model = MakeLm("attention_layers=e");
  const at::Tensor ids_BL = Ids(2, 6);
  const at::Tensor padded_BL = at::constant_pad_nd(ids_BL, {0, 3});
  EXPECT_LT(
      MaxDifference(
          model->Logits({{"targets", padded_BL}}, Mode::kEval).slice(1, 0, 6),
          model->Logits({{"targets", ids_BL}}, Mode::kEval)),
      1e-5);
}

TEST(AttentionLmMoeTest, MakesAllTargetsOutOfInputs) {
  const at::NoGradGuard no_grad;
  for (const char* const layers : {"h", "e"}) {
    const auto model =
        MakeLm(std::string("use_inputs=True,attention_layers=") + layers, true);
    const at::Tensor inputs_BL = Ids(2, 6);
    const auto logits = [&](const at::Tensor& given, const at::Tensor& gold) {
      return model->Logits({{"inputs", given}, {"targets", gold}}, Mode::kEval);
    };
    const at::Tensor y = logits(inputs_BL, inputs_BL.flip(1));
    EXPECT_TRUE(at::equal(logits(inputs_BL, inputs_BL), y));
    at::Tensor changed = inputs_BL.clone();
    changed.select(1, 5).fill_(10);
    // The first position sees the last one.
    EXPECT_GT(
        MaxDifference(logits(changed, inputs_BL).select(1, 0), y.select(1, 0)),
        1e-5);
  }
}

TEST(AttentionLmMoeTest, RefusesWhatItCannotBe) {
  EXPECT_THROW(MakeLm("attention_layers=x"), Error);
  EXPECT_THROW(MakeLm("attention_layers=s"), Error);
  EXPECT_THROW(MakeLm("attention_type=other"), Error);
  EXPECT_THROW(MakeLm("use_inputs=True"), Error);
  EXPECT_THROW(MakeLm("", /*has_inputs=*/true), Error);
  // Its norm would be there twice.
  EXPECT_THROW(MakeLm("attention_layers=m,layer_preprocess_sequence=none"),
               Error);
}

TEST(TransformerMoeTest, EachKindOfLayerIsCausalAndDecodes) {
  for (const char* const types : {"a-moe/loc-sep#a-moe", "red-fc#redm-sepm",
                                  "mem#locm-mem-fc", "a#a-a-moe/locm"}) {
    SCOPED_TRACE(types);
    const auto model =
        Make("transformer_moe", "transformer_moe_base",
             std::string("moe_num_experts=3,attention_loc_block_length=4,"
                         "attention_loc_block_width=4,layer_types=") +
                 types,
             /*has_inputs=*/true);
    ExpectCausal(model.get(), {{"inputs", Ids(2, 7)}, {"targets", Ids(2, 9)}});
  }
  const auto decoder =
      Make("transformer_moe", "transformer_moe_base", "layer_types=#a/redm");
  ExpectCausal(decoder.get(), {{"targets", Ids(2, 9)}});
}

TEST(TransformerMoeTest, BothSidesAreAlikeWithoutAnEncoderOfItsOwn) {
  const auto model = Make("transformer_moe", "transformer_moe_base",
                          "layer_types=a/a-moe,moe_num_experts=3", true);
  for (const char* const name :
       {"transformer_moe/encoder/layer_0/att_a/multihead_attention/q/kernel",
        "transformer_moe/encoder/layer_1/ff_moe/local_moe/experts/w_0",
        "transformer_moe/decoder/layer_1/att_ende_a/multihead_attention/q/"
        "kernel",
        "transformer_moe/decoder/layer_1/ff_moe/local_moe/experts/w_0"}) {
    EXPECT_TRUE(model->params().Has(name)) << name;
  }
}

TEST(TransformerMoeTest, RefusesWhatItCannotBe) {
  const auto make = [](const std::string& types, bool has_inputs) {
    return Make("transformer_moe", "transformer_moe_base",
                "layer_types=" + types, has_inputs);
  };
  EXPECT_THROW(make("a-b-c-d", true), Error);
  EXPECT_THROW(make("a#a#a", true), Error);
  EXPECT_THROW(make("x", true), Error);
  EXPECT_THROW(make("locm,attention_loc_block_length=0", true), Error);
  EXPECT_THROW(make("a-x", true), Error);
  EXPECT_THROW(make("a#a-red-fc", true), Error);
  // A decoder alone, which does not see the inputs.
  EXPECT_THROW(make("#a", true), Error);
}

}  // namespace
}  // namespace t2t
