// What t2t-decoder does, and its exit codes, as its user sees them.

#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

class DecoderCliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("decoder_cli");
    const RunResult run = RunProgram(
        {"t2t/bin/trainer/t2t-trainer", "--generate_data",
         "--problem=translate_numbers_ende", "--model=transformer",
         "--hparams_set=transformer_tiny",
         "--hparams=batch_size=200,hidden_size=16,filter_size=32,num_heads=2,"
         "num_hidden_layers=1",
         "--data_dir=" + Path("data"), "--tmp_dir=" + Path("tmp"),
         "--output_dir=" + Path("model"), "--train_steps=2",
         "--schedule=train"});
    ASSERT_EQ(run.code, 0) << run.output;
  }
  static void TearDownTestSuite() { RemoveTree(dir_); }

  static std::string Path(const std::string& name) {
    return JoinPath(dir_, name);
  }

  static std::vector<std::string> Command(
      const std::vector<std::string>& more) {
    std::vector<std::string> command = {"t2t/bin/decoder/t2t-decoder",
                                        "--output_dir=" + Path("model"),
                                        "--threads=1"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  static RunResult Decode(const std::vector<std::string>& more) {
    return RunProgram(Command(more));
  }

  static void Expect(const RunResult& run, int code,
                     const std::vector<std::string>& texts) {
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  }

  // A file of that text; returns its path.
  static std::string Put(const std::string& name, const std::string& text) {
    WriteFileAtomically(Path(name), text);
    return Path(name);
  }

  static std::string dir_;
};

std::string DecoderCliTest::dir_;

TEST_F(DecoderCliTest, KilledAndStartedAgain) {
  std::string text;
  for (int i = 0; i < 150; ++i) {
    text += i % 10 == 3 ? "\n" : "one hundred " + std::to_string(i) + "\n";
  }
  const std::string in = Put("kill.in", text);
  const auto command = [&](const std::string& out) {
    return Command({"--decode_from_file=" + in, "--decode_to_file=" + Path(out),
                    "--decode_hparams=beam_size=2,batch_size=2,"
                    "extra_length=20"});
  };
  const RunResult whole = RunProgram(command("whole.out"));
  Expect(whole, 0, {"150 lines"});
  const std::string expected = ReadFile(Path("whole.out"));
  ASSERT_GT(expected.size(), 1000u);

  const std::string out = Path("killed.out");
  const std::string partial = out + ".partial";
  int64_t size = 0;
  for (const double part : {0.1, 0.4, 0.7}) {
    Subprocess run(command("killed.out"));
    const auto enough = [&] {
      return Exists(partial) && FileSize(partial) > size &&
             static_cast<double>(FileSize(partial)) >
                 part * static_cast<double>(expected.size());
    };
    while (!enough() && !run.EndsWithin(0.001)) {
    }
    run.Signal(SIGKILL);
    ASSERT_EQ(run.Wait(), -SIGKILL) << run.Output();
    EXPECT_FALSE(Exists(out));
    size = FileSize(partial);
    // Nothing that was done is lost, even where the last record was cut.
    const std::string bytes = ReadFile(partial);
    WriteFileAtomically(partial, bytes.substr(0, bytes.size() - 1));
  }
  const RunResult last = RunProgram(command("killed.out"));
  Expect(last, 0, {"going on with", "of 150 lines are done"});
  EXPECT_EQ(ReadFile(out), expected);
  EXPECT_FALSE(Exists(partial));

  // Another setting does not go on with what was done.
  WriteFileAtomically(partial, "of something else");
  Expect(RunProgram(command("killed.out")), 0, {"starting anew"});
  EXPECT_EQ(ReadFile(out), expected);
}

TEST_F(DecoderCliTest, OneAtATime) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "one hundred\n";
  const std::vector<std::string> flags = {
      "--decode_from_file=" + Put("two.in", text),
      "--decode_to_file=" + Path("two.out"), "--decode_hparams=batch_size=1"};
  Subprocess first(Command(flags));
  // Its first record comes after its lock.
  const std::string partial = Path("two.out.partial");
  while ((!Exists(partial) || FileSize(partial) == 0) &&
         !first.EndsWithin(0.001)) {
  }
  // Stopped, it holds its file for certain.
  first.Signal(SIGSTOP);
  const RunResult second = Decode(flags);
  first.Signal(SIGCONT);
  Expect(second, 2, {"two.out.partial is in use"});
  EXPECT_EQ(first.Wait(), 0) << first.Output();
}

TEST_F(DecoderCliTest, SaysThatABeamDoesNotSample) {
  const std::string in = Put("sample.in", "one\n");
  const auto decode = [&](const std::string& beam_size) {
    return Decode({"--decode_from_file=" + in,
                   "--decode_to_file=" + Path("sample." + beam_size),
                   "--hparams=sampling_method=random",
                   "--decode_hparams=extra_length=2,beam_size=" + beam_size});
  };
  Expect(decode("2"), 0, {"has no effect with beam_size=2"});
  const RunResult sampled = decode("1");
  Expect(sampled, 0, {});
  EXPECT_EQ(sampled.output.find("sampling_method"), std::string::npos)
      << sampled.output;
}

TEST_F(DecoderCliTest, EmptyLinesAndBytesThatAreNoText) {
  // Nine lines: empty ones, white space, invalid UTF-8, NUL, and no newline
  // behind the last.
  const std::string text =
      std::string("\n\xff\xfe one\n   \ntwo \xc3\n\xe2\x82\n") +
      std::string("a\0b\n", 4) + "\n\xed\xa0\x80\nthree";
  const RunResult run = Decode({"--decode_from_file=" + Put("odd.in", text),
                                "--decode_to_file=" + Path("odd.out"),
                                "--decode_hparams=beam_size=2,extra_length=3"});
  Expect(run, 0, {"9 lines"});
  const std::vector<std::string> lines = Split(ReadFile(Path("odd.out")), '\n');
  ASSERT_EQ(lines.size(), 10u);
  for (const int empty : {0, 2, 6, 9}) EXPECT_EQ(lines[empty], "") << empty;

  // A file of nothing gives one of nothing.
  Expect(Decode({"--decode_from_file=" + Put("none.in", ""),
                 "--decode_to_file=" + Path("none.out")}),
         0, {"0 lines"});
  EXPECT_EQ(ReadFile(Path("none.out")), "");

  // The same lines as targets are scored.
  std::string pairs;
  for (const std::string& line : Split(text, '\n')) {
    pairs += line + "\t" + line + "\n";
  }
  Expect(Decode({"--score_file=" + Put("odd.tsv", pairs),
                 "--decode_to_file=" + Path("odd.scores")}),
         0, {});
  const std::vector<std::string> scores =
      Split(ReadFile(Path("odd.scores")), '\n');
  ASSERT_EQ(scores.size(), 10u);
  for (int i = 0; i < 9; ++i) {
    double score = 0;
    EXPECT_TRUE(ParseDouble(scores[i], &score) && score > 0) << scores[i];
  }
}

// A bad line is named and has no score; the others have theirs.
TEST_F(DecoderCliTest, ScoreFileThatDoesNotPair) {
  const std::string out = Path("some.scores");
  const auto score = [&](const std::string& text) {
    return Decode(
        {"--score_file=" + Put("bad.tsv", text), "--decode_to_file=" + out});
  };
  Expect(
      score("one\teins\ntwo\nthree\tdrei\n"), 3,
      {"bad.tsv line 2: there is no tab", "source<tab>target", "1 of 3 lines"});
  const std::vector<std::string> lines = Split(ReadFile(out), '\n');
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1], "nan");
  double value = 0;
  EXPECT_TRUE(ParseDouble(lines[0], &value) && value > 0);
  EXPECT_TRUE(ParseDouble(lines[2], &value) && value > 0);
  Expect(score("one\teins\ntwo\tzwei\tdeux\n"), 3,
         {"bad.tsv line 2: there are 2 tabs"});
  // An empty line has no tab: the files it was pasted from are of different
  // length, or one has an empty line.
  Expect(score("one\teins\n\n"), 3, {"bad.tsv line 2"});
  Expect(Decode({"--score_file=" + Path("none.tsv")}), 4, {"none.tsv"});
  // Without a file the scores go to the standard output.
  Expect(Decode({"--score_file=" + Put("good.tsv", "one\teins\n")}), 0, {"\n"});
}

TEST_F(DecoderCliTest, GivesT2TsScores) {
  const std::string golden = "tests/golden/importer/";
  const RunResult import = RunProgram(
      {"t2t/bin/import/t2t-import", "--t2t_dir=" + golden + "t2t",
       "--data_dir=" + golden + "wmt", "--problem=translate_ende_wmt8k",
       "--output_dir=" + Path("imported")});
  Expect(import, 0, {"copied   vocab.translate_ende_wmt8k.8192.subwords"});
  Expect(RunProgram({"t2t/bin/decoder/t2t-decoder",
                     "--output_dir=" + Path("imported"),
                     "--score_file=" + golden + "wmt/pairs.tsv",
                     "--decode_to_file=" + Path("imported.scores")}),
         0, {"step 5"});
  const Json expected = Json::Parse(ReadFile(golden + "scores.json"));
  const std::vector<std::string> scores =
      Split(ReadFile(Path("imported.scores")), '\n');
  ASSERT_EQ(expected.items().size(), 20u);
  ASSERT_EQ(scores.size(), 21u);
  for (size_t i = 0; i < 20; ++i) {
    double score = 0;
    ASSERT_TRUE(ParseDouble(scores[i], &score));
    EXPECT_NEAR(score, expected.items()[i].AsDouble(), 1e-5) << i;
  }
}

// tensorflow/tensor2tensor#1334.
TEST_F(DecoderCliTest, AnExportKeepsDecodeHParams) {
  const std::vector<std::string> exporter = {"t2t/bin/exporter/t2t-exporter",
                                             "--output_dir=" + Path("model"),
                                             "--export_dir=" + Path("export")};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), exporter.begin(), exporter.end());
    return RunProgram(more);
  };
  Expect(run({"--decode_hparams=beam_sise=3"}), 2, {"'beam_size'"});
  Expect(run({"--decode_hparams=beam_size=3,alpha=0.6",
              "--decode_hparams=return_beams=True,extra_length=2",
              "--schedule=train", "--use_tpu"}),
         0, {"exported to", "--schedule has no effect"});
  const auto fields = [&](std::vector<std::string> more) {
    const std::string out = Path("export.out");
    std::vector<std::string> command = {
        "t2t/bin/decoder/t2t-decoder", "--export_dir=" + Path("export"),
        "--decode_from_file=" + Put("export.in", "one\n"),
        "--decode_to_file=" + out};
    command.insert(command.end(), more.begin(), more.end());
    Expect(RunProgram(command), 0, {});
    return Split(ReadFile(out), '\t').size();
  };
  EXPECT_EQ(fields({}), 3u);
  EXPECT_EQ(fields({"--decode_hparams=beam_size=2"}), 2u);
}

TEST_F(DecoderCliTest, EveryDecodeHParamsFlagCounts) {
  const std::string in = "--decode_from_file=" + Put("two.in", "one\n");
  Expect(Decode({in, "--decode_to_file=" + Path("two.a"),
                 "--decode_hparams=extra_length=0,beam_size=1"}),
         0, {});
  Expect(Decode({in, "--decode_to_file=" + Path("two.b"),
                 "--decode_hparams=extra_length=0",
                 "--decode_hparams=beam_size=1"}),
         0, {});
  EXPECT_EQ(ReadFile(Path("two.a")), ReadFile(Path("two.b")));
}

TEST_F(DecoderCliTest, HParamsAreChecked) {
  const std::string from = "--decode_from_file=" + Put("hp.in", "one\n");
  const std::string to = "--decode_to_file=" + Path("hp.out");
  Expect(Decode({from, to, "--hparams=sampling_method=radnom"}), 2,
         {"sampling_method", "'random'"});
  Expect(Decode({from, to, "--hparams=sampling_temp=nan"}), 2,
         {"sampling_temp"});
  Expect(Decode({from, to, "--decode_hparams=alpha=nan"}), 2, {"alpha"});
  Expect(Decode({from, to, "--hparams=sampling_temp=2",
                 "--decode_hparams=extra_length=1"}),
         0, {"sampling_temp=2 has no effect", "sampling_method=random"});
}

TEST_F(DecoderCliTest, BadInput) {
  const std::string from = "--decode_from_file=" + Put("one.in", "one\n");
  const std::string to = "--decode_to_file=" + Path("never.out");
  Expect(Decode({from, to, "--modell=x"}), 2, {"--modell", "--model"});
  Expect(Decode({from, to, "--model=transformr"}), 2, {"transformer"});
  Expect(Decode({from, to, "--problem=translate_number_ende"}), 2,
         {"translate_numbers_ende"});
  Expect(Decode({from, to, "--hparams=hidden_sise=3"}), 2, {"hidden_size"});
  Expect(Decode({from, to, "--decode_hparams=beam_sise=4"}), 2, {"beam_size"});
  Expect(Decode({from, to, "--decode_hparams=beam_size=0"}), 2, {"beam_size"});
  Expect(Decode({from, to, "--threads=-1"}), 2, {"--threads"});
  Expect(Decode({"--dataset_split=tset", to}), 2, {"test"});
  Expect(Decode({"--decode_from_file=" + Path("nowhere"), to}), 4, {"nowhere"});
  Expect(Decode({from, to, "--data_dir=" + Path("nowhere")}), 4,
         {"vocab.translate_numbers_ende"});
  Expect(Decode({from, to, "--checkpoint_path=" + Path("model/model.ckpt-9")}),
         4, {"model.ckpt-9"});
  Expect(Decode({from, to, "--hparams=hidden_size=32"}), 7, {"[", "32"});

  // A vocabulary of another size, and one that is no vocabulary.
  const std::vector<std::string> vocabulary = Glob(Path("data/vocab.*"));
  ASSERT_EQ(vocabulary.size(), 1u);
  MakeDirectories(Path("other"));
  const std::string other = Path("other/") + BaseName(vocabulary[0]);
  const std::string good = ReadFile(vocabulary[0]);
  WriteFileAtomically(other, good + "'onemore_'\n");
  Expect(Decode({from, to, "--data_dir=" + Path("other")}), 7, {"sha256"});
  WriteFileAtomically(other, "");
  Expect(Decode({from, to, "--data_dir=" + Path("other")}), 3, {other});

  // A damaged checkpoint: a parameter, which come last.
  const std::vector<std::string> checkpoints =
      Glob(Path("model/model.ckpt-*.safetensors"));
  ASSERT_FALSE(checkpoints.empty());
  std::string bytes = ReadFile(checkpoints.back());
  bytes[bytes.size() - 9] ^= 8;
  MakeDirectories(Path("damaged"));
  for (const std::string file : {"flags.txt", "hparams.json", "checkpoint"}) {
    WriteFileAtomically(Path("damaged/") + file,
                        ReadFile(Path("model/") + file));
  }
  WriteFileAtomically(Path("damaged/") + BaseName(checkpoints.back()), bytes);
  Expect(Decode({from, to, "--output_dir=" + Path("damaged")}), 3,
         {BaseName(checkpoints.back()), "every checkpoint"});
  EXPECT_FALSE(Exists(Path("never.out")));
  EXPECT_FALSE(Exists(Path("never.out.partial")));
}

}  // namespace
}  // namespace t2t
