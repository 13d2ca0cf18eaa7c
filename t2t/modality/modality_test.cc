#include "t2t/modality/modality.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>
#include <set>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/keys.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/nn/default_initializer.h"
#include "t2t/nn/params.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

HParams SmallHParams() {
  HParams hparams = InitialHParams();
  hparams.Set("hidden_size", 4);
  return hparams;
}

Initializer UnitScaling() {
  return VarianceScalingInit(1.0, "fan_avg", "uniform");
}

// T2T's [batch, length, 1, depth] as our [batch, length, depth].
at::Tensor WithoutOnes(const at::Tensor& x) {
  at::Tensor result = x;
  while (result.dim() > 3 && result.size(2) == 1) result = result.squeeze(2);
  return result;
}

void ExpectNear(const at::Tensor& ours, const at::Tensor& theirs) {
  const double difference = MaxDifference(ours, theirs);
  EXPECT_GE(difference, 0.0) << "of " << ours.sizes() << theirs.sizes();
  EXPECT_LT(difference, 1e-5 * (1.0 + theirs.abs().max().item<double>()));
}

TEST(Modality, AsT2T) {
  const Json golden =
      Json::Parse(ReadFile("tests/golden/modality/functions.json"));
  EXPECT_GE(golden.At("cases").items().size(), 18U);
  for (const Json& c : golden.At("cases").items()) {
    FeatureInfo feature;
    feature.modality = c.At("modality").AsString();
    feature.vocab_size = c.At("vocab_size").AsInt();
    feature.shape = {-1, -1, c.At("channels").AsInt()};
    SCOPED_TRACE(feature.modality + c.At("changes").ToString());
    HParams hparams = SmallHParams();
    SetFromJson(c.At("changes"), &hparams);
    ParamStore params(1);
    const Scope scope(&params, "", UnitScaling());
    const auto inputs = MakeModality(scope, feature, hparams, Side::kInputs);
    const auto targets = MakeModality(scope, feature, hparams, Side::kTargets);
    LoadGoldenVariables(c.At("variables"), &params);

    const Mode mode = c.At("train").AsBool() ? Mode::kTrain : Mode::kEval;
    const Json& outputs = c.At("outputs");
    const at::Tensor x = WithoutOnes(GoldenTensor(c.At("x")));
    const at::Tensor wanted = WithoutOnes(GoldenTensor(c.At("targets")));
    const at::Tensor body = WithoutOnes(GoldenTensor(c.At("body")));
    ExpectNear(inputs->Bottom(x, nn::Context(mode == Mode::kTrain)),
               GoldenTensor(outputs.At("bottom")));
    ExpectNear(targets->TargetsBottom(x, nn::Context(mode == Mode::kTrain)),
               GoldenTensor(outputs.At("targets_bottom")));
    ExpectNear(targets->Top(body), GoldenTensor(outputs.At("top")));
    if (outputs.Find("numerator") == nullptr) continue;
    const at::Tensor weights = c.At("weights").is_null()
                                   ? at::Tensor()
                                   : GoldenTensor(c.At("weights"));
    const bool integers = feature.modality.find("real") == std::string::npos &&
                          feature.modality != "generic_l2";
    const LossParts loss = targets->Loss(
        body, integers ? wanted.to(at::kLong) : wanted, weights, mode);
    ExpectNear(loss.numerator, GoldenTensor(outputs.At("numerator")));
    ExpectNear(loss.denominator, GoldenTensor(outputs.At("denominator")));
  }
}

// tests/golden/modality/layers.json, made by tools/golden/modality_layers.py:
// one end each of some modalities.
TEST(Modality, EndsOfImagesAndOfCtcAsT2T) {
  HParams hparams = SmallHParams();
  hparams.Set("hidden_size", 8);
  const Json golden =
      Json::Parse(ReadFile("tests/golden/modality/layers.json"));
  for (const Json& c : golden.items()) {
    const std::string name = c.At("name").AsString();
    SCOPED_TRACE(name);
    const bool is_ctc = name == "ctc_symbol_loss";
    FeatureInfo feature;
    feature.modality = is_ctc ? "ctc_symbol"
                       : StartsWith(name, "image_channel_compress")
                           ? "image_channel_compress"
                           : name;
    feature.vocab_size = is_ctc ? 7 : 256;
    feature.shape = {-1, -1, 3};
    const bool is_top = name == "image_channel_compress_top";
    const bool is_input = name == "image_channel_compress_bottom";
    ParamStore params(1);
    const auto modality =
        MakeModality(Scope(&params, "", UnitScaling()), feature, hparams,
                     is_input ? Side::kInputs : Side::kTargets);
    // The case has the variables of its end alone.
    for (const auto& [variable, value] : c.At("variables").members()) {
      bool found = false;
      for (const ParamStore::Entry& entry : params.entries()) {
        if (!EndsWith(entry.name, variable)) continue;
        const at::NoGradGuard no_grad;
        entry.tensor.copy_(GoldenTensor(value).reshape(entry.tensor.sizes()));
        found = true;
      }
      EXPECT_TRUE(found) << variable;
    }
    const at::Tensor x = GoldenTensor(c.At("inputs").At("x"));
    const Json& output = c.At("outputs").items()[0];
    const nn::Context context(false);
    if (is_ctc) {
      const LossParts loss = modality->LossOfLogits(
          x, GoldenTensor(c.At("inputs").At("y")).to(at::kLong), {},
          Mode::kTrain);
      ExpectNear(loss.numerator, GoldenTensor(output));
      ExpectNear(loss.denominator, GoldenTensor(c.At("outputs").items()[1]));
      // Two labels of the first row are more than its one frame.
      EXPECT_THROW(modality->LossOfLogits(
                       x.narrow(1, 0, 1),
                       GoldenTensor(c.At("inputs").At("y")).to(at::kLong), {},
                       Mode::kTrain),
                   Error);
      continue;
    }
    ExpectNear(is_top     ? modality->Top(x)
               : is_input ? modality->Bottom(x, context)
                          : modality->TargetsBottom(x, context),
               GoldenTensor(output));
  }
}

// The other ends: what goes in comes out as numbers of the right places.
TEST(Modality, ChannelsSideBySide) {
  HParams hparams = SmallHParams();
  FeatureInfo feature;
  feature.modality = "image_channel_embeddings_bottom";
  feature.vocab_size = 256;
  feature.shape = {2, 2, 3};
  ParamStore params(1);
  const auto image = MakeModality(Scope(&params, "", UnitScaling()), feature,
                                  hparams, Side::kTargets);
  const nn::Context context(false);
  at::Tensor pixels = at::zeros({1, 2, 2, 3}, at::kLong);
  const at::Tensor before = image->TargetsBottom(pixels, context);
  EXPECT_EQ(before.sizes(), (std::vector<int64_t>{1, 2, 6, 4}));
  pixels[0][1][0][2] = 9;
  const at::Tensor changed = image->TargetsBottom(pixels, context);
  const at::Tensor where = changed.ne(before).any(-1);
  EXPECT_EQ(where.sum().item<int64_t>(), 1);
  EXPECT_TRUE(where[0][1][2].item<bool>());
  const at::Tensor logits = image->Top(changed);
  EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{1, 2, 2, 3, 256}));
  EXPECT_TRUE(image->Loss(changed, pixels, {}, Mode::kEval)
                  .Total()
                  .isfinite()
                  .item<bool>());
}

FeatureInfo Symbols(int64_t vocab_size) {
  FeatureInfo feature;
  feature.vocab_size = vocab_size;
  return feature;
}

ProblemInfo Pair(int64_t inputs, int64_t targets) {
  ProblemInfo info;
  info.features["inputs"] = Symbols(inputs);
  info.features["targets"] = Symbols(targets);
  return info;
}

TEST(Modality, OneSharedTable) {
  HParams hparams = SmallHParams();
  hparams.Set("shared_embedding_and_softmax_weights", true);
  ParamStore params(1);
  const Scope scope(&params, "transformer", UnitScaling());
  MakeModalities(scope, Pair(9, 9), hparams);
  ASSERT_EQ(params.entries().size(), 1U);
  EXPECT_EQ(params.entries()[0].name,
            "transformer/symbol_modality_9_4/shared/weights");
}

TEST(Modality, DifferentVocabulariesAreNotShared) {
  HParams hparams = SmallHParams();
  hparams.Set("shared_embedding_and_softmax_weights", true);
  ParamStore params(1);
  const Scope scope(&params, "m", UnitScaling());
  MakeModalities(scope, Pair(9, 10), hparams);
  EXPECT_EQ(params.entries().size(), 3U);
  EXPECT_TRUE(params.Has("m/symbol_modality_9_4/input_emb/weights"));
  EXPECT_TRUE(params.Has("m/symbol_modality_10_4/target_emb/weights"));
  EXPECT_TRUE(params.Has("m/symbol_modality_10_4/softmax/weights"));
}

TEST(Modality, InitialTableHasT2TsSpread) {
  HParams hparams = SmallHParams();
  hparams.Set("hidden_size", 100);
  ParamStore params(1);
  const Scope scope(&params, "m", UnitScaling());
  MakeModality(scope, Symbols(500), hparams, Side::kInputs);
  EXPECT_NEAR(params.entries()[0].tensor.std().item<double>(), 0.1, 0.002);
}

TEST(Modality, LossMultiplier) {
  const HParams hparams = SmallHParams();
  ProblemInfo info = Pair(9, 9);
  const at::Tensor body = at::randn({2, 3, 4});
  const at::Tensor ids = at::tensor({1, 2, 0, 4, 5, 6}).reshape({2, 3});
  double numerators[2];
  for (int i = 0; i < 2; ++i) {
    info.loss_multiplier = i == 0 ? 1.0 : 3.0;
    ParamStore params(1);
    const Scope scope(&params, "m", UnitScaling());
    const LossParts loss = MakeModalities(scope, info, hparams)
                               .targets->Loss(body, ids, {}, Mode::kTrain);
    numerators[i] = loss.numerator.item<double>();
    EXPECT_EQ(loss.denominator.item<double>(), 5.0);
  }
  EXPECT_NEAR(numerators[1], 3.0 * numerators[0], 1e-4);
}

TEST(Modality, SymbolDropoutInTrainingAlone) {
  HParams hparams = SmallHParams();
  hparams.Set("symbol_dropout", 0.5);
  ParamStore params(1);
  const Scope scope(&params, "m", UnitScaling());
  const auto symbol = MakeModality(scope, Symbols(9), hparams, Side::kInputs);
  at::manual_seed(1);
  const at::Tensor ids = at::full({10, 100}, 3, at::kLong);
  const auto share = [&](Mode mode) {
    return symbol->Bottom(ids, nn::Context(mode == Mode::kTrain))
        .ne(0)
        .any(-1)
        .to(at::kFloat)
        .mean()
        .item<double>();
  };
  EXPECT_EQ(share(Mode::kEval), 1.0);
  EXPECT_NEAR(share(Mode::kTrain), 0.5, 0.07);
}

TEST(Modality, WeightsOfPrependedInputs) {
  HParams hparams = SmallHParams();
  const at::Tensor body = at::randn({1, 6, 4});
  const at::Tensor ids = at::tensor({4, 5, 0, 6, 1, 0}).reshape({1, 6});
  const auto count = [&](const char* mode_name, Mode mode) {
    hparams.Set("prepend_mode", mode_name);
    ParamStore params(1);
    const Scope scope(&params, "m", UnitScaling());
    return MakeModality(scope, Symbols(9), hparams, Side::kTargets)
        ->Loss(body, ids, {}, mode)
        .denominator.item<double>();
  };
  EXPECT_EQ(count("none", Mode::kTrain), 4.0);
  EXPECT_EQ(count("prepend_inputs_masked_attention", Mode::kTrain), 4.0);
  EXPECT_EQ(count("prepend_inputs_masked_attention", Mode::kEval), 2.0);
  EXPECT_EQ(count("prepend_inputs_full_attention", Mode::kTrain), 2.0);
}

TEST(Modality, GradientReachesBothUsesOfASharedTable) {
  HParams hparams = SmallHParams();
  hparams.Set("shared_embedding_and_softmax_weights", true);
  ParamStore params(1);
  const Scope scope(&params, "m", UnitScaling());
  const auto symbol = MakeModality(scope, Symbols(9), hparams, Side::kTargets);
  const at::Tensor ids = at::tensor({3, 2}).reshape({1, 2});
  const at::Tensor loss =
      symbol
          ->Loss(symbol->TargetsBottom(ids, nn::Context(true)), ids, {},
                 Mode::kTrain)
          .Total();
  const at::Tensor table = params.entries()[0].tensor;
  const at::Tensor gradient = torch::autograd::grad({loss}, {table})[0];
  // By the definition, in small steps along a direction.
  const at::NoGradGuard no_grad;
  const at::Tensor direction = at::randn_like(table);
  const auto at_step = [&](double step) {
    table.add_(direction, step);
    const double value =
        symbol
            ->Loss(symbol->TargetsBottom(ids, nn::Context(true)), ids, {},
                   Mode::kTrain)
            .Total()
            .item<double>();
    table.add_(direction, -step);
    return value;
  };
  EXPECT_NEAR((at_step(1e-2) - at_step(-1e-2)) / 2e-2,
              (gradient * direction).sum().item<double>(), 5e-3);
}

template <typename F>
std::string MessageOf(const F& body, ExitCode code) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(Modality, RefusesBadInput) {
  const HParams hparams = SmallHParams();
  ParamStore params(1);
  const Scope scope(&params, "m", UnitScaling());
  FeatureInfo feature = Symbols(9);
  feature.modality = "video";
  const std::string unsupported =
      MessageOf([&] { MakeModality(scope, feature, hparams, Side::kInputs); },
                ExitCode::kUsage);
  EXPECT_NE(unsupported.find("'video'"), std::string::npos);
  EXPECT_NE(unsupported.find("symbol_one_hot"), std::string::npos);
  MessageOf([&] { MakeModality(scope, Symbols(0), hparams, Side::kInputs); },
            ExitCode::kMismatch);

  const auto symbol = MakeModality(scope, Symbols(9), hparams, Side::kTargets);
  const at::Tensor body = at::randn({1, 2, 4});
  for (const int64_t id : {9, -1}) {
    const at::Tensor ids = at::tensor({3, static_cast<int>(id)}).view({1, 2});
    MessageOf([&] { symbol->Bottom(ids, nn::Context(true)); },
              ExitCode::kMismatch);
    MessageOf([&] { symbol->Loss(body, ids, {}, Mode::kTrain); },
              ExitCode::kMismatch);
  }
  MessageOf(
      [&] {
        symbol->Loss(body, at::ones({1, 3}, at::kLong), {}, Mode::kTrain);
      },
      ExitCode::kMismatch);
  feature.modality = "image";
  const auto image = MakeModality(scope, feature, hparams, Side::kInputs);
  MessageOf(
      [&] {
        image->Bottom(at::ones({2, 3}), nn::Context(true));
      },
      ExitCode::kMismatch);
}

// What --registry_help says is here can be made, and nothing else.
TEST(Modality, AllButAudioSpeechAndVideoAreHere) {
  std::set<std::string> said;
  for (const std::string& name : ModalitiesWithTraits()) {
    if (!TraitsOfModality(name).is_absent) said.insert(name);
  }
  const auto made = SupportedModalities();
  EXPECT_EQ(std::set<std::string>(made.begin(), made.end()), said);
  EXPECT_EQ(said.size(), 22U);
}

}  // namespace
}  // namespace t2t
