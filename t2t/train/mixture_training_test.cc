// transformer trains on a mixture of problems: the same steps by any number of
// ranks, and it is evaluated by member.

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "hparams/all_hparams.h"
#include "models/all_models.h"
#include "problems/all_problems.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/model/task_loss.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/mixture_kinds.h"
#include "t2t/train/evaluated_members.h"
#include "t2t/train/input_options.h"
#include "t2t/train/trainer.h"

namespace t2t {
namespace {

constexpr char kMixture[] = "mixed_sequences";
constexpr int64_t kSteps = 60;

HParams TinyHParams() {
  return MakeHParams(
      "transformer_tiny",
      "num_hidden_layers=1,hidden_size=32,filter_size=64,num_heads=2,"
      "batch_size=400,max_length=90,multiproblem_schedule_threshold=0.6,"
      "learning_rate_schedule=constant,learning_rate_constant=0.003,"
      "layer_prepostprocess_dropout=0.1,attention_dropout=0.0,"
      "relu_dropout=0.0");
}

class MixtureTrainingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    RegisterAllProblems(Problems());
    RegisterAllSets(HParamsSets(), HParamsRanges());
    RegisterTransformer(Models());
    RegisterOptimizers(Optimizers());
    Problems().Add(kMixture, [] {
      return TaskMixture(kMixture, {"algorithmic_shift_decimal40",
                                    "algorithmic_identity_binary40",
                                    "algorithmic_reverse_binary40"});
    });
  }

  MixtureTrainingTest() : dir_(MakeTempDirectory("mixture")) {
    GenerateOptions options;
    options.data_dir = Data();
    options.tmp_dir = dir_;
    options.max_cases = 300;
    GenerateData(problem_, options);
  }
  ~MixtureTrainingTest() override { RemoveTree(dir_); }

  std::string Data() const { return JoinPath(dir_, "data"); }

  std::unique_ptr<InputPipeline> Input(const Problem& problem, Mode mode,
                                       uint64_t seed) const {
    return MakeInputPipeline(MakeInputOptions(
        problem, problem_.Info(Data()), hparams_, Data(),
        mode == Mode::kTrain ? DataSplit::kTrain : DataSplit::kDev, mode, seed,
        /*t2t_batching=*/false));
  }

  // A run of so many ranks to its last checkpoint; what was evaluated goes into
  // a file beside it.
  void Train(const std::string& name, int64_t ranks) const {
    Job job(ranks);
    job.StartAll([&](ProcessGroup* group) {
      at::set_num_threads(1);
      const ProblemInfo info = problem_.Info(Data());
      const auto model = Models().Get("transformer")(hparams_, info, 1);
      TrainerOptions options;
      options.output_dir = JoinPath(dir_, name);
      options.train_steps = kSteps;
      options.save_steps = kSteps;
      options.log_steps = kSteps;
      options.seed = 5;
      options.threads = 1;
      options.micro_batches = 2;
      options.deterministic = true;
      options.group = group;
      Trainer trainer(model.get(), options, [&](uint64_t seed) {
        return Input(problem_, Mode::kTrain, seed);
      });
      trainer.Restore();
      trainer.Train(nullptr);
      const std::map<std::string, double> results =
          EvaluateMembers(problem_, info, hparams_, [&](const Problem& member) {
            const auto input = Input(member, Mode::kEval, 1);
            return trainer.Evaluate(input.get(), problem_.metrics, 4);
          });
      if (!IsFirst(group)) return;
      std::string text;
      for (const auto& [metric, value] : results) {
        text += metric + " " + DoubleToString(value) + "\n";
      }
      WriteFileAtomically(JoinPath(dir_, name + ".results"), text);
    });
    job.ExpectAllWell();
  }

  const std::string dir_;
  const Problem problem_ = *MakeProblem(kMixture);
  const HParams hparams_ = TinyHParams();
};

TEST_F(MixtureTrainingTest, AnyNumberOfRanksTrainsTheSameModel) {
  Train("one", 1);
  Train("two", 2);
  EXPECT_EQ(ReadFile(CheckpointPath(JoinPath(dir_, "one"), kSteps)),
            ReadFile(CheckpointPath(JoinPath(dir_, "two"), kSteps)));
  const std::string results = ReadFile(JoinPath(dir_, "one.results"));
  EXPECT_EQ(results, ReadFile(JoinPath(dir_, "two.results")));
  std::map<std::string, double> values;
  for (const std::string& line : Split(results, '\n')) {
    const std::vector<std::string> words = Split(line, ' ');
    if (words.size() == 2) ParseDouble(words[1], &values[words[0]]);
  }
  // Three members and their mean, of the loss and two metrics.
  EXPECT_EQ(values.size(), 4u * 3u) << results;
  const std::string shift = "algorithmic_shift_decimal40";
  double sum = 0;
  for (const char* const member :
       {"algorithmic_identity_binary40", "algorithmic_reverse_binary40",
        "algorithmic_shift_decimal40"}) {
    sum += values.at(std::string(member) + "/loss");
  }
  EXPECT_NEAR(values.at("loss"), sum / 3, 1e-9);
  // It has learnt which ids each task has: of two symbols (and the end), and of
  // the shifted ones, it is wrong about which.
  EXPECT_LT(values.at("algorithmic_reverse_binary40/loss"), 1.1) << results;
  EXPECT_LT(values.at(shift + "/loss"), 3.2) << results;
}

TEST_F(MixtureTrainingTest, TheModelIsOfTheWholeVocabulary) {
  HParams hparams = hparams_;
  hparams.Set("multiproblem_vocab_size", 50);
  const ProblemInfo info = problem_.Info(Data());
  EXPECT_EQ(info.features.at("targets").vocab_size, 22 + 3);
  const auto model = Models().Get("transformer")(hparams, info, 1);
  EXPECT_EQ(model->info().features.at("targets").vocab_size, 50);
}

// aggregate_task_losses, written plainly, of targets with losses 1, 2, 3, ...
TEST(TaskLossTest, IsTheMeanOfTheTasks) {
  const std::vector<TaskInfo> tasks = {{"lm", 90}, {"a", 91}, {"b", 92}};
  const at::Tensor targets = at::tensor({90, 4, 5, 1, 0, 0,  //
                                         3, 4, 91, 7, 8, 1,  //
                                         3, 91, 9, 0, 0, 0},
                                        at::kLong)
                                 .view({3, 6});
  const at::Tensor losses = at::arange(1, 19, at::kFloat).view({3, 6});
  const TaskWeights weighed = WeighTasks(targets, tasks, 0.75);
  const double lm = (1 + 2 + 3 + 4) / 4.0;
  const double given = (7 + 8 + 9 + 13 + 14) / 5.0;
  const double label = (10 + 11 + 12 + 15) / 4.0;
  EXPECT_EQ(weighed.denominator.item<double>(), 13);
  EXPECT_NEAR(((losses * weighed.weights_BL).sum() / 13).item<double>(),
              (lm + 0.25 * given + 0.75 * label) / 2, 1e-5);
  EXPECT_TRUE(at::equal(
      BehindTask(targets, tasks),
      at::tensor({0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0},
                 at::kFloat)
          .view({3, 6})));
}

TEST_F(MixtureTrainingTest, LabelsMayWeighMore) {
  HParams hparams = hparams_;
  const ProblemInfo info = problem_.Info(Data());
  const auto input = Input(problem_, Mode::kTrain, 3);
  const Features features = ToFeatures(*input->Next());
  const auto loss_with = [&](bool reweights, double weight) {
    hparams.Set("multiproblem_reweight_label_loss", reweights);
    hparams.Set("multiproblem_label_weight", weight);
    const auto model = Models().Get("transformer")(hparams, info, 1);
    const LossParts parts = model->Loss(features, Mode::kEval);
    return std::pair(parts.numerator.item<double>(),
                     parts.denominator.item<double>());
  };
  const auto plain = loss_with(false, 0.5);
  EXPECT_EQ(plain.second, features.at("targets").ne(0).sum().item<double>());
  const auto none = loss_with(true, 0.0), all = loss_with(true, 1.0);
  EXPECT_EQ(none.second, plain.second);
  EXPECT_EQ(all.second, plain.second);
  EXPECT_NE(none.first, all.first);
  const auto half = loss_with(true, 0.5);
  EXPECT_NEAR(half.first, (none.first + all.first) / 2, 1e-6 * plain.second);
}

}  // namespace
}  // namespace t2t
