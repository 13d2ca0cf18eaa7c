// What t2t-translate-all does, and its exit codes, as its user sees them.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstring>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

constexpr char kProblem[] = "translate_numbers_ende";
constexpr char kText[] = "seven\n\ntwenty-three\n";

class TranslateAllTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("translate_all");
    const RunResult run = RunProgram(
        {"t2t/bin/trainer/t2t-trainer", "--generate_data",
         "--problem=translate_numbers_ende", "--model=transformer",
         "--hparams_set=transformer_tiny",
         "--hparams=batch_size=200,hidden_size=16,filter_size=32,num_heads=2,"
         "num_hidden_layers=1,learning_rate_warmup_steps=10",
         "--data_dir=" + Path("data"), "--tmp_dir=" + Path("tmp"),
         "--output_dir=" + Path("model"), "--train_steps=6",
         "--local_eval_frequency=2", "--schedule=train"});
    ASSERT_EQ(run.code, 0) << run.output;
    Put("source", kText);
  }
  static void TearDownTestSuite() { RemoveTree(dir_); }

  static std::string Path(const std::string& name) {
    return JoinPath(dir_, name);
  }
  static std::string Checkpoint(const std::string& model, int step) {
    return Path(model + "/model.ckpt-" + std::to_string(step) + ".safetensors");
  }
  static std::string Output(const std::string& folder, int step) {
    return Path(folder + "/" + kProblem + "-" + std::to_string(step));
  }
  static std::string Put(const std::string& name, const std::string& text) {
    WriteFileAtomically(Path(name), text);
    return Path(name);
  }

  // A model folder with those steps of the model's.
  static void MakeModel(const std::string& name,
                        const std::vector<int>& steps) {
    MakeDirectories(Path(name));
    for (const std::string file : {"flags.txt", "hparams.json"}) {
      Put(name + "/" + file, ReadFile(Path("model/" + file)));
    }
    for (const int step : steps) {
      WriteFileAtomically(Checkpoint(name, step),
                          ReadFile(Checkpoint("model", step)));
    }
  }

  static std::vector<std::string> Command(
      const std::string& model, const std::string& folder,
      const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {
        "t2t/bin/translate_all/t2t-translate-all",
        "--model_dir=" + Path(model),
        "--source=" + Path("source"),
        "--translations_dir=" + Path(folder),
        "--beam_size=2",
        "--decode_hparams=extra_length=5",
        "--threads=1"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  static void Expect(const RunResult& run, int code,
                     const std::vector<std::string>& texts) {
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  }

  static std::string Decoded(int step) {
    const std::string out = Path("decoded-" + std::to_string(step));
    if (!Exists(out)) {
      Expect(RunProgram({"t2t/bin/decoder/t2t-decoder",
                         "--output_dir=" + Path("model"),
                         "--checkpoint_path=" + Checkpoint("model", step),
                         "--decode_from_file=" + Path("source"),
                         "--decode_to_file=" + out, "--threads=1",
                         "--decode_hparams=beam_size=2,alpha=0.6,"
                         "extra_length=5"}),
             0, {});
    }
    return ReadFile(out);
  }

  static struct timespec TimeOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mtim;
  }
  static void ExpectSameTime(const std::string& a, const std::string& b) {
    EXPECT_EQ(TimeOf(a).tv_sec, TimeOf(b).tv_sec) << a;
    EXPECT_EQ(TimeOf(a).tv_nsec, TimeOf(b).tv_nsec) << a;
  }

  static std::string dir_;
};

std::string TranslateAllTest::dir_;

// tensor2tensor PR #488: training, translating all checkpoints and scoring
// them, with the times at which the checkpoints came.
TEST_F(TranslateAllTest, TranslatesEachCheckpointAndBleuScoresThem) {
  MakeModel("a", {2, 4, 6});
  // Training began an hour ago, step 2 came half an hour ago.
  struct timespec now = TimeOf(Checkpoint("a", 6));
  for (const auto& [path, age] :
       {std::pair<std::string, int>{Path("a/flags.txt"), 3600},
        {Checkpoint("a", 2), 1800}}) {
    const struct timespec times[2] = {{now.tv_sec - age, 0},
                                      {now.tv_sec - age, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  Expect(RunProgram(Command("a", "ta", {"--min_steps=2"})), 0,
         {"with 3 checkpoints"});
  for (const int step : {2, 4, 6}) {
    EXPECT_EQ(ReadFile(Output("ta", step)), Decoded(step));
    ExpectSameTime(Output("ta", step), Checkpoint("a", step));
  }
  EXPECT_NE(Decoded(2), Decoded(6));
  const std::string flags = Path("ta/" + std::string(kProblem) + "-flags.txt");
  EXPECT_EQ(ReadFile(flags), ReadFile(Path("a/flags.txt")));
  ExpectSameTime(flags, Path("a/flags.txt"));

  const RunResult bleu = RunProgram(
      {"t2t/bin/bleu/t2t-bleu", "--translations_dir=" + Path("ta"),
       "--reference=" + Put("reference", "sieben\n\ndreiundzwanzig\n"),
       "--event_dir=" + Path("events")});
  Expect(bleu, 0, {"ende-2:", "ende-4:", "ende-6:"});
  const std::vector<std::string> files = Glob(Path("events/events.*"));
  ASSERT_EQ(files.size(), 1u);
  const std::string events = ReadFile(files[0]);
  // Step 0 has the time at which training began.
  for (const int age : {3600, 1800}) {
    const double time = static_cast<double>(now.tv_sec - age);
    std::string bytes(sizeof(time), '\0');
    std::memcpy(bytes.data(), &time, sizeof(time));
    EXPECT_NE(events.find(bytes), std::string::npos) << age;
  }
}

TEST_F(TranslateAllTest, LeavesWhatIsThere) {
  MakeModel("b", {2, 4});
  MakeDirectories(Path("tb"));
  WriteFileAtomically(Output("tb", 2), "as it was\n");
  Expect(RunProgram(Command("b", "tb")), 0,
         {"ende-2 is there already", "with 1 checkpoint"});
  EXPECT_EQ(ReadFile(Output("tb", 2)), "as it was\n");
  EXPECT_EQ(ReadFile(Output("tb", 4)), Decoded(4));
  // No model is loaded for what is done.
  const RunResult again = RunProgram(Command("b", "tb"));
  Expect(again, 0, {"with 0 checkpoints"});
  EXPECT_EQ(again.output.find("model transformer"), std::string::npos);
}

TEST_F(TranslateAllTest, WaitsForCheckpoints) {
  Subprocess run(Command("c", "tc", {"--wait_minutes=1"}));
  for (const int step : {2, 4}) {
    MakeModel("c", {step});
    for (int i = 0; i < 2000 && !Exists(Output("tc", step)); ++i) {
      ASSERT_FALSE(run.EndsWithin(0.01)) << run.Output();
    }
    EXPECT_EQ(ReadFile(Output("tc", step)), Decoded(step));
  }
  run.Signal(SIGTERM);
  const int code = run.Wait();
  EXPECT_TRUE(code == -SIGTERM || code == 143) << code;
  // The model was loaded once.
  EXPECT_NE(run.Output().find("waiting for a checkpoint"), std::string::npos);
}

TEST_F(TranslateAllTest, KilledLeavesNoHalfOutput) {
  MakeModel("d", {2, 4});
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "one hundred " + std::to_string(i) + "\n";
  const std::string source = "--source=" + Put("long", text);
  const auto command = [&](const std::string& folder) {
    return Command("d", folder,
                   {source, "--decode_hparams=extra_length=20,batch_size=2"});
  };
  Expect(RunProgram(command("whole")), 0, {"with 2 checkpoints"});
  Subprocess run(command("killed"));
  const std::string partial = Output("killed", 4) + ".partial";
  while ((!Exists(partial) || FileSize(partial) < 300) &&
         !run.EndsWithin(0.001)) {
  }
  run.Signal(SIGKILL);
  ASSERT_EQ(run.Wait(), -SIGKILL) << run.Output();
  EXPECT_TRUE(Exists(Output("killed", 2)));
  EXPECT_FALSE(Exists(Output("killed", 4)));
  Expect(RunProgram(command("killed")), 0,
         {"ende-2 is there already", "with 1 checkpoint;"});
  for (const int step : {2, 4}) {
    EXPECT_EQ(ReadFile(Output("killed", step)),
              ReadFile(Output("whole", step)));
  }
}

TEST_F(TranslateAllTest, PassesOverADamagedCheckpoint) {
  MakeModel("e", {2, 4, 6});
  std::string bytes = ReadFile(Checkpoint("e", 4));
  bytes[bytes.size() - 9] ^= 8;
  WriteFileAtomically(Checkpoint("e", 4), bytes);
  Expect(RunProgram(Command("e", "te")), 3,
         {"passed over", "1 checkpoint", "model.ckpt-4"});
  EXPECT_EQ(ReadFile(Output("te", 2)), Decoded(2));
  EXPECT_FALSE(Exists(Output("te", 4)));
  EXPECT_EQ(ReadFile(Output("te", 6)), Decoded(6));
}

TEST_F(TranslateAllTest, RunsAnotherCommand) {
  MakeModel("f", {2});
  const std::string decoder =
      "--decoder_command=t2t/bin/decoder/t2t-decoder {params} --threads=1";
  Expect(RunProgram(Command("f", "tf", {decoder})), 0, {"running: "});
  EXPECT_EQ(ReadFile(Output("tf", 2)), Decoded(2));
  ExpectSameTime(Output("tf", 2), Checkpoint("f", 2));
  // A queue's command returns before there is an output; one that fails is an
  // error.
  Expect(RunProgram(Command("f", "tg", {"--decoder_command=: {params}"})), 0,
         {"is not there yet"});
  Expect(RunProgram(Command("f", "tg", {"--decoder_command=exit 9; {params}"})),
         5, {"ended with 9"});
  Expect(RunProgram(Command("f", "tg", {"--decoder_command=t2t-decoder"})), 2,
         {"{params}"});
}

TEST_F(TranslateAllTest, BadInput) {
  MakeModel("g", {2});
  const auto run = [&](const std::string& flag) {
    return RunProgram(Command("g", "never", {flag}));
  };
  Expect(run("--min_steps=3"), 4, {"of 3 steps or more"});
  Expect(run("--model_dir=" + Path("nowhere")), 4, {"no checkpoint"});
  Expect(run("--source=" + Path("nowhere")), 4, {"nowhere"});
  Expect(run("--source=/dev/null"), 2, {"no plain file"});
  Expect(run("--beam_size=0"), 2, {"beam_size"});
  Expect(run("--wait_minutes=-1"), 2, {"wait_minutes"});
  Expect(run("--problem=translate_number_ende"), 2, {kProblem});
  Expect(run("--model=transformr"), 2, {"transformer"});
  Expect(run("--hparams=hidden_size=32"), 7, {"32"});
  Expect(RunProgram({"t2t/bin/translate_all/t2t-translate-all"}), 2,
         {"--model_dir is missing"});
  EXPECT_TRUE(Glob(Path("never/*ende-2")).empty());
}

}  // namespace
}  // namespace t2t
