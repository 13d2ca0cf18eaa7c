#include "launch/app/costs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "launch/app/testing_components.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

CostQuestion Question(const ComponentSettings& settings) {
  return CostQuestion::Of(MakeTestingComponent("train", settings), {});
}

std::string Key(const ComponentSettings& settings) {
  return Question(settings).key;
}

// What t2t-trainer would say, of a model with so many parameters.
Json Answer(const CostQuestion& question, int64_t parameters) {
  Json step = Json::Object();
  step.Set("flops", 1.5e9);
  step.Set("activation_bytes", 1000);
  Json sizes = Json::Object();
  for (const auto& [name, size] : question.vocabularies) sizes.Set(name, size);
  Json answer = Json::Object();
  answer.Set("version", 1);
  answer.Set("vocabularies", sizes);
  answer.Set("parameters", parameters);
  answer.Set("weight_bytes", 4 * parameters);
  answer.Set("gradient_bytes", 4 * parameters);
  answer.Set("optimizer_bytes", 8 * parameters);
  answer.Set("checkpoint_bytes", 12 * parameters);
  answer.Set("computes_in_16_bits", false);
  answer.Set("step", step);
  return answer;
}

std::string Refusal(Costs* costs, const CostQuestion& question) {
  try {
    costs->Of(question);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

class CostsTest : public testing::Test {
 protected:
  void SetUp() override { folder_ = MakeTempDirectory("costs"); }
  void TearDown() override { RemoveTree(folder_); }
  std::string Path() const { return JoinPath(folder_, "costs.json"); }

  std::string folder_;
};

TEST_F(CostsTest, AQuestionIsWhatTheAnswerDependsOn) {
  const std::string tiny = Key({{"hparams_set", "transformer_tiny"}});
  EXPECT_EQ(
      tiny.substr(0, tiny.find(", hparams")),
      "transformer on translate_ende_multi30k, inputs 8192, targets 8192");
  // Said in another way, or of the learning rate.
  EXPECT_EQ(tiny, Key({{"hparams_set", "transformer_tiny"},
                       {"hparams", "hidden_size=128,learning_rate=3"}}));
  EXPECT_EQ(tiny, Key({{"hparams_set", "transformer_tiny"},
                       {"workers", "4"},
                       {"train_steps", "7"}}));
  EXPECT_NE(tiny, Key({{"hparams_set", "transformer_tiny"},
                       {"hparams", "hidden_size=64"}}));
  EXPECT_NE(tiny, Key({{"hparams_set", "transformer_tiny"},
                       {"problem", "translate_ende_wmt32k"}}));
  EXPECT_NE(tiny, Key({{"hparams_set", "transformer_tiny"},
                       {"model", "transformer_scorer"}}));
  // As the trainer takes them: the last of --hparams counts.
  EXPECT_EQ(Key({{"hparams", "hidden_size=64"}}),
            Key({{"hparams", "hidden_size=32"},
                 {"trainer_args", "--hparams=hidden_size=64"}}));
}

TEST_F(CostsTest, NamesThatThereAreNotAreNoQuestion) {
  for (const ComponentSettings& settings :
       {ComponentSettings{{"model", "transfromer"}},
        ComponentSettings{{"problem", "translate_nothing"}},
        ComponentSettings{{"hparams_set", "transformer_bse"}},
        ComponentSettings{{"hparams", "num_heads=many"}}}) {
    EXPECT_THROW(Question(settings), Error) << settings[0].second;
  }
}

TEST_F(CostsTest, VocabulariesThatAreThereCount) {
  WriteFileAtomically(JoinPath(folder_,
                               "vocab.translate_ende_multi30k.8192."
                               "subwords"),
                      "'<pad>_'\n'<EOS>_'\n'a_'\n");
  const CostQuestion question =
      CostQuestion::Of(MakeTestingComponent("train"), {"/nowhere", folder_});
  EXPECT_TRUE(question.vocabulary_known);
  EXPECT_EQ(question.data_dir, folder_);
  EXPECT_LT(question.vocabularies.at("targets"), 10);
  EXPECT_FALSE(Question({}).vocabulary_known);
  // Bytes need no file.
  EXPECT_TRUE(
      Question({{"problem", "algorithmic_reverse_binary40"}}).vocabulary_known);
}

TEST_F(CostsTest, AnAnswerIsKeptAndTravels) {
  const CostQuestion tiny = Question({{"hparams_set", "transformer_tiny"}});
  const CostQuestion big = Question({{"hparams_set", "transformer_big"}});
  int asked = 0;
  Costs costs(Path());
  costs.AskBy([&](const CostQuestion& question) {
    ++asked;
    return Answer(question, question.key == tiny.key ? 7 : 9);
  });
  EXPECT_EQ(costs.Of(tiny).parameters, 7);
  EXPECT_EQ(costs.Of(tiny).parameters, 7);
  EXPECT_EQ(asked, 1);
  costs.Of(big);
  EXPECT_EQ(asked, 2);
  // On a machine without a t2t-trainer.
  Costs elsewhere(Path());
  const ModelCost cost = elsewhere.Of(tiny);
  EXPECT_EQ(cost.parameters, 7);
  EXPECT_EQ(cost.state_bytes(), 16 * 7);
  EXPECT_EQ(cost.checkpoint_bytes, 12 * 7);
  EXPECT_TRUE(cost.step_known);
  EXPECT_EQ(cost.flops, 1.5e9);
  // The same bytes in whatever order they were asked, by commands that did not
  // know of each other.
  const std::string text = ReadFile(Path());
  RemoveFile(Path());
  Costs first(Path());
  Costs second(Path());
  first.AskBy([](const CostQuestion& q) { return Answer(q, 9); });
  second.AskBy([](const CostQuestion& q) { return Answer(q, 7); });
  first.Of(big);
  second.Of(tiny);
  EXPECT_EQ(ReadFile(Path()), text);
}

TEST_F(CostsTest, WhoCannotBeAskedIsAskedOnce) {
  int asked = 0;
  Costs costs(Path());
  costs.AskBy([&](const CostQuestion&) -> Json {
    ++asked;
    throw MissingError("there is no t2t-trainer", "one", "install it");
  });
  const CostQuestion question = Question({});
  testing::internal::CaptureStderr();
  EXPECT_EQ(Refusal(&costs, question), "no estimate: there is no t2t-trainer");
  EXPECT_EQ(Refusal(&costs, question), "no estimate: there is no t2t-trainer");
  EXPECT_NE(Refusal(&costs, Question({{"hparams_set", "transformer_tiny"}})),
            "");
  EXPECT_EQ(asked, 2);
  // One line, which says what it means.
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("memory is as components set it"), std::string::npos);
  EXPECT_FALSE(Exists(Path()));
}

TEST_F(CostsTest, AnswersOfAnotherVersionAreNotTaken) {
  const CostQuestion question = Question({});
  Costs costs(Path());
  costs.AskBy([](const CostQuestion& q) {
    Json answer = Answer(q, 7);
    answer.Set("version", 2);
    return answer;
  });
  EXPECT_NE(Refusal(&costs, question).find("another version"),
            std::string::npos);
  Costs other(Path());
  other.AskBy([](const CostQuestion& q) {
    Json answer = Answer(q, 7);
    Json sizes = Json::Object();
    sizes.Set("inputs", 1);
    sizes.Set("targets", 1);
    answer.Set("vocabularies", sizes);
    return answer;
  });
  EXPECT_NE(Refusal(&other, question).find("otherwise than t2t-launch"),
            std::string::npos);
  EXPECT_FALSE(Exists(Path()));
  // A file of another version is as none.
  WriteFileAtomically(Path(), R"({"version": 99, "costs": 3})");
  Costs third(Path());
  third.AskBy([](const CostQuestion& q) { return Answer(q, 7); });
  EXPECT_EQ(third.Of(question).parameters, 7);
}

TEST_F(CostsTest, AFileThatIsNoneIsSaid) {
  for (const char* const text : {"", "{", "[]", R"({"version": 1})",
                                 R"({"version": 1, "costs": {"a": {}}})"}) {
    WriteFileAtomically(Path(), text);
    try {
      Costs costs(Path());
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      const std::string what = error.what();
      EXPECT_NE(what.find("costs.json"), std::string::npos) << what;
      EXPECT_NE(what.find("remove it"), std::string::npos) << what;
    }
  }
}

}  // namespace
}  // namespace t2t
