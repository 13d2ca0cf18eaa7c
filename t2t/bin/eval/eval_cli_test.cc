// What t2t-eval prints, and its exit codes, as its user sees them.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

class EvalCliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("eval_cli");
    const RunResult run = RunProgram(
        {"t2t/bin/trainer/t2t-trainer", "--problem=translate_numbers_ende",
         "--model=transformer", "--hparams_set=transformer_tiny",
         "--hparams=batch_size=200,hidden_size=16,filter_size=32,num_heads=2,"
         "num_hidden_layers=2,learning_rate_schedule=constant,"
         "learning_rate_constant=0.01",
         "--data_dir=" + Out("data"), "--tmp_dir=" + Out("tmp"),
         "--generate_data", "--output_dir=" + Out("a"), "--train_steps=2",
         "--eval_steps=2", "--local_eval_frequency=1",
         "--schedule=train_and_evaluate"});
    ASSERT_EQ(run.code, 0) << run.output;
    trained_ = run.output;
  }

  static std::string Out(const std::string& name) {
    return JoinPath(dir_, name);
  }

  static RunResult Eval(const std::vector<std::string>& more) {
    std::vector<std::string> command = {"t2t/bin/eval/t2t-eval"};
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command);
  }

  static void Expect(const RunResult& run, int code,
                     const std::vector<std::string>& texts) {
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  }

  // The line of t2t-trainer's or t2t-eval's log without its times.
  static std::string EvaluationLine(const std::string& output,
                                    const std::string& step) {
    const size_t at = output.find("evaluation at step " + step + ":");
    if (at == std::string::npos) return "none in " + output;
    return output.substr(at, output.find('(', at) - at);
  }

  static std::string dir_;
  static std::string trained_;
};

std::string EvalCliTest::dir_;
std::string EvalCliTest::trained_;

TEST_F(EvalCliTest, SaysWhatTheTrainerSaid) {
  const std::string out = "--output_dir=" + Out("a");
  const RunResult newest = Eval({out, "--eval_steps=2"});
  Expect(newest, 0, {"step = 2", "loss = ", "approx_bleu_score = "});
  EXPECT_EQ(EvaluationLine(newest.output, "2"), EvaluationLine(trained_, "2"));
  EXPECT_EQ(ListDirectory(Out("a/eval")).size(), 2u);
  const RunResult first =
      Eval({"--checkpoint_path=" + Out("a/model.ckpt-1"), "--eval_steps=2"});
  Expect(first, 0, {"step = 1"});
  EXPECT_EQ(EvaluationLine(first.output, "1"), EvaluationLine(trained_, "1"));
  EXPECT_NE(EvaluationLine(first.output, "1").substr(20),
            EvaluationLine(newest.output, "2").substr(20));
  EXPECT_EQ(ListDirectory(Out("a/eval")).size(), 3u);
}

// Katib reads each number that a pattern finds in a log: a metric has a line
// of its own, with the number of the line for people.
TEST_F(EvalCliTest, EachMetricHasALineOfItsOwn) {
  std::map<std::string, int> lines;
  for (const std::string& line : Split(trained_, '\n')) {
    if (!StartsWith(line, "t2t-metric: ")) continue;
    const size_t equals = line.find('=');
    const size_t space = line.find(" step=");
    ASSERT_NE(space, std::string::npos) << line;
    const std::string name = line.substr(12, equals - 12);
    const std::string number = line.substr(equals + 1, space - equals - 1);
    EXPECT_NE((EvaluationLine(trained_, line.substr(space + 6)) + " ")
                  .find("  " + name + " " + number + " "),
              std::string::npos)
        << line << " of " << trained_;
    ++lines[name];
  }
  EXPECT_EQ(lines["loss"], 2);
  EXPECT_EQ(lines["approx_bleu_score"], 2);
}

TEST_F(EvalCliTest, OtherSplitsAndForms) {
  const std::string out = "--output_dir=" + Out("a");
  const RunResult test =
      Eval({out, "--eval_use_test_set", "--eval_steps=1", "--json"});
  Expect(test, 0, {"{\"step\": 2, \"accuracy\": "});
  EXPECT_NE(EvaluationLine(test.output, "2"), EvaluationLine(trained_, "2"));
  Expect(Eval({out, "--avg_checkpoints=2", "--eval_steps=1", "--worker_gpu=0"}),
         0, {"mean of 2", "--worker_gpu has no effect"});
}

// (Not a folder without the right to write: this may run as root.)
TEST_F(EvalCliTest, FiguresComeWhereEventsCannotBeWritten) {
  MakeDirectories(Out("closed"));
  for (const std::string& name : ListDirectory(Out("a"))) {
    if (IsDirectory(JoinPath(Out("a"), name))) continue;
    WriteFileAtomically(JoinPath(Out("closed"), name),
                        ReadFile(JoinPath(Out("a"), name)));
  }
  WriteFileAtomically(Out("closed/eval"), "a file");
  Expect(Eval({"--output_dir=" + Out("closed"), "--eval_steps=1"}), 0,
         {"step = 2", "loss = ", "warning: no events were written"});
}

TEST_F(EvalCliTest, BadInput) {
  const std::string out = "--output_dir=" + Out("a");
  Expect(Eval({}), 2, {"--output_dir"});
  Expect(Eval({out, "--eval_stepz=1"}), 2, {"'eval_steps'"});
  Expect(Eval({out, "word"}), 2, {"word"});
  Expect(Eval({out, "--threads=-1"}), 2, {"--threads"});
  Expect(Eval({out, "--problem=translate_number_ende"}), 2,
         {"translate_numbers_ende"});
  Expect(Eval({out, "--hparams=hidden_sise=3"}), 2, {"hidden_size"});
  Expect(Eval({out, "--hparams=hidden_size=32"}), 7, {"shape"});
  Expect(Eval({out, "--hparams=num_hidden_layers=1"}), 7, {"the model lacks"});
  Expect(Eval({out, "--data_dir=" + Out("nowhere")}), 4, {"nowhere"});
  Expect(Eval({"--checkpoint_path=" + Out("a/model.ckpt-7")}), 4,
         {"model.ckpt-7"});
  Expect(Eval({"--checkpoint_path=" + Out("a/model.ckpt-1"),
               "--eval_timeout_mins=1"}),
         2, {"--eval_timeout_mins"});
}

}  // namespace
}  // namespace t2t
