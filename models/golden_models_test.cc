// Models as T2T itself runs them: each file of tests/golden/models holds T2T's
// weights, logits, losses, norms of gradients and decodes (tools/golden/
// models.py).

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"
#include "t2t/nn/golden_weights.h"

namespace t2t {
namespace {

// As the golden files' README says of T2T's own runs of two kinds.
constexpr double kRelative = 1e-4;
constexpr double kAbsolute = 1e-4;

bool Close(double ours, double theirs, double relative = kRelative) {
  return std::abs(ours - theirs) <= kAbsolute + relative * std::abs(theirs);
}

// T2T's logits may be more than there are targets: it fills these up.
bool Close(const at::Tensor& ours, const at::Tensor& all) {
  at::Tensor theirs = all;
  if (theirs.dim() > 1 && ours.size(1) < theirs.size(1)) {
    theirs = theirs.narrow(1, 0, ours.size(1)).contiguous();
  }
  return ours.numel() == theirs.numel() &&
         at::allclose(ours.reshape(theirs.sizes()), theirs, kRelative,
                      kAbsolute);
}

double RelativeOfGradients(const std::string& name) {
  // Its last batch norms see two numbers a channel, so that their gradients are
  // small differences of large numbers.
  if (name == "x_resnet_18") return 3e-4;
  // What it looks at first are channels that are all equal, of which layer norm
  // makes a thousand times what rounding leaves; T2T's own way back rounds,
  // too.
  if (name == "transformer_revnet") return 1e-2;
  return kRelative;
}

// Returns the norm of all gradients together; every one of T2T's is compared.
double ExpectNormsOfGradients(Model* model, const at::Tensor& loss,
                              const Json& theirs, double relative = kRelative) {
  const auto gradients =
      torch::autograd::grad({loss}, model->params().Trainable(), {},
                            std::nullopt, false, /*allow_unused=*/true);
  double squares = 0.0;
  size_t i = 0;
  size_t compared = 0;
  for (const ParamStore::Entry& entry : model->params().entries()) {
    if (!entry.trainable) continue;
    const at::Tensor& gradient = gradients[i++];
    const double norm =
        gradient.defined() ? gradient.norm().item<double>() : 0.0;
    squares += norm * norm;
    const Json* const expected = theirs.Find(entry.name);
    if (expected == nullptr) continue;
    EXPECT_TRUE(Close(norm, expected->AsDouble(), relative))
        << entry.name << ": " << norm << ", T2T's is " << expected->AsDouble();
    ++compared;
  }
  EXPECT_EQ(compared, theirs.members().size());
  return std::sqrt(squares);
}

class GoldenModelTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::map<std::string, std::string> metadata;
    tensors_ = ReadSafetensors(
        std::string("tests/golden/models/") + GetParam() + ".safetensors",
        &metadata);
    case_ = Json::Parse(metadata.at("case"));
    HParams hparams = MakeHParams(case_.At("hparams_set").AsString(), "");
    for (const std::string& name : hparams.Names()) {
      if (EndsWith(name, "dropout")) hparams.Set(name, 0.0);
    }
    SetFromJson(case_.At("overrides"), &hparams);
    ProblemInfo info;
    info.name = "golden";
    const auto space = tensors_.find("features/target_space_id");
    if (space != tensors_.end()) {
      info.target_space_id = space->second.item<int64_t>();
    }
    const Json& problem = case_.At("problem_hparams");
    for (const auto& [name, modality] : problem.At("modality").members()) {
      FeatureInfo& feature = info.features[name];
      feature.modality = modality.AsString();
      feature.vocab_size = problem.At("vocab_size").At(name).AsInt();
      const at::Tensor& value = tensors_.at("features/" + name);
      const bool is_image = value.dim() == 4 && value.size(2) > 1;
      if (is_image) feature.shape = value.sizes().slice(1).vec();
      features_[name] =
          is_image
              ? value.to(at::kLong)
              : value.to(value.is_floating_point() ? at::kFloat : at::kLong)
                    .view({value.size(0), -1});
    }
    model_ = Models().Get(case_.At("model").AsString())(hparams, info, 1);
    FillWeights();
  }

  // T2T's, which are to be the same variables.
  void FillWeights() {
    const at::NoGradGuard no_grad;
    size_t theirs = 0;
    for (const auto& [name, tensor] : tensors_) {
      theirs += StartsWith(name, "weights/") ? 1 : 0;
    }
    // Some large ones have no part in what the file holds, and are not in it.
    std::set<std::string> left_out;
    if (const Json* const names = case_.Find("left_out")) {
      for (const Json& name : names->items()) left_out.insert(name.AsString());
    }
    theirs += left_out.size();
    EXPECT_EQ(model_->params().entries().size(), theirs);
    const auto& own = model_->params();
    for (const auto& [name, tensor] : tensors_) {
      if (!StartsWith(name, "weights/")) continue;
      EXPECT_TRUE(own.Has(name.substr(8))) << name;
    }
    for (const ParamStore::Entry& entry : model_->params().entries()) {
      if (left_out.count(entry.name) > 0) continue;
      const auto found = tensors_.find("weights/" + entry.name);
      ASSERT_NE(found, tensors_.end()) << entry.name;
      at::Tensor parameter = entry.tensor;
      ASSERT_EQ(parameter.sizes(), found->second.sizes()) << entry.name;
      parameter.copy_(found->second);
    }
  }

  // A model may draw what it trains; T2T drew something, too. Makes the next
  // pass the one whose loss is T2T's (of a model that draws nothing: any).
  void Draw(Mode mode) {
    const at::NoGradGuard no_grad;
    const double theirs = case_.At("parts")
                              .At(mode == Mode::kTrain ? "train" : "eval")
                              .At("losses")
                              .At("training")
                              .AsDouble();
    for (uint64_t seed = 1; seed < 300; ++seed) {
      at::manual_seed(seed);
      const LossParts ours = model_->Loss(features_, mode);
      FillWeights();  // training may have moved averages
      at::manual_seed(seed);
      if (theirs == 0.0 ||
          Close((ours.numerator / ours.denominator).item<double>(), theirs)) {
        return;
      }
    }
  }

  void CheckLosses(const LossParts& ours, const Json& theirs) const {
    const double training = theirs.At("training").AsDouble();
    // A few of T2T's models compute no loss in evaluation.
    if (training != 0.0) {
      EXPECT_PRED2([](double a, double b) { return Close(a, b); },
                   (ours.numerator / ours.denominator).item<double>(),
                   training);
    }
    for (const auto& [name, loss] : theirs.members()) {
      // T2T names 0 "extra" where a model adds no loss.
      if (name == "training" || loss.AsDouble() == 0.0) continue;
      // A model's only one needs no name of T2T's.
      auto found = ours.extra.find(name);
      if (ours.extra.size() == 1) found = ours.extra.begin();
      ASSERT_NE(found, ours.extra.end()) << name;
      EXPECT_PRED2([](double a, double b) { return Close(a, b); },
                   found->second.item<double>(), loss.AsDouble())
          << name;
    }
  }

  std::vector<std::vector<Hypothesis>> Decode(const Json& part,
                                              const std::string& folder) const {
    SearchOptions options;
    options.beam_size = part.At("beam_size").AsInt();
    options.top_beams = part.At("top_beams").AsInt();
    options.alpha = part.At("alpha").AsDouble();
    // A language model goes on from the first targets.
    const auto begun = tensors_.find(folder + "partial_targets");
    const bool goes_on = begun != tensors_.end();
    const at::Tensor given = goes_on ? begun->second.to(at::kLong).flatten(1)
                                     : features_.at("inputs");
    std::vector<SearchRow> rows(static_cast<size_t>(given.size(0)));
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].decode_length = given.size(1) + part.At("decode_length").AsInt();
      if (!goes_on) continue;
      const at::Tensor ids = given[static_cast<int64_t>(i)];
      rows[i].prefix.assign(ids.data_ptr<int64_t>(),
                            ids.data_ptr<int64_t>() + ids.numel());
    }
    return Search(model_.get(), {{goes_on ? "targets" : "inputs", given}}, rows,
                  options);
  }

  Json case_;
  std::map<std::string, at::Tensor> tensors_;
  Features features_;
  std::unique_ptr<Model> model_;
};

TEST_P(GoldenModelTest, LogitsAndLossesAreT2Ts) {
  const at::NoGradGuard no_grad;
  // Evaluation first: a training pass moves batch norm's averages.
  const auto eval = tensors_.find("eval/logits");
  const bool has_logits = eval != tensors_.end();
  if (has_logits) {
    EXPECT_TRUE(Close(model_->Logits(features_, Mode::kEval), eval->second));
  }
  Draw(Mode::kEval);
  CheckLosses(model_->Loss(features_, Mode::kEval),
              case_.At("parts").At("eval").At("losses"));
  const auto train = tensors_.find("train/logits");
  if (has_logits) {
    EXPECT_TRUE(Close(model_->Logits(features_, Mode::kTrain),
                      train != tensors_.end() ? train->second : eval->second));
  }
  Draw(Mode::kTrain);
  CheckLosses(model_->Loss(features_, Mode::kTrain),
              case_.At("parts").At("train").At("losses"));
}

TEST_P(GoldenModelTest, GradientsAreT2Ts) {
  const Json& part = case_.At("parts").At("train");
  const double relative = RelativeOfGradients(GetParam());
  Draw(Mode::kTrain);
  const double all = ExpectNormsOfGradients(
      model_.get(), model_->Loss(features_, Mode::kTrain).Total(),
      part.At("grad_norms"), relative);
  // The table's norm is not among T2T's: it counts in all of them together.
  const Json* const theirs = part.Find("grad_global_norm");
  if (theirs == nullptr) return;
  EXPECT_TRUE(Close(all, theirs->AsDouble(), relative));
}

TEST_P(GoldenModelTest, DecodesAreT2Ts) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, part] : case_.At("parts").members()) {
    if (!StartsWith(name, "decode_")) continue;
    SCOPED_TRACE(name);
    const std::string folder = "decode/" + name.substr(7) + "/";
    const auto found = Decode(part, folder);
    const int64_t rows = static_cast<int64_t>(found.size());
    at::Tensor outputs = tensors_.at(folder + "outputs");
    outputs = outputs.view({rows, part.At("top_beams").AsInt(), -1});
    for (int64_t row = 0; row < rows; ++row) {
      const auto& hypotheses = found[static_cast<size_t>(row)];
      for (size_t k = 0; k < hypotheses.size(); ++k) {
        const at::Tensor theirs = outputs[row][static_cast<int64_t>(k)];
        const std::vector<int64_t>& ids = hypotheses[k].ids;
        EXPECT_TRUE(at::equal(at::tensor(ids),
                              theirs.to(at::kLong).narrow(
                                  0, 0, static_cast<int64_t>(ids.size()))))
            << row << " " << k << ": " << at::tensor(ids) << theirs;
        const auto scores = tensors_.find(folder + "scores");
        if (scores == tensors_.end()) continue;
        const at::Tensor own = scores->second.view({rows, -1});
        EXPECT_TRUE(Close(hypotheses[k].score,
                          own[row][static_cast<int64_t>(k)].item<double>()))
            << row << " " << k;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenModelTest,
    testing::Values(
        "adaptive_universal_transformer",
        "adaptive_universal_transformer_global", "attention_lm",
        "attention_lm_moe", "byte_net", "evolved_transformer",
        "gene_expression_conv", "imagetransformer2d", "imagetransformer_cat",
        "imagetransformer_dmol", "img2img_transformer", "neural_gpu",
        "resnet_cifar", "shuffle_network", "text_cnn", "transformer_ae",
        "transformer_moe", "transformer_nat", "transformer_regressor",
        "transformer_revnet", "transformer_sketch",
        "universal_transformer_base", "universal_transformer_dwa",
        "universal_transformer_encoder", "universal_transformer_gru",
        "x_diagonal_neural_gpu", "x_neural_deque", "x_neural_queue",
        "x_neural_stack", "x_residual_shuffle_exchange", "x_resnet_18",
        "x_resnet_50_bottleneck", "x_revnet_38_cifar",
        "x_similarity_transformer", "x_slice_net", "x_slice_net_img",
        "x_transformer_bs3", "x_transformer_moe_sep",
        "x_universal_transformer_highway", "x_universal_transformer_skip",
        "xception"),
    [](const auto& tested) { return std::string(tested.param); });

// Recurrences and options that no file above has: tools/golden/model/depth.py.
TEST(GoldenDepthTest, EveryVariantIsT2Ts) {
  const Json golden = Json::Parse(ReadFile("tests/golden/model/depth.json"));
  EXPECT_GE(golden.At("cases").items().size(), 23U);
  for (const Json& c : golden.At("cases").items()) {
    SCOPED_TRACE(c.At("name").AsString());
    ProblemInfo info;
    info.name = "golden";
    info.target_space_id = 1;
    if (c.At("has_inputs").AsBool()) info.features["inputs"].vocab_size = 11;
    info.features["targets"].vocab_size = 11;
    Features features;
    for (const auto& [name, ids] : c.At("features").members()) {
      features[name] = GoldenIds(ids);
    }
    HParams hparams =
        MakeHParams(c.At("hparams_set").AsString(), c.At("hparams").AsString());
    for (const auto& [name, value] : c.At("added").members()) {
      if (value.is_string()) {
        hparams.Add(name, value.AsString());
      } else {
        hparams.Add(name, value.AsInt());
      }
    }
    const std::unique_ptr<Model> model =
        Models().Get(c.At("model").AsString())(hparams, info, 1);
    FillGoldenWeights(&model->params());

    EXPECT_TRUE(Close(model->Logits(features, Mode::kTrain),
                      GoldenTensor(c.At("logits"))));
    const at::Tensor loss = model->Loss(features, Mode::kTrain).Total();
    EXPECT_TRUE(Close(loss.item<double>(), c.At("loss").AsDouble()))
        << loss.item<double>();
    ExpectNormsOfGradients(model.get(), loss, c.At("gradient_norms"));
  }
}

}  // namespace
}  // namespace t2t
