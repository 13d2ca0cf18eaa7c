// What must hold of every model that masks padding and the future, whatever its
// layers: the walk over the Universal and the Evolved Transformer.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "hparams/all_hparams.h"
#include "t2t/base/error.h"
#include "t2t/decode/search.h"
#include "t2t/hparams/hparams.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"
#include "t2t/nn/golden_weights.h"

namespace t2t {
namespace {

constexpr int64_t kVocab = 9;

struct Case {
  const char* name;
  const char* model;
  const char* set;
  const char* overrides;
};

const std::vector<Case>& Cases() {
  static constexpr char kUniversal[] = "universal_transformer";
  static constexpr char kTiny[] = "universal_transformer_tiny";
  static const auto* const cases = new std::vector<Case>{
      {"basic", kUniversal, kTiny, ""},
      {"act", kUniversal, kTiny, "recurrence_type=act"},
      {"accumulated", kUniversal, kTiny,
       "recurrence_type=act,act_type=accumulated,num_inrecurrence_layers=2"},
      {"highway", kUniversal, kTiny, "recurrence_type=highway"},
      {"skip", kUniversal, kTiny, "recurrence_type=skip"},
      {"dwa", kUniversal, kTiny, "recurrence_type=dwa"},
      {"gru", kUniversal, kTiny,
       "recurrence_type=gru,add_step_timing_signal=False"},
      {"lstm", kUniversal, kTiny,
       "recurrence_type=lstm,add_step_timing_signal=False,"
       "use_memory_as_final_state=True"},
      {"sepconv", kUniversal, "adaptive_universal_transformer_sepconv_tiny",
       ""},
      {"concat", kUniversal, "adaptive_universal_transformer_concat_tiny", ""},
      {"sinusoid", kUniversal,
       "universal_transformer_step_sinusoid_timing_tiny", ""},
      {"sru", kUniversal, kTiny, "add_sru=True"},
      {"mixed", kUniversal, kTiny,
       "mix_with_transformer=before_ut,after_ut,num_mixedin_layers=1"},
      {"pos_once", kUniversal, kTiny,
       "add_position_timing_signal=False,pos=timing"},
      {"evolved", "evolved_transformer", "evolved_transformer_tiny", ""},
      {"evolved_post_norm", "evolved_transformer", "evolved_transformer_tiny",
       "layer_preprocess_sequence=none,layer_postprocess_sequence=dan"},
  };
  return *cases;
}

std::unique_ptr<Model> Make(const Case& c, const std::string& more = "",
                            bool has_inputs = true) {
  ProblemInfo info;
  info.name = "toy";
  if (has_inputs) info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = kVocab;
  std::string overrides =
      "hidden_size=16,filter_size=24,num_heads=2,num_hidden_layers=2,";
  if (std::string(c.model) == "universal_transformer") {
    overrides += "num_rec_steps=3,act_max_steps=4,";
  } else {
    overrides += "num_encoder_layers=1,num_decoder_layers=2,";
  }
  overrides += more + c.overrides;
  auto model = Models().Get(c.model)(MakeHParams(c.set, overrides), info, 3);
  FillGoldenWeights(&model->params());
  return model;
}

// Rows of different lengths.
Features Batch() {
  at::Tensor inputs = at::arange(24, at::kLong).view({3, 8}) % 7 + 2;
  inputs[0].slice(0, 5).zero_();
  inputs[2].slice(0, 2).zero_();
  at::Tensor targets = at::arange(21, at::kLong).view({3, 7}) % 5 + 3;
  targets[1].slice(0, 4).zero_();
  return {{"inputs", inputs}, {"targets", targets}};
}

class DepthModelTest : public testing::TestWithParam<size_t> {
 protected:
  const Case& given() const { return Cases()[GetParam()]; }
};

TEST_P(DepthModelTest, LaterTargetsDoNotChangeEarlierLogits) {
  const at::NoGradGuard no_grad;
  const auto model = Make(given());
  const Features features = Batch();
  Features changed = features;
  changed["targets"] = features.at("targets").clone();
  changed["targets"].select(1, 3).fill_(2);
  const at::Tensor before = model->Logits(features, Mode::kEval);
  const at::Tensor after = model->Logits(changed, Mode::kEval);
  EXPECT_LT(MaxDifference(before.slice(1, 0, 4), after.slice(1, 0, 4)), 1e-5);
  EXPECT_GT(MaxDifference(before.slice(1, 4), after.slice(1, 4)), 1e-3);
}

TEST_P(DepthModelTest, PaddingChangesNothing) {
  const at::NoGradGuard no_grad;
  const auto model = Make(given());
  const Features features = Batch();
  const Features padded = {
      {"inputs", at::constant_pad_nd(features.at("inputs"), {0, 3})},
      {"targets", at::constant_pad_nd(features.at("targets"), {0, 2})}};
  EXPECT_LT(MaxDifference(model->Logits(padded, Mode::kEval).slice(1, 0, 7),
                          model->Logits(features, Mode::kEval)),
            1e-5);
}

// Rows reordered, dropped and doubled between steps.
TEST_P(DepthModelTest, StepsGiveTheLogitsOfWholeRows) {
  const at::NoGradGuard no_grad;
  const auto model = Make(given());
  const Features features = Batch();
  const at::Tensor targets = features.at("targets");
  const at::Tensor whole = model->Logits(features, Mode::kEval);
  const auto state = model->StartDecoding(features);
  at::Tensor rows = at::arange(3, at::kLong);
  at::Tensor ids;
  for (int64_t t = 0; t < targets.size(1); ++t) {
    const at::Tensor step = model->DecodeStep(state.get(), ids);
    // A norm of small numbers (sru's) multiplies what sums differ by.
    EXPECT_TRUE(at::allclose(step, whole.select(1, t).index_select(0, rows),
                             1e-4, 1e-4))
        << t;
    if (t == 1 || t == 3) {
      const at::Tensor chosen =
          t == 1 ? at::tensor({2, 0, 0, 1}) : at::tensor({3, 1});
      state->Select(chosen);
      rows = rows.index_select(0, chosen);
    }
    ids = targets.select(1, t).index_select(0, rows);
  }
}

// The search's first beam, against what the whole rows' logits say.
TEST_P(DepthModelTest, GreedySearchTakesTheLikeliestSymbol) {
  const at::NoGradGuard no_grad;
  const auto model = Make(given());
  Features features = Batch();
  features.erase("targets");
  SearchOptions options;
  options.beam_size = 1;
  SearchRow row;
  row.decode_length = 5;
  const auto found = Search(model.get(), features, {row, row, row}, options);
  at::Tensor targets = at::zeros({3, 6}, at::kLong);
  for (int64_t t = 0; t < 5; ++t) {
    features["targets"] = targets;
    const at::Tensor logits = model->Logits(features, Mode::kPredict);
    targets.select(1, t).copy_(logits.select(1, t).argmax(-1));
  }
  for (int64_t i = 0; i < 3; ++i) {
    const std::vector<int64_t>& ids = found[static_cast<size_t>(i)][0].ids;
    const auto length = static_cast<int64_t>(ids.size());
    EXPECT_TRUE(at::equal(at::tensor(ids), targets[i].slice(0, 0, length)))
        << i;
    EXPECT_TRUE(length == 5 || ids.back() == 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, DepthModelTest,
                         testing::Range(size_t{0}, Cases().size()),
                         [](const auto& tested) {
                           return std::string(Cases()[tested.param].name);
                         });

// Each set of the two families makes a model that learns from a batch.
TEST(DepthModelSets, EverySetTrains) {
  int tried = 0;
  for (const std::string family :
       {"universal_transformer", "evolved_transformer"}) {
    for (const std::string& set : AllHParams().Sets(family)) {
      SCOPED_TRACE(set);
      const Case c = {"", family.c_str(), set.c_str(), ""};
      for (const bool has_inputs : {true, false}) {
        const auto model = Make(c, "", has_inputs);
        Features features = Batch();
        if (!has_inputs) features.erase("inputs");
        const at::Tensor loss = model->Loss(features, Mode::kTrain).Total();
        EXPECT_TRUE(std::isfinite(loss.item<double>()));
        const auto gradients = torch::autograd::grad(
            {loss}, model->params().Trainable(), {}, std::nullopt, false,
            /*allow_unused=*/true);
        size_t moved = 0;
        for (const at::Tensor& gradient : gradients) {
          moved += gradient.defined() ? 1 : 0;
        }
        // No parameter is there for nothing.
        EXPECT_EQ(moved, gradients.size());
      }
      ++tried;
    }
  }
  EXPECT_EQ(tried, 49);
}

std::string MessageOf(const std::string& overrides) {
  ProblemInfo info;
  info.name = "toy";
  info.features["targets"].vocab_size = kVocab;
  try {
    Models().Get("universal_transformer")(
        MakeHParams("universal_transformer_tiny", overrides), info, 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << overrides;
    return error.what();
  }
  ADD_FAILURE() << overrides << " was taken";
  return "";
}

TEST(DepthModelErrors, SayWhatThereIs) {
  const auto says = [](const std::string& overrides, const char* what) {
    const std::string message = MessageOf(overrides);
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  says("recurrence_type=rnn", "basic, act, highway, skip, dwa, gru or lstm");
  says("recurrence_type=act,act_type=some", "accumulated");
  says("recurrence_type=act,act_max_steps=0", "at least 1");
  says("num_rec_steps=0", "at least 1");
  says("recurrence_type=gru", "add_step_timing_signal=False");
  says("recurrence_type=highway,gate_ffn_layer=dense_dropconnect",
       "dense_relu_dense");
  says("transformer_ffn_type=conv", "sepconv");
  says("add_or_concat_timing_signal=multiply", "add or concat");
  says("position_start_index=end", "random");
  says("step_timing_signal_type=none", "sinusoid");
}

}  // namespace
}  // namespace t2t
