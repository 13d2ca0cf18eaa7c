#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/search.h"
#include "t2t/modality/golden_tensors.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

// ---- As T2T computes it.

std::string SetOf(const std::string& name) {
  if (name == "basic_fc_relu") return "basic_fc_small";
  if (name == "transformer_encoder") return "transformer_tiny";
  if (name.find("multi") != std::string::npos) {
    return "lstm_bahdanau_attention_multi";
  }
  if (name.find(".area") != std::string::npos) {
    return "lstm_area_attention_base";
  }
  if (EndsWith(name, ".luong") || EndsWith(name, ".cell_output")) {
    return "lstm_luong_attention";
  }
  return name.find("attention") != std::string::npos ? "lstm_attention"
                                                     : "lstm_seq2seq";
}

void NoDropout(HParams* hparams) {
  for (const std::string& name : hparams->Names()) {
    if (EndsWith(name, "dropout")) hparams->Set(name, 0.0);
  }
}

TEST(SmallModels, AsT2T) {
  const Json golden =
      Json::Parse(ReadFile("tests/golden/modality/models.json"));
  EXPECT_EQ(golden.At("cases").items().size(), 15U);
  for (const Json& c : golden.At("cases").items()) {
    SCOPED_TRACE(c.At("name").AsString());
    HParams hparams = MakeHParams(SetOf(c.At("name").AsString()), "");
    NoDropout(&hparams);
    SetFromJson(c.At("changes"), &hparams);
    ProblemInfo info;
    info.target_space_id = 1;
    Features features;
    for (const auto& [name, ids] : c.At("features").members()) {
      features[name] = GoldenIds(ids);
      FeatureInfo& feature = info.features[name];
      feature.modality = c.At("modality").At(name).AsString();
      feature.vocab_size = c.At("vocab_size").At(name).AsInt();
      if (feature.modality == "image") feature.shape = {4, 3, 1};
    }
    const std::unique_ptr<Model> model =
        Models().Get(c.At("model").AsString())(hparams, info, 1);
    LoadGoldenVariables(c.At("variables"), &model->params());

    const at::Tensor logits = model->Logits(features, Mode::kTrain);
    const at::Tensor expected = GoldenTensor(c.At("logits"));
    EXPECT_EQ(logits.size(-1), expected.size(-1));
    const double scale = 1.0 + expected.abs().max().item<double>();
    const double difference = MaxDifference(logits, expected);
    EXPECT_GE(difference, 0.0);
    EXPECT_LT(difference, 1e-5 * scale);

    const at::Tensor loss = model->Loss(features, Mode::kTrain).Total();
    EXPECT_NEAR(loss.item<double>() / c.At("loss").AsDouble(), 1.0, 1e-5);

    const auto gradients = torch::autograd::grad(
        {loss}, model->params().Trainable(), {}, std::nullopt, false, true);
    size_t compared = 0;
    for (size_t i = 0; i < gradients.size(); ++i) {
      const std::string& name = model->params().entries()[i].name;
      const Json* norm = c.At("gradient_norms").Find(name);
      if (norm == nullptr) continue;  // shards
      ASSERT_TRUE(gradients[i].defined()) << name;
      EXPECT_NEAR(gradients[i].norm().item<double>(), norm->AsDouble(),
                  1e-5 * (1.0 + norm->AsDouble()))
          << name;
      if (const Json* whole = c.At("gradients").Find(name)) {
        EXPECT_LT(MaxDifference(gradients[i], GoldenTensor(*whole)),
                  1e-5 * (1.0 + norm->AsDouble()))
            << name;
      }
      ++compared;
    }
    EXPECT_GE(compared, 4U);
  }
}

// ---- Toy tasks.

constexpr int64_t kVocab = 9;

std::unique_ptr<Model> Make(const std::string& name, const std::string& set,
                            const std::string& overrides,
                            const std::string& target_modality = "symbol",
                            int64_t target_vocab = kVocab) {
  ProblemInfo info;
  info.name = "toy";
  info.features["inputs"].vocab_size = kVocab;
  info.features["targets"].vocab_size = target_vocab;
  info.features["targets"].modality = target_modality;
  return Models().Get(name)(MakeHParams(set, overrides), info, 3);
}

// Symbols of 2 to kVocab - 1 and EOS; the targets are the inputs turned
// around (as a reader that goes backwards likes it).
Features ReverseTask(int64_t rows, int64_t length) {
  const at::Tensor symbols = at::randint(2, kVocab, {rows, length}, at::kLong);
  const at::Tensor eos = at::ones({rows, 1}, at::kLong);
  return {{"inputs", at::cat({symbols, eos}, 1)},
          {"targets", at::cat({symbols.flip(1), eos}, 1)}};
}

double Train(Model* model, int steps, double rate,
             const std::function<Features()>& next) {
  // So small that more threads would only wait for each other.
  at::set_num_threads(1);
  const std::vector<at::Tensor> params = model->params().Trainable();
  std::vector<at::Tensor> means, squares;
  for (const at::Tensor& p : params) {
    means.push_back(at::zeros_like(p));
    squares.push_back(at::zeros_like(p));
  }
  double loss_value = 0.0;
  for (int step = 1; step <= steps; ++step) {
    const at::Tensor loss = model->Loss(next(), Mode::kTrain).Total();
    loss_value = loss.item<double>();
    const auto gradients =
        torch::autograd::grad({loss}, params, {}, std::nullopt, false, true);
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < params.size(); ++i) {
      if (!gradients[i].defined()) continue;
      means[i].mul_(0.9).add_(gradients[i], 0.1);
      squares[i].mul_(0.98).addcmul_(gradients[i], gradients[i], 0.02);
      const double correction =
          std::sqrt(1 - std::pow(0.98, step)) / (1 - std::pow(0.9, step));
      at::Tensor(params[i]).sub_(means[i] / (squares[i].sqrt() + 1e-8),
                                 rate * correction);
    }
  }
  return loss_value;
}

at::Tensor DecodeAlong(Model* model, const Features& features,
                       const at::Tensor& targets) {
  const std::unique_ptr<DecodeState> state = model->StartDecoding(features);
  std::vector<at::Tensor> steps;
  at::Tensor ids;
  for (int64_t t = 0; t < targets.size(1); ++t) {
    steps.push_back(model->DecodeStep(state.get(), ids));
    ids = targets.select(1, t);
  }
  return at::stack(steps, 1);
}

struct Seq2seqCase {
  const char* model;
  const char* set;
  const char* overrides;
  const char* dropout = "dropout";
};

class Seq2seqTest : public testing::TestWithParam<Seq2seqCase> {
 protected:
  std::unique_ptr<Model> MakeOne(const std::string& more = "") const {
    return Make(
        GetParam().model, GetParam().set,
        "hidden_size=32,num_hidden_layers=2," + more + GetParam().overrides);
  }
};

// By running the body over what was decoded so far, as any model can.
TEST_P(Seq2seqTest, SlowDecodingGivesWhatStepsGive) {
  at::manual_seed(5);
  const std::unique_ptr<Model> model = MakeOne();
  const Features features = ReverseTask(3, 4);
  const auto fast = model->StartDecoding(features);
  const auto slow = model->Model::StartDecoding(features);
  at::Tensor ids;
  for (int64_t i = 0; i < 3; ++i) {
    const at::Tensor logits = model->DecodeStep(fast.get(), ids);
    EXPECT_LT(MaxDifference(model->Model::DecodeStep(slow.get(), ids), logits),
              1e-5);
    const at::Tensor rows = at::tensor({2, 0, 1});
    fast->Select(rows);
    slow->Select(rows);
    ids = features.at("targets").select(1, i).index_select(0, rows);
  }
}

TEST_P(Seq2seqTest, StepsGiveTheSameLogits) {
  at::manual_seed(4);
  const std::unique_ptr<Model> model = MakeOne();
  Features features = ReverseTask(4, 5);
  // Rows of different lengths.
  features["inputs"][1].slice(0, 3, 6).zero_();
  features["inputs"][3].slice(0, 1, 6).zero_();
  const at::Tensor targets = features["targets"];
  const at::Tensor whole = model->Logits(features, Mode::kPredict);
  EXPECT_LT(MaxDifference(DecodeAlong(model.get(), features, targets), whole),
            1e-5);

  // Rows that are reordered, dropped and doubled on the way.
  const std::unique_ptr<DecodeState> state = model->StartDecoding(features);
  model->DecodeStep(state.get(), {});
  model->DecodeStep(state.get(), targets.select(1, 0));
  const at::Tensor rows = at::tensor({3, 1, 1, 0, 3});
  state->Select(rows);
  at::Tensor step = model->DecodeStep(
      state.get(), targets.select(1, 1).index_select(0, rows));
  EXPECT_LT(MaxDifference(step, whole.select(1, 2).index_select(0, rows)),
            1e-5);
  const at::Tensor fewer = at::tensor({1, 4});
  state->Select(fewer);
  const at::Tensor left = rows.index_select(0, fewer);
  step = model->DecodeStep(state.get(),
                           targets.select(1, 2).index_select(0, left));
  EXPECT_LT(MaxDifference(step, whole.select(1, 3).index_select(0, left)),
            1e-5);
}

TEST_P(Seq2seqTest, Learns) {
  at::manual_seed(5);
  const std::unique_ptr<Model> model =
      MakeOne(std::string(GetParam().dropout) + "=0.0,");
  const double before =
      model->Loss(ReverseTask(64, 3), Mode::kTrain).Total().item<double>();
  const double after =
      Train(model.get(), 120, 0.01, [] { return ReverseTask(32, 3); });
  EXPECT_GT(before, 1.5);
  EXPECT_LT(after, 0.5 * before);
}

TEST_P(Seq2seqTest, DropoutIsInTrainingAlone) {
  at::manual_seed(6);
  const std::unique_ptr<Model> model =
      MakeOne(std::string(GetParam().dropout) + "=0.5,");
  const Features features = ReverseTask(2, 3);
  const auto logits = [&](Mode mode) { return model->Logits(features, mode); };
  EXPECT_EQ(MaxDifference(logits(Mode::kEval), logits(Mode::kEval)), 0.0);
  EXPECT_GT(MaxDifference(logits(Mode::kTrain), logits(Mode::kTrain)), 0.0);
}

INSTANTIATE_TEST_SUITE_P(
    Models, Seq2seqTest,
    testing::Values(
        Seq2seqCase{"lstm_seq2seq", "lstm_seq2seq", ""},
        Seq2seqCase{"lstm_seq2seq_attention", "lstm_attention",
                    "attention_layer_size=32"},
        Seq2seqCase{"lstm_seq2seq_attention", "lstm_luong_attention_multi",
                    "attention_layer_size=16,num_heads=2"},
        Seq2seqCase{"lstm_seq2seq_attention", "lstm_luong_attention",
                    "output_attention=false,attention_masks_padding=true"},
        Seq2seqCase{"lstm_seq2seq_attention", "lstm_area_attention_base",
                    "attention_layer_size=16,num_heads=2,max_area_width=3,"
                    "area_key_mode=concat"},
        Seq2seqCase{"lstm_seq2seq_bidirectional_encoder", "lstm_seq2seq", ""},
        Seq2seqCase{"lstm_seq2seq_attention_bidirectional_encoder",
                    "lstm_attention", "attention_layer_size=32"}));

TEST(Lstm, MaskedAttentionDoesNotSeePadding) {
  const Features features = ReverseTask(2, 4);
  Features padded = features;
  padded["inputs"] = at::constant_pad_nd(features.at("inputs"), {0, 3});
  for (const bool masked : {false, true}) {
    const std::unique_ptr<Model> model =
        Make("lstm_seq2seq_attention", "lstm_attention",
             std::string("hidden_size=8,attention_masks_padding=") +
                 (masked ? "true" : "false"));
    const double difference =
        MaxDifference(model->Logits(features, Mode::kEval),
                      model->Logits(padded, Mode::kEval));
    if (masked) {
      EXPECT_LT(difference, 1e-6);
    } else {
      EXPECT_GT(difference, 1e-6);  // as in T2T
    }
  }
}

// T2T counts a hypothesis' length by what is no padding, so that behind one
// that holds padding come zeros: its own beam search, in which such ones take
// part.
TEST(Lstm, DecodesHypothesesWithPaddingAsT2T) {
  const std::string name = "lstm_seq2seq_bidirectional_encoder";
  const auto golden =
      ReadSafetensors("tests/golden/train/" + name + ".safetensors", nullptr);
  ProblemInfo info;
  info.features["inputs"].vocab_size = 40;
  info.features["targets"].vocab_size = 40;
  HParams hparams =
      MakeHParams("lstm_seq2seq", "hidden_size=16,num_hidden_layers=2");
  NoDropout(&hparams);
  const std::unique_ptr<Model> model = Models().Get(name)(hparams, info, 1);
  {
    const at::NoGradGuard no_grad;
    for (const auto& entry : model->params().entries()) {
      at::Tensor parameter = entry.tensor;
      parameter.copy_(golden.at(entry.name));
    }
  }
  const at::Tensor inputs = golden.at("features/inputs").to(at::kLong);
  const int64_t rows = inputs.size(0);
  SearchOptions options;
  options.beam_size = 4;
  options.top_beams = 4;
  SearchRow row;
  row.decode_length = inputs.size(1) + 6;
  const auto found =
      Search(model.get(), {{"inputs", inputs.view({rows, -1})}},
             std::vector<SearchRow>(static_cast<size_t>(rows), row), options);
  const at::Tensor scores = golden.at("decode/beam4/scores");
  for (int64_t i = 0; i < rows; ++i) {
    const auto& hypotheses = found[static_cast<size_t>(i)];
    for (size_t k = 0; k < hypotheses.size(); ++k) {
      const double expected = scores[i][static_cast<int64_t>(k)].item<double>();
      if (expected < -1e6) continue;  // none
      EXPECT_NEAR(hypotheses[k].score, expected, 1e-3) << i << " " << k;
    }
  }
}

TEST(Lstm, LanguageModelDecodes) {
  ProblemInfo info;
  info.features["targets"].vocab_size = kVocab;
  const std::unique_ptr<Model> model = Models().Get("lstm_seq2seq")(
      MakeHParams("lstm_seq2seq", "hidden_size=8"), info, 1);
  at::manual_seed(7);
  const Features features = {
      {"targets", at::randint(2, kVocab, {3, 4}, at::kLong)}};
  EXPECT_LT(
      MaxDifference(DecodeAlong(model.get(), features, features.at("targets")),
                    model->Logits(features, Mode::kPredict)),
      1e-5);
}

// Whether the symbol 5 is in the input.
Features ClassTask(int64_t rows) {
  const at::Tensor inputs = at::randint(2, kVocab, {rows, 4}, at::kLong);
  return {{"inputs", inputs},
          {"targets", inputs.eq(5).any(1, true).to(at::kLong)}};
}

double Accuracy(Model* model, const Features& features) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<DecodeState> state = model->StartDecoding(features);
  const at::Tensor logits = model->DecodeStep(state.get(), {});
  EXPECT_LT(MaxDifference(logits, model->Logits(features, Mode::kPredict)),
            1e-6);
  EXPECT_THROW(model->DecodeStep(state.get(), logits.argmax(1)), Error);
  return logits.argmax(1)
      .eq(features.at("targets").flatten())
      .to(at::kFloat)
      .mean()
      .item<double>();
}

TEST(TransformerEncoder, LearnsAClass) {
  at::manual_seed(8);
  const std::unique_ptr<Model> model =
      Make("transformer_encoder", "transformer_tiny",
           "hidden_size=32,filter_size=64,num_heads=2,label_smoothing=0.0,"
           "layer_prepostprocess_dropout=0.0,attention_dropout=0.0,"
           "relu_dropout=0.0",
           "class_label", 2);
  Train(model.get(), 100, 0.005, [] { return ClassTask(64); });
  EXPECT_GT(Accuracy(model.get(), ClassTask(200)), 0.95);
}

TEST(LstmEncoder, LearnsAClass) {
  at::manual_seed(9);
  const std::unique_ptr<Model> model =
      Make("lstm_encoder", "lstm_seq2seq",
           "hidden_size=16,dropout=0.0,num_hidden_layers=1", "class_label", 2);
  Train(model.get(), 150, 0.02, [] { return ClassTask(64); });
  EXPECT_GT(Accuracy(model.get(), ClassTask(200)), 0.95);
}

ProblemInfo ImageInfo() {
  ProblemInfo info;
  info.name = "toy_images";
  info.features["inputs"].modality = "image";
  info.features["inputs"].vocab_size = 256;
  info.features["inputs"].shape = {6, 6, 1};
  info.features["targets"].modality = "class_label";
  info.features["targets"].vocab_size = 4;
  return info;
}

// Which quarter of the image is bright.
Features ImageTask(int64_t rows) {
  at::Tensor images = at::randint(100, {rows, 6, 6, 1}, at::kLong);
  const at::Tensor labels = at::randint(4, {rows, 1}, at::kLong);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t label = labels[row].item<int64_t>();
    images[row]
        .slice(0, label / 2 * 3, label / 2 * 3 + 3)
        .slice(1, label % 2 * 3, label % 2 * 3 + 3)
        .add_(100);
  }
  return {{"inputs", images}, {"targets", labels}};
}

TEST(BasicFcRelu, LearnsImages) {
  at::manual_seed(10);
  const std::unique_ptr<Model> model = Models().Get("basic_fc_relu")(
      MakeHParams("basic_fc_small", "hidden_size=32"), ImageInfo(), 2);
  Train(model.get(), 300, 0.002, [] { return ImageTask(32); });
  EXPECT_GT(Accuracy(model.get(), ImageTask(200)), 0.95);
}

// ---- Bad input.

template <typename F>
std::string MessageOf(const F& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

TEST(SmallModels, RefuseBadInput) {
  EXPECT_NE(MessageOf([] {
              Make("lstm_seq2seq_attention", "lstm_area_attention_base",
                   "area_value_mode=max");
            }).find("mean or sum"),
            std::string::npos);
  MessageOf([] {
    Make("lstm_seq2seq_attention", "lstm_attention", "max_area_width=2");
  });
  EXPECT_NE(MessageOf([] {
              Make("lstm_seq2seq_attention", "lstm_seq2seq", "");
            }).find("lstm_attention"),
            std::string::npos);
  MessageOf([] {
    Make("lstm_seq2seq_attention", "lstm_attention",
         "attention_mechanism=cosine");
  });
  MessageOf(
      [] { Make("lstm_seq2seq_attention", "lstm_attention", "num_heads=0"); });
  MessageOf(
      [] { Make("lstm_seq2seq", "lstm_seq2seq", "num_hidden_layers=0"); });
  // A shared table is as wide as the embeddings, this model's output wider.
  MessageOf([] {
    Make("lstm_seq2seq_bidirectional_encoder", "lstm_seq2seq",
         "shared_embedding_and_softmax_weights=true");
  });
  MessageOf([] { Make("basic_fc_relu", "basic_fc_small", ""); });
  ProblemInfo no_inputs;
  no_inputs.features["targets"].vocab_size = kVocab;
  for (const char* name : {"lstm_seq2seq_attention", "lstm_encoder"}) {
    MessageOf([&] {
      Models().Get(name)(MakeHParams("lstm_attention", ""), no_inputs, 1);
    });
  }
  Features packed = ReverseTask(2, 3);
  packed["inputs_segmentation"] = packed["inputs"].ne(0);
  MessageOf([&] {
    Make("lstm_seq2seq", "lstm_seq2seq", "hidden_size=8")
        ->Loss(packed, Mode::kTrain);
  });
  EXPECT_THROW(Make("lstm_seq2seq", "lstm_seq2seq", "hidden_size=8")
                   ->Loss({}, Mode::kTrain),
               Error);
}

// What t2t-launch and --registry_help say of models before LibTorch is loaded.
TEST(CatalogueTest, ModelsThatAreHereAreTheRegistered) {
  EXPECT_EQ(Models().Names(), ModelsHere());
}

}  // namespace
}  // namespace t2t
