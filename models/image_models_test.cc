// Transformers of images: what T2T's own runs in golden_models_test.cc do not
// show.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>

#include "hparams/catalogue.h"
#include "models/toy_training.h"
#include "t2t/base/error.h"
#include "t2t/decode/search.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"
#include "t2t/nn/grid_attention.h"

namespace t2t {
namespace {

// Images of 4 x 4 pixels; blocks of 2 rows and 2 pixels.
constexpr char kSmall[] =
    "hidden_size=16,filter_size=24,num_heads=2,num_hidden_layers=2,"
    "num_decoder_layers=2,attention_dropout=0,relu_dropout=0,"
    "layer_prepostprocess_dropout=0,img_len=4,block_length=8";
constexpr char kGrid[] = "query_shape=[2,6],memory_flange=[1,3]";

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& changes) {
  ProblemInfo info;
  info.name = "toy";
  const bool to_image = name.find("img2img") == 0;
  FeatureInfo& inputs = info.features["inputs"];
  FeatureInfo& targets = info.features["targets"];
  inputs.vocab_size = to_image ? 256 : 5;
  if (to_image) inputs.shape = {2, 2, 3};
  targets.vocab_size = 256;
  targets.shape = {4, 4, 3};
  for (auto& [feature, its] : info.features) {
    if (to_image) its.modality = "identity";
  }
  HParams hparams = MakeHParams(set, kSmall);
  if (hparams.Has("query_shape")) hparams.Parse(kGrid);
  hparams.Parse(changes);
  return Models().Get(name)(hparams, info, 3);
}

at::Tensor Image(int64_t size) {
  return at::arange(size * size * 3, at::kLong)
      .mul(37)
      .remainder(256)
      .view({1, size, size, 3});
}

Features BatchFor(const std::string& name) {
  if (name.find("img2img") == 0) {
    return {{"inputs", Image(2)}, {"targets", Image(4)}};
  }
  return {{"inputs", at::full({1, 1}, 3, at::kLong)}, {"targets", Image(4)}};
}

// Given the numbers so far, the next one's logits are those of the image.
void ExpectDecodes(Model* model, const Features& batch,
                   const at::Tensor& order) {
  const at::NoGradGuard no_grad;
  const at::Tensor numbers =
      batch.at("targets").flatten().index_select(0, order);
  const at::Tensor logits =
      model->Logits(batch, Mode::kEval).view({-1, 256}).index_select(0, order);
  Features given = batch;
  given.erase("targets");
  const auto state = model->StartDecoding(given);
  for (int64_t i = 0; i < numbers.size(0); ++i) {
    const at::Tensor step = model->DecodeStep(
        state.get(), i == 0 ? at::Tensor() : numbers.slice(0, i - 1, i));
    ASSERT_LT(MaxDifference(step[0], logits[i]), 1e-4) << i;
  }
}

TEST(ImageModelsTest, DecodeNumberByNumberWhatTheyMakeOfAnImage) {
  const at::Tensor rows = at::arange(48, at::kLong);
  const at::Tensor blocks = nn::BlockOrder(4, 12, {2, 6});
  const struct {
    const char* name;
    const char* set;
    std::string changes;
    const at::Tensor* order;
  } kCases[] = {
      {"imagetransformer2d", "imagetransformer2d_base", "", &blocks},
      {"imagetransformer_moe", "imagetransformer_moe_tiny",
       "unconditional=False,moe_num_experts=3,moe_hidden_sizes=24", &rows},
      {"img2img_transformer", "img2img_transformer2d_base", "", &blocks},
      {"img2img_transformer", "img2img_transformer_base",
       "enc_attention_type=local_1d,block_width=8", &rows},
      {"img2img_transformer", "img2img_transformer2d_base",
       "enc_attention_type=local_2d", &blocks},
      {"img2img_transformer_block_parallel", "img2img_transformer_b3_bs4", "",
       &rows},
      {"imagetransformer", "imagetransformer_sep_channels_8l_multipos3", "",
       &rows},
      {"imagetransformer",
       "imagetransformer_base_8l_8h_big_cond_dr03_dan_dilated_b",
       "block_length=4,block_width=3,gap_sizes=[0,2]", &rows},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " " + c.changes);
    const auto model = Make(c.name, c.set, c.changes);
    ExpectDecodes(model.get(), BatchFor(c.name), *c.order);
  }
}

TEST(ImageModelsTest, ExpertsAreInTheLayersThatAreNamed) {
  const auto model = Make("imagetransformer_moe", "imagetransformer_moe_tiny",
                          "moe_num_experts=3,moe_hidden_sizes=24");
  const auto has = [&](const std::string& name) {
    return model->params().Has("imagetransformer_moe/body/" + name);
  };
  EXPECT_TRUE(has("decoder_layer_1/ffn/local_moe/experts/w_0"));
  EXPECT_FALSE(has("decoder_layer_0/ffn/local_moe/experts/w_0"));
  EXPECT_TRUE(has("decoder_layer_0/ffn/conv1/kernel"));
  EXPECT_EQ(model->Loss(BatchFor("imagetransformer_moe"), Mode::kTrain)
                .extra.count("extra"),
            1U);
}

// Experts of a fixed room, one of T2T's sets for TPUs.
TEST(ImageModelsTest, FeedForwardLayersCanBeExpertsWithRoom) {
  const auto model =
      Make("imagetransformer", "imagetransformer_b10l_dr03_moe_tpu",
           "unconditional=False,moe_num_experts=3");
  EXPECT_EQ(model->params()
                .Get("imagetransformer/body/decoder_layer_0/ffn/x0/w")
                .sizes(),
            (at::IntArrayRef{3, 16, 12}));
  const LossParts loss =
      model->Loss(BatchFor("imagetransformer"), Mode::kTrain);
  EXPECT_EQ(loss.extra.count("extra"), 1U);
  EXPECT_TRUE(loss.Total().isfinite().item<bool>());
}

// Each batch trains one head, to find what is so far ahead; evaluation asks the
// first.
TEST(ImageModelsTest, BlockParallelTrainsOneHeadAtATime) {
  const at::NoGradGuard no_grad;
  const auto model = Make("img2img_transformer_block_parallel",
                          "img2img_transformer_b3_bs3", "");
  const Features batch = BatchFor("img2img_transformer_block_parallel");
  at::manual_seed(5);
  std::set<double> losses;
  for (int i = 0; i < 40; ++i) {
    losses.insert(model->Loss(batch, Mode::kTrain).Total().item<double>());
  }
  EXPECT_EQ(losses.size(), 3U);
  const at::Tensor logits = model->Logits(batch, Mode::kEval).view({-1, 256});
  const double first =
      at::nll_loss(at::log_softmax(logits, -1), batch.at("targets").flatten())
          .item<double>();
  const double evaluation =
      model->Loss(batch, Mode::kEval).Total().item<double>();
  EXPECT_NEAR(evaluation, first, 1e-4);
  EXPECT_TRUE(std::any_of(losses.begin(), losses.end(), [&](double loss) {
    return std::abs(loss - first) < 1e-4;
  }));
}

// Blocks find what decoding number by number finds, in fewer steps where the
// heads have learnt something.
TEST(ImageModelsTest, BlocksAreWhatNumbersOneByOneAre) {
  const auto model = Make("img2img_transformer_block_parallel",
                          "img2img_transformer_b3_bs4", "");
  const at::Tensor small = at::cat({Image(2), Image(2).flip(1)});
  const at::Tensor large = at::full({2, 4, 4, 3}, 90, at::kLong);
  const auto decode = [&](int64_t block_size, SearchCount* count) {
    SearchRow row;
    row.decode_length = 30;
    SearchOptions options;
    options.beam_size = 1;
    options.block_size = block_size;
    options.force_decode_length = true;
    options.count = count;
    const at::NoGradGuard no_grad;
    return Search(model.get(), {{"inputs", small}}, {row, row}, options);
  };
  for (const int64_t steps : {0, 80}) {
    at::manual_seed(3);
    TrainToy(model.get(), steps, 0.01, [&](int64_t) {
      return Features{{"inputs", small}, {"targets", large}};
    });
    SearchCount one_by_one, blocks;
    const auto expected = decode(1, &one_by_one);
    const auto found = decode(0, &blocks);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(found[i].at(0).ids, expected[i].at(0).ids) << steps;
    }
    EXPECT_EQ(one_by_one.row_steps, 60);
    EXPECT_TRUE(blocks.in_blocks);
    if (steps > 0) {
      EXPECT_LT(blocks.row_steps, 30);
    }
  }
}

TEST(ImageModelsTest, RefuseWhatTheyCannotDo) {
  const auto make = [](const char* changes) {
    return Make("imagetransformer2d", "imagetransformer2d_base", changes);
  };
  EXPECT_THROW(make("dec_attention_type=global"), Error);
  EXPECT_THROW(make("query_shape=[2]"), Error);
  EXPECT_THROW(make("img_len=0"), Error);
  EXPECT_THROW(make("dec_attention_type=local_1d,block_raster_scan=False,"
                    "block_length=0"),
               Error);
  EXPECT_THROW(Make("imagetransformer",
                    "imagetransformer_base_8l_8h_big_cond_dr03_dan_dilated",
                    "gap_sizes=[1]"),
               Error);
  EXPECT_THROW(make("query_shape=[0,6]"), Error);
  EXPECT_THROW(make("dec_attention_type=local_1d,block_raster_scan=True"),
               Error);
  EXPECT_THROW(make("num_channels=1")
                   ->Logits(BatchFor("imagetransformer2d"), Mode::kEval),
               Error);
  EXPECT_THROW(Make("img2img_transformer_block_parallel",
                    "img2img_transformer2d_base", "block_size=2"),
               Error);
  EXPECT_THROW(Make("imagetransformer_moe", "imagetransformer_moe_tiny",
                    "moe_layers_decoder=x"),
               Error);
  // Decoding alone: rows are not the order of blocks, and blocks fill a row.
  const at::NoGradGuard no_grad;
  for (const char* const changes :
       {"block_raster_scan=False", "query_shape=[2,5]"}) {
    const auto model = make(changes);
    const Features batch = BatchFor("imagetransformer2d");
    model->Logits(batch, Mode::kEval);
    const auto state = model->StartDecoding({{"inputs", batch.at("inputs")}});
    EXPECT_THROW(model->DecodeStep(state.get(), {}), Error) << changes;
  }
}

}  // namespace
}  // namespace t2t
