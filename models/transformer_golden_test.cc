#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/nn/golden_weights.h"
#include "t2t/optim/learning_rate.h"
#include "t2t/optim/optimizer.h"

namespace t2t {
namespace {

struct Golden {
  std::map<std::string, at::Tensor> tensors;
  Features features;
  std::unique_ptr<Model> model;
  Mode mode = Mode::kTrain;  // that the loss was computed in
};

Golden Load(const std::string& path) {
  Golden golden;
  std::map<std::string, std::string> metadata;
  golden.tensors = ReadSafetensors(path, &metadata);
  const Json problem = Json::Parse(metadata.at("problem"));
  ProblemInfo info;
  info.name = "golden";
  if (problem.At("has_inputs").AsBool()) {
    info.features["inputs"].vocab_size = problem.At("input_vocab").AsInt();
  }
  info.features["targets"].vocab_size = problem.At("target_vocab").AsInt();
  info.target_space_id = problem.At("target_space_id").AsInt();
  const Json* mode = problem.Find("mode");
  if (mode != nullptr && mode->AsString() == "eval") golden.mode = Mode::kEval;
  golden.model = Models().Get("transformer")(
      MakeHParams("transformer_base", metadata.at("hparams")), info, 1);
  FillGoldenWeights(&golden.model->params());
  for (const auto& [name, tensor] : golden.tensors) {
    if (StartsWith(name, "inputs") || StartsWith(name, "targets")) {
      golden.features[name] = tensor.to(at::kLong);
    }
  }
  return golden;
}

double Distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class TransformerGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(TransformerGoldenTest, LogitsLossAndGradientsAreT2Ts) {
  Golden golden = Load(GetParam());
  {
    const at::NoGradGuard no_grad;
    const at::Tensor logits =
        golden.model->Logits(golden.features, Mode::kEval);
    // Padding counts for nothing.
    const at::Tensor counts =
        golden.features.at("targets").ne(0).unsqueeze(-1).to(at::kFloat);
    EXPECT_LT(Distance(logits * counts, golden.tensors.at("logits") * counts),
              1e-5);
  }
  const at::Tensor loss =
      golden.model->Loss(golden.features, golden.mode).Total();
  EXPECT_NEAR(loss.item<double>(), golden.tensors.at("loss").item<double>(),
              1e-5);
  std::vector<std::string> names;
  for (const auto& entry : golden.model->params().entries()) {
    names.push_back(entry.name);
  }
  const std::vector<at::Tensor> gradients = torch::autograd::grad(
      {loss}, golden.model->params().Trainable(), {}, std::nullopt, false,
      /*allow_unused=*/true);
  ASSERT_EQ(gradients.size(), names.size());
  size_t compared = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto expected = golden.tensors.find("gradient/" + names[i]);
    ASSERT_NE(expected, golden.tensors.end()) << "T2T has no " << names[i];
    ++compared;
    if (!gradients[i].defined()) {
      EXPECT_EQ(expected->second.abs().max().item<double>(), 0.0) << names[i];
      continue;
    }
    ASSERT_EQ(gradients[i].sizes(), expected->second.sizes()) << names[i];
    EXPECT_LT(Distance(gradients[i], expected->second), 1e-5) << names[i];
  }
  size_t theirs = 0;
  for (const auto& [name, tensor] : golden.tensors) {
    if (StartsWith(name, "gradient/")) ++theirs;
  }
  EXPECT_EQ(compared, theirs);
}

// Fed the targets one by one, the decoder says what it says when forced.
TEST_P(TransformerGoldenTest, CachedDecodingAgrees) {
  Golden golden = Load(GetParam());
  const HParams& hparams = golden.model->hparams();
  if (golden.features.count("targets_segmentation") > 0 ||
      !hparams.GetBool("causal_decoder_self_attention") ||
      hparams.GetString("prepend_mode") != "none") {
    GTEST_SKIP() << "T2T decodes this with another mask than it trains with";
  }
  const std::string& type = hparams.GetString("self_attention_type");
  if (type == "local_unmasked" || type == "unmasked_dilated_1d" ||
      hparams.GetInt("max_area_height") > 1) {
    try {
      golden.model->StartDecoding(golden.features);
      FAIL() << type << " sees what is not there yet";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
    }
    return;
  }
  const at::NoGradGuard no_grad;
  const at::Tensor targets = golden.features.at("targets");
  const at::Tensor forced = golden.model->Logits(golden.features, Mode::kEval);
  const auto state = golden.model->StartDecoding(golden.features);
  at::Tensor ids;
  for (int64_t i = 0; i < targets.size(1); ++i) {
    const at::Tensor logits = golden.model->DecodeStep(state.get(), ids);
    EXPECT_LT(Distance(logits, forced.select(1, i)), 1e-5) << "step " << i;
    ids = targets.select(1, i);
  }
}

// Six steps of T2T's optimize(), each with another batch: the losses before
// each step, and variables at the end.
class TrajectoryTest : public testing::TestWithParam<const char*> {};

TEST_P(TrajectoryTest, LossesAreT2Ts) {
  std::map<std::string, std::string> metadata;
  const auto tensors = ReadSafetensors(
      std::string("tests/golden/train/") + GetParam() + ".safetensors",
      &metadata);
  std::vector<std::string> changes;
  for (const std::string& change : Split(metadata.at("overrides"), ',')) {
    if (change.find('=') != std::string::npos) changes.push_back(change);
  }
  HParams hparams = MakeHParams(metadata.at("hparams_set"), Join(changes, ","));
  for (const std::string& name : hparams.Names()) {
    if (EndsWith(name, "dropout")) hparams.Set(name, 0.0);
  }
  ProblemInfo info;
  info.name = "golden";
  info.features["inputs"].vocab_size = 30;
  info.features["targets"].vocab_size = 30;
  info.target_space_id = 1;
  const std::unique_ptr<Model> model =
      Models().Get("transformer")(hparams, info, 1);
  std::vector<NamedTensor> parameters;
  for (const auto& entry : model->params().entries()) {
    const at::NoGradGuard no_grad;
    at::Tensor parameter = entry.tensor;
    const at::Tensor start = tensors.at("init/" + entry.name);
    parameter.copy_(start.view(parameter.sizes()));
    parameters.push_back({entry.name, parameter});
  }
  const std::unique_ptr<Optimizer> optimizer =
      MakeOptimizer(hparams, parameters);
  const Json losses = Json::Parse(metadata.at("loss"));
  const Json rates = Json::Parse(metadata.at("learning_rate"));
  for (int64_t step = 0; step < 6; ++step) {
    const auto of_step = [&](const std::string& name) {
      const at::Tensor ids = tensors.at(name)[step].to(at::kLong);
      return ids.view({ids.size(0), ids.size(1)});
    };
    const auto at_step = [&](const Json& list) {
      return list.items().at(static_cast<size_t>(step)).AsDouble();
    };
    const double rate = LearningRate(hparams, step, 250000);
    EXPECT_NEAR(rate, at_step(rates), 1e-6) << step;
    const at::Tensor loss = model
                                ->Loss({{"inputs", of_step("inputs")},
                                        {"targets", of_step("targets")}},
                                       Mode::kTrain)
                                .Total();
    EXPECT_NEAR(loss.item<double>(), at_step(losses), 2e-4) << step;
    const std::vector<at::Tensor> gradients = torch::autograd::grad(
        {loss}, model->params().Trainable(), {}, std::nullopt, false,
        /*allow_unused=*/true);
    optimizer->Step(gradients, rate, step);
  }
  for (const auto& [name, tensor] : tensors) {
    if (!StartsWith(name, "final/")) continue;
    const at::Tensor found = model->params().Get(name.substr(6)).detach();
    EXPECT_LT(Distance(found, tensor.view(found.sizes())), 1e-3) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(T2T, TrajectoryTest,
                         testing::Values("transformer_adafactor",
                                         "transformer_multistep"));

TEST(ScheduledSamplingTest, SharesAreT2Ts) {
  const Json shares =
      Json::Parse(ReadFile("tests/golden/model/scheduled_sampling.json"));
  ScheduledSampling sampling;
  sampling.most = 0.5;
  sampling.warmup_steps = 200;
  for (const auto& [schedule, pairs] : shares.members()) {
    sampling.schedule = schedule;
    for (const Json& pair : pairs.items()) {
      const double expected = pair.items().at(1).AsDouble();
      EXPECT_NEAR(sampling.Share(pair.items().at(0).AsInt()), expected,
                  1e-5 * expected)
          << schedule;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    T2T, TransformerGoldenTest,
    testing::ValuesIn(Glob("tests/golden/model/transformer_*.safetensors")),
    [](const testing::TestParamInfo<std::string>& info) {
      const std::string name = BaseName(info.param);
      return name.substr(12, name.find('.') - 12);
    });

}  // namespace
}  // namespace t2t
