// Twenty training steps of small models, one rank and two: losses and weights
// must keep their bits (tests/golden/training/steps.txt) while the code around
// them is moved and rewritten. Where a commit means to change numbers, it says
// so and brings a new file:
//   bazel run //tests/safety_net:training_steps_test
// with T2T_WRITE_GOLDEN=$PWD/tests/golden/training/steps.txt set.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "problems/synthetic_mnist.h"
#include "t2t/base/crc32c.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/safetensors.h"

namespace t2t {
namespace {

constexpr int kSteps = 20;
constexpr char kGolden[] = "tests/golden/training/steps.txt";

struct Case {
  std::string name;
  std::string problem;
  std::string model;
  std::string set;
  std::string hparams;
  int most_ranks = 2;
};

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      {"transformer", "translate_numbers_ende", "transformer",
       "transformer_tiny", "batch_size=256,learning_rate_warmup_steps=10"},
      {"transformer_memory", "translate_numbers_ende", "transformer_memory",
       "transformer_wikitext103_l4k_memory_v0",
       "batch_size=64,max_length=64,split_targets_chunk_length=8,hidden_size="
       "32,"
       "filter_size=64,num_heads=2,num_hidden_layers=2,num_memory_items=8,"
       "learning_rate_warmup_steps=10",
       1},  // its memory is of one rank
      {"lstm_seq2seq_attention", "translate_numbers_ende",
       "lstm_seq2seq_attention", "lstm_luong_attention",
       "batch_size=128,hidden_size=32,num_hidden_layers=2"},
      {"basic_fc_relu", "image_mnist", "basic_fc_relu", "basic_fc_small",
       "batch_size=16,hidden_size=32"}};
  return cases;
}

// One CRC-32C over all tensors of a checkpoint, by name: optimizer state too.
std::string HashOfCheckpoint(const std::string& path) {
  const SafetensorsFile file(path);
  std::map<std::string, const SafetensorsEntry*> entries;
  for (const SafetensorsEntry& entry : file.header().entries) {
    entries[entry.name] = &entry;
  }
  uint32_t crc = 0;
  for (const auto& [name, entry] : entries) {
    std::string bytes(static_cast<size_t>(entry->end - entry->begin), '\0');
    file.Read(*entry, bytes.data());
    crc = Crc32c(bytes, Crc32c(name, crc));
  }
  return Format("%zu tensors %08x", entries.size(), crc);
}

// The losses that the log's progress lines tell, in their order.
std::vector<std::string> LossesOf(const std::string& output) {
  std::vector<std::string> losses;
  for (const std::string& line : Split(output, '\n')) {
    const size_t step = line.find("step ");
    const size_t at = line.find("  loss ");
    if (step == std::string::npos || at == std::string::npos) continue;
    losses.push_back(line.substr(at + 7, line.find(' ', at + 7) - at - 7));
  }
  return losses;
}

class TrainingStepsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The same instructions on every processor, as far as they can be asked
    // for: MKL's, ATen's and our own kernels.
    ::setenv("MKL_CBWR", "COMPATIBLE", 1);
    ::setenv("ATEN_CPU_CAPABILITY", "default", 1);
    ::setenv("T2T_MAX_ISA", "baseline", 1);
    dir_ = MakeTempDirectory("training_steps");
    MakeDirectories(JoinPath(dir_, "tmp"));
    WriteSyntheticMnist(JoinPath(dir_, "tmp"), 200, 20, 1);
    for (const char* problem : {"translate_numbers_ende", "image_mnist"}) {
      const RunResult run = RunProgram(
          {"t2t/bin/datagen/t2t-datagen", std::string("--problem=") + problem,
           "--data_dir=" + JoinPath(dir_, "data"),
           "--tmp_dir=" + JoinPath(dir_, "tmp"), "--num_shards=1"});
      ASSERT_EQ(run.code, 0) << run.output;
    }
  }
  static void TearDownTestSuite() { RemoveTree(dir_); }

  // "name ranks=2 loss ... weights ...".
  static std::string Train(const Case& a_case, int ranks) {
    const std::string out =
        JoinPath(dir_, a_case.name + "_" + std::to_string(ranks));
    std::vector<std::string> command = {
        "t2t/bin/trainer/t2t-trainer",
        "--problem=" + a_case.problem,
        "--model=" + a_case.model,
        "--hparams_set=" + a_case.set,
        "--hparams=" + a_case.hparams,
        "--data_dir=" + JoinPath(dir_, "data"),
        "--output_dir=" + out,
        "--train_steps=" + std::to_string(kSteps),
        "--log_step_count_steps=1",
        "--schedule=train",
        "--threads=1",
        "--random_seed=7"};
    if (ranks > 1) command.push_back("--worker_cpu=" + std::to_string(ranks));
    const RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    const std::vector<std::string> losses = LossesOf(run.output);
    EXPECT_EQ(losses.size(), static_cast<size_t>(kSteps)) << run.output;
    if (run.code != 0) return "";
    return a_case.name + " ranks=" + std::to_string(ranks) + " losses " +
           Join(losses, " ") + " weights " +
           HashOfCheckpoint(JoinPath(
               out, "model.ckpt-" + std::to_string(kSteps) + ".safetensors"));
  }

  static std::string dir_;
};

std::string TrainingStepsTest::dir_;

TEST_F(TrainingStepsTest, LossesAndWeightsKeepTheirBits) {
  std::string text = "# Made by //tests/safety_net:training_steps_test\n";
  for (const Case& a_case : Cases()) {
    for (int ranks = 1; ranks <= a_case.most_ranks; ++ranks) {
      text += Train(a_case, ranks) + "\n";
    }
  }
  if (const char* path = std::getenv("T2T_WRITE_GOLDEN")) {
    WriteFileAtomically(path, text);
    return;
  }
  const std::vector<std::string> want = Split(ReadFile(kGolden), '\n');
  const std::vector<std::string> got = Split(text, '\n');
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(got[i], want[i]);
}

}  // namespace
}  // namespace t2t
