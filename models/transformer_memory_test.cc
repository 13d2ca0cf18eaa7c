#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/nn/golden_weights.h"

namespace t2t {
namespace {

constexpr char kSet[] = "transformer_wikitext103_l4k_memory_v0";
constexpr int64_t kVocab = 11;

std::unique_ptr<Model> Make(const std::string& overrides,
                            bool has_inputs = false) {
  ProblemInfo info;
  info.name = "golden";
  info.features["targets"].vocab_size = kVocab;
  if (has_inputs) info.features["inputs"].vocab_size = kVocab;
  auto model =
      Models().Get("transformer_memory")(MakeHParams(kSet, overrides), info, 1);
  FillGoldenWeights(&model->params());
  return model;
}

double Distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

struct Golden {
  explicit Golden(const std::string& path) {
    std::map<std::string, std::string> metadata;
    tensors = ReadSafetensors(path, &metadata);
    hparams = metadata.at("hparams");
  }

  Features At(int step) const {
    Features features;
    for (const std::string name : {"targets", "chunk_number"}) {
      features[name] =
          tensors.at(std::to_string(step) + "/" + name).to(at::kLong);
    }
    return features;
  }

  std::map<std::string, at::Tensor> tensors;
  std::string hparams;
};

constexpr int kSteps = 5;

class TransformerMemoryTest : public testing::TestWithParam<std::string> {};

// Three chunks of a batch, then two of a smaller one.
TEST_P(TransformerMemoryTest, LossAndGradientsAreT2Ts) {
  const Golden golden(GetParam());
  const std::unique_ptr<Model> model = Make(golden.hparams);
  int compared = 0;
  for (int step = 0; step < kSteps; ++step) {
    const std::string prefix = std::to_string(step) + "/";
    const at::Tensor loss = model->Loss(golden.At(step), Mode::kTrain).Total();
    EXPECT_NEAR(loss.item<double>(),
                golden.tensors.at(prefix + "loss").item<double>(), 1e-5)
        << step;
    const std::vector<at::Tensor> gradients = torch::autograd::grad(
        {loss}, model->params().Trainable(), {}, std::nullopt, false,
        /*allow_unused=*/true);
    if (golden.tensors.count(prefix + "gradient/transformer_memory/" +
                             "symbol_modality_11_8/softmax/weights") == 0) {
      continue;
    }
    size_t i = 0;
    for (const ParamStore::Entry& entry : model->params().entries()) {
      if (!entry.trainable) continue;
      const at::Tensor& gradient = gradients[i++];
      const auto expected =
          golden.tensors.find(prefix + "gradient/" + entry.name);
      ASSERT_NE(expected, golden.tensors.end()) << entry.name;
      EXPECT_LT(gradient.defined()
                    ? Distance(gradient, expected->second)
                    : expected->second.abs().max().item<double>(),
                1e-5)
          << step << " " << entry.name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 50);
}

TEST_P(TransformerMemoryTest, LogitsAreT2Ts) {
  const Golden golden(GetParam());
  const std::unique_ptr<Model> model = Make(golden.hparams);
  const at::NoGradGuard no_grad;
  for (int step = 0; step < kSteps; ++step) {
    const Features features = golden.At(step);
    const at::Tensor expected =
        golden.tensors.at(std::to_string(step) + "/logits");
    for (const Mode mode : {Mode::kTrain, Mode::kEval}) {
      EXPECT_LT(Distance(model->Logits(features, mode), expected), 1e-5)
          << step;
    }
  }
}

// Whole targets, and decoding, remember as chunks do.
TEST_P(TransformerMemoryTest, WholeTargetsAndDecodingAgree) {
  const Golden golden(GetParam());
  const std::unique_ptr<Model> model = Make(golden.hparams);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> chunks;
  std::vector<at::Tensor> logits;
  for (int step = 0; step < 3; ++step) {
    chunks.push_back(golden.At(step).at("targets"));
    logits.push_back(golden.tensors.at(std::to_string(step) + "/logits"));
  }
  const at::Tensor targets = at::cat(chunks, 1);
  const at::Tensor expected = at::cat(logits, 1);
  EXPECT_LT(
      Distance(model->Logits({{"targets", targets}}, Mode::kEval), expected),
      1e-5);
  EXPECT_LT(Distance(model->Logits({{"targets", targets.narrow(1, 0, 10)}},
                                   Mode::kEval),
                     expected.narrow(1, 0, 10)),
            1e-5);

  const auto state = model->StartDecoding({{"targets", targets}});
  at::Tensor rows = at::arange(3);
  at::Tensor ids;
  for (int64_t i = 0; i < targets.size(1); ++i) {
    // Hypotheses change places, one is dropped.
    if (i == 3 || i == 6) {
      const at::Tensor chosen = at::tensor({1, 0});
      state->Select(i == 3 ? at::tensor({2, 0, 1}) : chosen);
      rows = rows.index_select(0, i == 3 ? at::tensor({2, 0, 1}) : chosen);
      ids = targets.select(1, i - 1).index_select(0, rows);
    }
    EXPECT_LT(Distance(model->DecodeStep(state.get(), ids),
                       expected.select(1, i).index_select(0, rows)),
              1e-5)
        << i;
    ids = targets.select(1, i).index_select(0, rows);
  }
}

// What is remembered is among what checkpoints hold, evaluation leaves it.
TEST_P(TransformerMemoryTest, MemoryIsSavedWithTheModel) {
  const Golden golden(GetParam());
  const std::unique_ptr<Model> model = Make(golden.hparams);
  model->Loss(golden.At(0), Mode::kTrain);
  const std::unique_ptr<Model> resumed = Make(golden.hparams);
  {
    const at::NoGradGuard no_grad;
    for (const ParamStore::Entry& entry : model->params().entries()) {
      resumed->params().Get(entry.name).copy_(entry.tensor);
    }
    model->Loss(golden.At(3), Mode::kEval);
  }
  EXPECT_EQ(resumed->Loss(golden.At(1), Mode::kTrain).Total().item<double>(),
            model->Loss(golden.At(1), Mode::kTrain).Total().item<double>());
}

INSTANTIATE_TEST_SUITE_P(
    T2T, TransformerMemoryTest,
    testing::ValuesIn(Glob("tests/golden/model/memory_*.safetensors")),
    [](const testing::TestParamInfo<std::string>& info) {
      const std::string name = BaseName(info.param);
      return name.substr(7, name.find('.') - 7);
    });

constexpr char kSmall[] =
    "hidden_size=8,filter_size=12,num_heads=2,num_hidden_layers=1,"
    "split_targets_chunk_length=4,recurrent_memory_batch_size=2,"
    "num_memory_items=4,";

TEST(TransformerMemory, InputsCountUnlessUnconditional) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  Features features = {{"inputs", at::randint(2, kVocab, {2, 5}, at::kLong)},
                       {"targets", at::randint(2, kVocab, {2, 6}, at::kLong)}};
  Features other = features;
  other["inputs"] = features["inputs"].flip(0);
  for (const bool unconditional : {false, true}) {
    const std::unique_ptr<Model> model =
        Make(std::string(kSmall) +
                 "unconditional=" + (unconditional ? "True" : "False"),
             /*has_inputs=*/true);
    const double difference = Distance(model->Logits(features, Mode::kEval),
                                       model->Logits(other, Mode::kEval));
    EXPECT_EQ(difference == 0.0, unconditional);
  }
}

TEST(TransformerMemory, RefusesBadInput) {
  const auto code = [](const std::string& overrides, int64_t rows) {
    try {
      const std::unique_ptr<Model> model = Make(kSmall + overrides);
      model->Loss({{"targets", at::full({rows, 4}, 3, at::kLong)},
                   {"chunk_number", at::zeros({rows, 1}, at::kLong)}},
                  Mode::kTrain);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  EXPECT_EQ(code("", 2), ExitCode::kOk);
  EXPECT_EQ(code("", 3), ExitCode::kUsage);
  for (const std::string bad :
       {"memory_type=none", "split_targets_chunk_length=0",
        "self_attention_type=local_mask_right", "ffn_layer=conv_relu_conv",
        "num_area_layers=1,max_area_width=2,area_key_mode=mean,"
        "area_value_mode=sum",
        "causal_decoder_self_attention=False", "attention_variables_3d=True"}) {
    EXPECT_EQ(code(bad, 2), ExitCode::kUsage) << bad;
  }
  ProblemInfo info;
  info.features["targets"].vocab_size = kVocab;
  EXPECT_THROW(Models().Get("transformer_memory")(
                   MakeHParams("transformer_base", ""), info, 1),
               Error);
  EXPECT_THROW(Make(kSmall)->Loss(
                   {{"targets", at::full({2, 4}, 3, at::kLong)},
                    {"targets_segmentation", at::full({2, 4}, 1, at::kLong)}},
                   Mode::kTrain),
               Error);
}

}  // namespace
}  // namespace t2t
