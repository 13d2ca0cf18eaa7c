#include "hparams/describe.h"

#include <gtest/gtest.h>

#include <string>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "hparams/model_fit.h"
#include "t2t/base/error.h"

namespace t2t {
namespace {

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(DescribeTest, ASetSaysWhereItsValuesAreFrom) {
  const std::string text =
      DescribeHParams("transformer_big", LookUpHParams("transformer_big"));
  EXPECT_TRUE(Says(text, "arXiv:1706.03762")) << text;
  EXPECT_TRUE(Says(text,
                   "transformer_base < transformer_base_v3 < "
                   "transformer_base_v2 < transformer_base_v1 < basic_1"));
  EXPECT_TRUE(Says(text, "\n* hidden_size=1024 "));
  EXPECT_TRUE(Says(text, "\n  max_length=256 "));
  EXPECT_FALSE(Says(text, "not here yet"));
  EXPECT_TRUE(
      Says(DescribeHParams("glow_hparams", LookUpHParams("glow_hparams")),
           "of the model family glow, which is not here yet"));
}

TEST(DescribeTest, DifferencesOfSets) {
  const HParams base = LookUpHParams("transformer_base");
  const HParams other = LookUpHParams("transformer_supervised_attention");
  EXPECT_EQ(DescribeDifference(base, base), "");
  EXPECT_EQ(DescribeDifference(base, other),
            "expected_attention_loss_multiplier: (none) -> 1\n"
            "expected_attention_loss_type: (none) -> kl_divergence\n");
  EXPECT_EQ(DifferenceJson(other, base).ToString(),
            R"({"expected_attention_loss_multiplier": [1.0, null], )"
            R"("expected_attention_loss_type": ["kl_divergence", null]})");
}

TEST(DescribeTest, AnHParamSaysWhatItIsAndWhoChangesIt) {
  const std::string text = DescribeHParam("num_heads");
  EXPECT_TRUE(Says(text, "a whole number")) << text;
  EXPECT_TRUE(Says(text, "may be: 1 to 65536"));
  EXPECT_TRUE(
      Says(DescribeHParam("sampling_method"), "may be: argmax or random"));
  EXPECT_TRUE(Says(text, "num_heads=16 in\n"));
  EXPECT_TRUE(Says(text, "transformer_big"));
  EXPECT_FALSE(Says(text, "vqa_"));
  EXPECT_TRUE(Says(DescribeHParam("batch_size"), "4096 where a set"));
  EXPECT_THROW(DescribeHParam("num_head"), Error);
}

TEST(DescribeTest, AModelHasItsSets) {
  const std::string text = DescribeModel("lstm_seq2seq_attention");
  EXPECT_TRUE(Says(text, "lstm_area_attention_base")) << text;
  EXPECT_FALSE(Says(text, "transformer_base"));
  EXPECT_TRUE(Says(DescribeModel("glow"), "not here yet"));
  EXPECT_THROW(DescribeModel("gloww"), Error);
}

TEST(ModelFitTest, AModelOfImagesIsNotForText) {
  const auto message = [](const std::string& model,
                          const std::string& problem) -> std::string {
    try {
      CheckModelFits(model, *MakeProblem(problem));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return "";
  };
  const std::string of_text = message("resnet", "translate_numbers_ende");
  EXPECT_TRUE(Says(of_text, "needs inputs that are images")) << of_text;
  EXPECT_TRUE(Says(of_text, "'translate_numbers_ende' are text"));
  EXPECT_TRUE(Says(of_text, "as transformer, "));
  EXPECT_TRUE(Says(message("imagetransformer", "image_mnist"),
                   "needs targets that are images"));
  EXPECT_TRUE(Says(message("imagetransformer", "image_mnist"), "resnet"));
  EXPECT_EQ(message("imagetransformer", "image_cifar10_rev"), "");
  EXPECT_EQ(message("resnet", "image_cifar10"), "");
  EXPECT_EQ(message("transformer", "translate_numbers_ende"), "");
  // Anything goes with a model that is not made for images.
  EXPECT_EQ(message("transformer", "image_mnist"), "");
}

TEST(ModelFitTest, ModelsAreFoundForAProblem) {
  EXPECT_EQ(ModelsFor(*MakeProblem("sentiment_imdb")).front(),
            "transformer_encoder");
  EXPECT_EQ(ModelsFor(*MakeProblem("languagemodel_ptb10k")).front(),
            "transformer");
  EXPECT_EQ(ModelsFor(*MakeProblem("image_cifar10")).front(), "resnet");
}

}  // namespace
}  // namespace t2t
