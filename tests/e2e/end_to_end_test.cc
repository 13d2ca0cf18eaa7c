// The small models, from raw data to decodes, by the programs themselves.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "problems/synthetic_mnist.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

class EndToEndTest : public ::testing::Test {
 protected:
  ~EndToEndTest() override { RemoveTree(dir_); }

  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }

  // Runs a program, which must succeed; returns what it said.
  static std::string Run(const std::string& program,
                         const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"t2t/bin/" + program + "/t2t-" +
                                        program};
    command.insert(command.end(), flags.begin(), flags.end());
    const RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    return run.output;
  }

  void Generate(const std::string& problem,
                const std::vector<std::string>& more = {}) {
    problem_ = problem;
    std::vector<std::string> flags = {
        "--problem=" + problem, "--data_dir=" + Path("data"),
        "--tmp_dir=" + Path("tmp"), "--num_shards=1"};
    flags.insert(flags.end(), more.begin(), more.end());
    Run("datagen", flags);
  }

  // Returns the last evaluation's value of a metric.
  double Train(const std::string& model, const std::string& set,
               const std::string& hparams, int steps,
               const std::string& metric) {
    const std::string output =
        Run("trainer",
            {"--problem=" + problem_, "--model=" + model,
             "--hparams_set=" + set, "--hparams=" + hparams,
             "--data_dir=" + Path("data"), "--output_dir=" + Path(model),
             "--train_steps=" + std::to_string(steps),
             "--local_eval_frequency=" + std::to_string(steps), "--threads=1"});
    const size_t at = output.rfind("  " + metric + " ");
    EXPECT_NE(at, std::string::npos) << output;
    double value = -1;
    if (at != std::string::npos) {
      const size_t start = at + metric.size() + 3;
      EXPECT_TRUE(ParseDouble(
          output.substr(start, output.find_first_of(" ,\n", start) - start),
          &value))
          << output;
    }
    return value;
  }

  // flags.txt says the rest.
  std::string Decode(const std::string& model,
                     const std::vector<std::string>& more) {
    std::vector<std::string> flags = {"--output_dir=" + Path(model),
                                      "--decode_to_file=" + Path("decodes"),
                                      "--threads=1"};
    flags.insert(flags.end(), more.begin(), more.end());
    return Run("decoder", flags);
  }

  std::vector<std::string> Lines(const std::string& path) const {
    std::vector<std::string> lines = Split(ReadFile(path), '\n');
    EXPECT_EQ(lines.back(), "");
    lines.pop_back();
    return lines;
  }

  // The part of lines that are alike.
  static double Agreement(const std::vector<std::string>& a,
                          const std::vector<std::string>& b) {
    EXPECT_EQ(a.size(), b.size());
    if (a.size() != b.size() || a.empty()) return 0;
    size_t same = 0;
    for (size_t i = 0; i < a.size(); ++i) same += a[i] == b[i];
    return static_cast<double>(same) / static_cast<double>(a.size());
  }

  std::string dir_ = MakeTempDirectory("end_to_end");
  std::string problem_;
};

TEST_F(EndToEndTest, TransformerEncoderLearnsLabels) {
  // The label is what the one telling word among others says.
  const std::vector<std::vector<std::string>> words = {
      {"apple", "plum", "cherry"},
      {"hammer", "saw", "drill"},
      {"horse", "goat", "sheep"}};
  const std::vector<std::string> labels = {"fruit", "tool", "animal"};
  const std::vector<std::string> fillers = {"a", "old", "red", "big", "the"};
  for (const auto& [split, count] : {std::pair("train", 300), {"dev", 30}}) {
    std::string texts;
    std::string names;
    for (int i = 0; i < count; ++i) {
      const int label = i % 3;
      texts += fillers[i * 7 % 5] + " " + fillers[i * 3 % 5] + " " +
               words[label][i / 3 % 3] + (i % 2 == 0 ? " here\n" : "\n");
      names += labels[label] + "\n";
    }
    WriteFileAtomically(Path(std::string(split) + ".text"), texts);
    WriteFileAtomically(Path(std::string(split) + ".label"), names);
  }
  Generate("text2class_tmpdir",
           {"--train_src=" + Path("train.text"),
            "--train_tgt=" + Path("train.label"),
            "--dev_src=" + Path("dev.text"), "--dev_tgt=" + Path("dev.label")});
  EXPECT_GT(Train("transformer_encoder", "transformer_tiny",
                  "batch_size=256,hidden_size=32,filter_size=64,num_heads=2,"
                  "learning_rate_warmup_steps=20,"
                  "learning_rate_constant=1.0",
                  60, "accuracy"),
            0.9);
  Decode("transformer_encoder", {"--decode_from_file=" + Path("dev.text")});
  EXPECT_GT(Agreement(Lines(Path("decodes")), Lines(Path("dev.label"))), 0.9);
}

TEST_F(EndToEndTest, BasicFcReluLearnsImages) {
  MakeDirectories(Path("tmp"));
  WriteSyntheticMnist(Path("tmp"), 500, 50, 1);
  Generate("image_mnist");
  EXPECT_GT(Train("basic_fc_relu", "basic_fc_small",
                  "batch_size=32,hidden_size=64", 300, "accuracy"),
            0.9);
  Decode("basic_fc_relu", {});
  const std::vector<std::string> decodes = Glob(Path("decodes*.decodes"));
  ASSERT_EQ(decodes.size(), 1u);
  const std::string stem = decodes[0].substr(0, decodes[0].rfind('.'));
  EXPECT_GT(Agreement(Lines(decodes[0]), Lines(stem + ".targets")), 0.9);
}

class LstmEndToEndTest : public EndToEndTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(LstmEndToEndTest, LearnsToReverse) {
  const std::string model = GetParam();
  Generate("algorithmic_reverse_binary40_test");
  const std::string set =
      model == "lstm_seq2seq" ? "lstm_seq2seq" : "lstm_luong_attention";
  EXPECT_GT(
      Train(model, set, "batch_size=512,hidden_size=64,num_hidden_layers=1",
            300, "accuracy"),
      0.7);
  // An empty line stays one.
  WriteFileAtomically(Path("in"), "0 1 1\n\n1 0\n");
  Decode(model, {"--decode_from_file=" + Path("in"),
                 "--decode_hparams=beam_size=2,alpha=0.6"});
  const std::vector<std::string> lines = Lines(Path("decodes"));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0], "");
  EXPECT_EQ(lines[1], "");
  // The dev split, against its own targets.
  Decode(model, {"--decode_hparams=beam_size=1"});
  const std::vector<std::string> decodes = Glob(Path("decodes*.decodes"));
  ASSERT_EQ(decodes.size(), 1u);
  const std::string stem = decodes[0].substr(0, decodes[0].rfind('.'));
  EXPECT_EQ(Lines(decodes[0]).size(), 100u);
  EXPECT_GT(Agreement(Lines(decodes[0]), Lines(stem + ".targets")), 0.15);
}

INSTANTIATE_TEST_SUITE_P(Models, LstmEndToEndTest,
                         ::testing::Values("lstm_seq2seq",
                                           "lstm_seq2seq_attention"));

}  // namespace
}  // namespace t2t
