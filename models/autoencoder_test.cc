// T2T's autoencoders, besides their golden runs (golden_models_test.cc).

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 9;

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes,
                            const ProblemInfo& info) {
  at::manual_seed(7);
  return Models().Get(name)(MakeHParams(set, changes), info, 3);
}

ProblemInfo Images() {
  ProblemInfo info;
  info.name = "toy";
  info.features["targets"].modality = "image";
  info.features["targets"].vocab_size = 256;
  info.features["targets"].shape = {8, 8, 1};
  return info;
}

Features ImagesBatch() {
  return {
      {"targets",
       at::arange(192, at::kLong).mul(37).remainder(256).view({3, 8, 8, 1})}};
}

constexpr char kCodes[] =
    "num_hidden_layers=2,hidden_size=16,sample_height=8,sample_width=8";

// Odd sizes are filled up and cut again; codes of bits, hashed ones too; rows
// of text are images of width 1.
TEST(AutoencoderTest, WhatComesOutIsShapedAsWhatWentIn) {
  const struct {
    const char* model;
    const char* set;
    const char* changes;
    std::vector<int64_t> shape;
  } kCases[] = {
      {"autoencoder_residual_discrete",
       "autoencoder_residual_discrete",
       "bottleneck_kind=isemhash",
       {2, 7, 5, 1}},
      {"autoencoder_basic",
       "autoencoder_basic",
       "kernel_height=5",
       {2, 9, 6, 1}},
      {"autoencoder_residual", "autoencoder_residual_text", "", {2, 11}},
      {"autoencoder_autoregressive",
       "autoencoder_autoregressive",
       "autoregressive_mode=conv5,autoregressive_forget_base=True",
       {2, 4, 4, 1}},
  };
  for (const auto& [name, set, changes, shape] : kCases) {
    SCOPED_TRACE(name);
    ProblemInfo info = Images();
    FeatureInfo& targets_info = info.features["targets"];
    targets_info.shape.assign(shape.begin() + 1, shape.end());
    if (shape.size() == 2) {
      targets_info = {};
      targets_info.vocab_size = kVocab;
    }
    const auto model = Make(
        name, set, kCodes + std::string(*changes ? "," : "") + changes, info);
    const at::Tensor targets =
        at::arange(c10::multiply_integers(shape), at::kLong)
            .remainder(kVocab)
            .view(shape);
    std::vector<int64_t> expected = shape;
    expected.push_back(shape.size() == 2 ? kVocab : 256);
    EXPECT_EQ(model->Logits({{"targets", targets}}, Mode::kEval).sizes(),
              at::IntArrayRef(expected));
    EXPECT_TRUE(model->Loss({{"targets", targets}}, Mode::kTrain)
                    .Total()
                    .isfinite()
                    .item<bool>());
  }
}

// A pixel is predicted from the code and those before it: without the code,
// from those before it alone.
TEST(AutoencoderTest, ForgettingTheCodeIsCausal) {
  const auto model =
      Make("autoencoder_autoregressive", "autoencoder_autoregressive",
           kCodes + std::string(",autoregressive_mode=conv3,"
                                "autoregressive_forget_base=True"),
           Images());
  Features batch = ImagesBatch();
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->Logits(batch, Mode::kEval).flatten(1, 3);
  batch["targets"] = batch["targets"].clone();
  batch["targets"].view({3, 64}).select(1, 20).fill_(3);
  const at::Tensor difference =
      (model->Logits(batch, Mode::kEval).flatten(1, 3) - logits)
          .abs()
          .amax({0, 2});
  EXPECT_LT(difference.narrow(0, 0, 21).max().item<double>(), 1e-6);
  EXPECT_GT(difference.narrow(0, 21, 3).min().item<double>(), 1e-6);
  EXPECT_LT(difference.narrow(0, 24, 40).max().item<double>(), 1e-6);
}

TEST(AutoencoderTest, WhatIsNotHereSaysSo) {
  for (const char* const changes :
       {"gan_loss_factor=0.1", "use_vq_loss=1", "bottleneck_kind=vq",
        "autoregressive_mode=sru"}) {
    EXPECT_THROW(
        Make("autoencoder_residual_discrete", "autoencoder_residual_discrete",
             kCodes + std::string(",") + changes, Images()),
        Error)
        << changes;
  }
}

}  // namespace
}  // namespace t2t
