#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string PathOf(const std::string& program) {
  std::string folder = program.substr(4);
  for (char& c : folder) {
    if (c == '-') c = '_';
  }
  if (folder == "avg_all") folder = "avg";
  return "t2t/bin/" + folder + "/" + program;
}

// Flags are read in their order: --help at the end shows that all were taken.
RunResult Take(const std::string& program, std::vector<std::string> flags) {
  flags.insert(flags.begin(), PathOf(program));
  flags.push_back("--help");
  return RunProgram(flags);
}

std::string FlagText(const std::string& name, const Json& value) {
  if (value.is_bool()) return (value.AsBool() ? "--" : "--no") + name;
  return "--" + name + "=" +
         (value.is_string() ? value.AsString() : value.ToString());
}

// tensorflow/tensor2tensor#1334: the exporter refused 82 of T2T's 90 flags.
TEST(T2TFlagsTest, EveryFlagOfT2TsIsTakenWithItsDefault) {
  const Json golden = Json::Parse(ReadFile("tests/golden/base/t2t_flags.json"));
  ASSERT_EQ(golden.items().size(), 9U);
  for (const Json& entry : golden.items()) {
    const std::string program = entry.items().at(0).AsString();
    SCOPED_TRACE(program);
    std::vector<std::string> flags;
    for (const auto& [name, value] : entry.items().at(1).members()) {
      const bool refused = name == "checkpoints" ||
                           name == "num_last_checkpoints" ||
                           name == "output_path" || name == "prefix" ||
                           name == "cloud_mlengine_model_name" ||
                           name == "cloud_mlengine_model_version";
      const std::string flag =
          value.is_null() ? "--" + name + "=1" : FlagText(name, value);
      if (!refused) {
        flags.push_back(flag);
        continue;
      }
      const RunResult result = Take(program, {flag});
      EXPECT_EQ(result.code, 2);
      EXPECT_THAT(result.output, HasSubstr("in another way here"));
    }
    const RunResult result = Take(program, flags);
    EXPECT_EQ(result.code, 0) << result.output;
  }
}

TEST(T2TFlagsTest, TheOldNameOfProblem) {
  for (const char* program :
       {"t2t-trainer", "t2t-datagen", "t2t-decoder", "t2t-eval", "t2t-exporter",
        "t2t-import", "t2t-query-server"}) {
    EXPECT_EQ(Take(program, {"--problems=algorithmic_reverse_nlplike32"}).code,
              0)
        << program;
  }
}

TEST(T2TFlagsTest, HelpStaysShort) {
  const RunResult help = Take("t2t-exporter", {});
  EXPECT_THAT(help.output, HasSubstr("--decode_hparams"));
  EXPECT_THAT(help.output, Not(HasSubstr("tpu_num_shards")));
  const RunResult full = RunProgram({PathOf("t2t-exporter"), "--helpfull"});
  EXPECT_EQ(full.code, 0);
  EXPECT_THAT(full.output, HasSubstr("--tpu_num_shards"));
}

TEST(T2TFlagsTest, OddNumbersAreRefusedByEveryProgram) {
  for (const char* program :
       {"t2t-trainer", "t2t-decoder", "t2t-eval", "t2t-model-server"}) {
    for (const char* value : {"-1", "5000", "nan", "1.5", ""}) {
      const RunResult result =
          Take(program, {std::string("--threads=") + value});
      EXPECT_EQ(result.code, 2) << program << " " << value;
      EXPECT_THAT(result.output, HasSubstr("--threads="));
    }
  }
  for (const char* flag :
       {"--ema_decay=nan", "--ema_decay=1", "--train_steps=0",
        "--keep_checkpoint_max=-1", "--eval_timeout_mins=-2",
        "--peak_tflops=inf", "--bucket_mb=0", "--worker_cpu=-2",
        "--rank_silence_seconds=0", "--device=gpu", "--backend=nccl",
        "--zero_stage=4", "--gradient_compression=fp16"}) {
    EXPECT_EQ(Take("t2t-trainer", {flag}).code, 2) << flag;
  }
  for (const char* flag :
       {"--port=70000", "--drain_seconds=nan", "--batch_lanes=1000"}) {
    EXPECT_EQ(Take("t2t-model-server", {flag}).code, 2) << flag;
  }
}

}  // namespace
}  // namespace t2t
