#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/dataset_decode.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/load_model.h"
#include "t2t/decode/partial_file.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/decode/toy_model.h"
#include "t2t/decode/weights.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/nn/parameter_units.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

HParams ToyHParams() {
  HParams h;
  h.Add("sampling_method", "argmax");
  h.Add("sampling_temp", 1.0);
  h.Add("hidden_size", 1);
  return h;
}

Problem DecodeToyProblem() {
  Problem problem;
  problem.data_name = "toy";
  FeatureSpec& inputs = problem.features["inputs"];
  inputs.vocabulary.kind = Vocabulary::Kind::kCustom;
  inputs.vocabulary.file = "vocab.toy";
  inputs.vocabulary.load = [](const std::string&) {
    return std::make_shared<ToyEncoder>();
  };
  problem.features["targets"] = inputs;
  return problem;
}

class ToyNames : public ::testing::Environment {
 public:
  void SetUp() override {
    HParamsSets().Add("decode_toy", ToyHParams);
    Problems().Add("decode_toy_problem", DecodeToyProblem);
    AddModel<CopyModel>(Models(), "decode_toy_copy");
  }
};
[[maybe_unused]] const auto* const names =
    ::testing::AddGlobalTestEnvironment(new ToyNames);

void SetStrength(Model* model, float strength) {
  const at::NoGradGuard no_grad;
  model->params().Get("toy/strength").fill_(strength);
}

std::unique_ptr<CopyModel> GoodModel(const ProblemInfo& info = ToyInfo()) {
  auto model = std::make_unique<CopyModel>(ToyHParams(), info, 0);
  SetStrength(model.get(), 20.F);
  return model;
}

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

class DecodeTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }
  // Decodes the text with settings, by `model` or a good one.
  std::string Decode(const std::string& text, const std::string& settings,
                     Model* model = nullptr) {
    WriteFileAtomically(Path("in"), text);
    const auto good = GoodModel();
    HParams decode_hparams = DecodeHParams(settings);
    decode_hparams.Set("log_results", false);
    TextDecoder decoder(model == nullptr ? good.get() : model, decode_hparams,
                        0);
    report_ = DecodeFile({Path("in"), Path("out"), "toy"}, &decoder);
    EXPECT_FALSE(Exists(Path("out.partial")));
    return ReadFile(Path("out"));
  }

  std::string dir_ = MakeTempDirectory("decode");
  FileDecodeReport report_;
};

TEST(DecodeHParamsTest, T2tsDefaultsAndNames) {
  const HParams h = DecodeHParams("beam_size=8,alpha=1");
  EXPECT_EQ(h.Names().size(), 41U);
  EXPECT_EQ(h.GetInt("extra_length"), 100);
  EXPECT_EQ(h.GetInt("beam_size"), 8);
  EXPECT_EQ(DecodeFilename("x/in.txt", "transformer", "base", "ende", h),
            "x/in.txt.transformer.base.ende.beam8.alpha1.0.decodes");
  EXPECT_EQ(DecodeFilename("a.beam8.alpha1.0.decodes", "t", "b", "e", h),
            "a.beam8.alpha1.0.decodes");
  EXPECT_EQ(AddShardToFilename("f", DecodeHParams("shards=3,shard_id=1,"
                                                  "shards_start_offset=4")),
            "f005");
  EXPECT_EQ(AddShardToFilename("f", DecodeHParams("shards=3,shard_id=1,"
                                                  "shard_google_format=True")),
            "f-00001-of-00003");
}

TEST(DecodeHParamsTest, RefusesAndNotes) {
  for (const char* bad :
       {"beam_sise=3", "beam_size=0", "beam_size=x", "batch_size=-1",
        "shards=2,shard_id=2", "num_decodes=0", "max_input_size=0",
        "extra_length=-1", "alpha=nan", "alpha=inf", "eos_penalty=nan",
        "num_samples=-2", "shards=0", "beam_size=1,beam_size=2"}) {
    EXPECT_EQ(CodeOf([&] { DecodeHParams(bad); }), ExitCode::kUsage) << bad;
  }
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("beam_size=3")), IsEmpty());
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("block_size=3")),
              ElementsAre(HasSubstr("block_size")));
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("beam_size=1,alpha=1")),
              ElementsAre(HasSubstr("alpha has no effect with beam_size=1")));
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("shards_start_offset=1")),
              ElementsAre(HasSubstr("shards=1")));
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("write_beam_scores=True")),
              ElementsAre(HasSubstr("return_beams")));
  HParams model;
  EXPECT_EQ(NoteOnSampling(model, DecodeHParams("beam_size=4")), "");
  model.Add("sampling_method", "argmax");
  EXPECT_EQ(NoteOnSampling(model, DecodeHParams("beam_size=4")), "");
  model.Set("sampling_method", "random");
  EXPECT_EQ(NoteOnSampling(model, DecodeHParams("beam_size=1")), "");
  EXPECT_THAT(NoteOnSampling(model, DecodeHParams("beam_size=4")),
              HasSubstr("beam_size=1 samples"));
}

TEST(TextTest, SplitsLines) {
  EXPECT_THAT(SplitLines("a\n\nb\n", "\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(SplitLines("a\n\n", "\n"), ElementsAre("a", ""));
  EXPECT_THAT(SplitLines("a\nb", "\n"), ElementsAre("a", "b"));
  EXPECT_THAT(SplitLines("a||b||", "||"), ElementsAre("a", "b"));
  EXPECT_THAT(SplitLines("", "\n"), IsEmpty());
}

TEST(TextDecoderTest, Encodes) {
  const auto model = GoodModel();
  EXPECT_THAT(TextDecoder(model.get(), DecodeHParams(""), 0).Encode("ab"),
              ElementsAre('a' + 2, 'b' + 2, 1));
  EXPECT_THAT(TextDecoder(model.get(), DecodeHParams("max_input_size=2"), 0)
                  .Encode("abc"),
              ElementsAre('a' + 2, 1));
  EXPECT_THAT(
      TextDecoder(model.get(), DecodeHParams("multiproblem_task_id=9"), 0)
          .Encode("a"),
      ElementsAre('a' + 2, 9));
  const auto language_model = GoodModel(ToyInfo(/*has_inputs=*/false));
  EXPECT_THAT(
      TextDecoder(language_model.get(), DecodeHParams(""), 0).Encode("a"),
      ElementsAre('a' + 2));
}

TEST(TextDecoderTest, BatchesByTokensOrSentences) {
  const auto model = GoodModel();
  const std::vector<int64_t> lengths = {5000, 2000, 2000, 2000, 10, 10};
  using Batch = std::pair<size_t, size_t>;
  EXPECT_THAT(TextDecoder(model.get(), DecodeHParams(""), 0).Batches(lengths),
              ElementsAre(Batch(0, 1), Batch(1, 2), Batch(2, 3), Batch(3, 4),
                          Batch(4, 6)));
  EXPECT_THAT(TextDecoder(model.get(), DecodeHParams("batch_size=4"), 0)
                  .Batches(lengths),
              ElementsAre(Batch(0, 4), Batch(4, 6)));
}

TEST_F(DecodeTest, KeepsOrderEmptyLinesAndBytes) {
  const std::string text =
      "short\n\n  a much longer line  \n\xff\xfe no UTF-8 \xc3\n\t\nend";
  const std::string expected =
      "short\n\na much longer line\n\xff\xfe no UTF-8 \xc3\n\nend\n";
  for (const char* settings :
       {"beam_size=1", "beam_size=4", "beam_size=2,batch_size=1"}) {
    EXPECT_EQ(Decode(text, settings), expected) << settings;
    EXPECT_EQ(report_.lines, 6);
  }
  EXPECT_EQ(Decode("", ""), "");
  EXPECT_EQ(Decode("\n", ""), "\n");
  EXPECT_EQ(Decode("a;b;;c", "delimiter=;"), "a;b;;c;");
}

TEST_F(DecodeTest, BeamsAndScoresAndIds) {
  EXPECT_EQ(Decode("ab\n", "identity_output=True"), "99 100 1\n");
  EXPECT_EQ(Decode("ab\n", "beam_size=1,skip_eos_postprocess=True"),
            "ab<EOS>\n");
  const std::string beams =
      Decode("ab\n", "beam_size=2,return_beams=True,write_beam_scores=True");
  const std::vector<std::string> parts = Split(beams, '\t');
  ASSERT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0], "ab");
  EXPECT_TRUE(parts[1] == "0.00" || parts[1] == "-0.00") << parts[1];
}

TEST_F(DecodeTest, GoesOnAfterBeingStopped) {
  std::string text;
  for (int i = 0; i < 11; ++i) {
    text += std::string(1 + i * 7 % 11, static_cast<char>('a' + i)) + "\n";
  }
  const std::string settings = "batch_size=2,beam_size=2";
  auto failing = GoodModel();
  failing->fail_at_batch = 3;
  EXPECT_THROW(Decode(text, settings, failing.get()), std::runtime_error);
  EXPECT_FALSE(Exists(Path("out")));
  ASSERT_TRUE(Exists(Path("out.partial")));
  const std::string partial = ReadFile(Path("out.partial"));

  auto model = GoodModel();
  EXPECT_EQ(Decode(text, settings, model.get()), text);
  EXPECT_EQ(report_.resumed, 6);
  EXPECT_EQ(model->batches, 3);

  // Killed at any byte of the side file: whole and in order all the same.
  for (size_t size = 0; size <= partial.size(); size += 13) {
    WriteFileAtomically(Path("out.partial"), partial.substr(0, size));
    EXPECT_EQ(Decode(text, settings), text);
    EXPECT_LE(report_.resumed, 6);
  }
  // A flipped bit ends what is taken from it.
  std::string flipped = partial;
  flipped[partial.size() - 3] ^= 4;
  WriteFileAtomically(Path("out.partial"), flipped);
  EXPECT_EQ(Decode(text, settings), text);
  EXPECT_EQ(report_.resumed, 5);
  // Another input or setting: nothing is taken from it.
  WriteFileAtomically(Path("out.partial"), partial);
  EXPECT_EQ(Decode("z" + text, settings), "z" + text);
  EXPECT_EQ(report_.resumed, 0);
  WriteFileAtomically(Path("out.partial"), partial);
  EXPECT_EQ(Decode(text, settings + ",alpha=2"), text);
  EXPECT_EQ(report_.resumed, 0);
  // The batch size changes no result.
  WriteFileAtomically(Path("out.partial"), partial);
  EXPECT_EQ(Decode(text, "batch_size=3,beam_size=2"), text);
  EXPECT_EQ(report_.resumed, 6);
}

TEST_F(DecodeTest, OneProcessAnOutput) {
  const PartialFile first(Path("p"), "x");
  EXPECT_EQ(CodeOf([&] { PartialFile second(Path("p"), "x"); }),
            ExitCode::kUsage);
}

TEST_F(DecodeTest, MissingInput) {
  const auto model = GoodModel();
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  EXPECT_EQ(CodeOf([&] {
              DecodeFile({Path("nothing"), Path("out"), ""}, &decoder);
            }),
            ExitCode::kMissing);
  EXPECT_FALSE(Exists(Path("out.partial")));
}

TEST_F(DecodeTest, LanguageModelGoesOnFromPrefix) {
  // The toy ends at once behind the prefix, which isn't returned.
  const auto model = GoodModel(ToyInfo(/*has_inputs=*/false));
  EXPECT_EQ(Decode("ab\n\n", "num_decodes=2", model.get()), "\n\n\n\n");
  EXPECT_EQ(
      Decode("ab\n", "beam_size=1,skip_eos_postprocess=True", model.get()),
      "<EOS>\n");
}

// An encoder that knows no "x".
class NoX : public ByteTextEncoder {
 public:
  std::vector<int64_t> Encode(std::string_view text) const override {
    if (text.find('x') != text.npos) throw DataError("there is an x");
    return ByteTextEncoder::Encode(text);
  }
};

TEST_F(DecodeTest, ALineThatCanNotBeEncodedDoesNotRefuseTheOthers) {
  ProblemInfo info = ToyInfo();
  info.features["inputs"].encoder = std::make_shared<NoX>();
  const auto model = GoodModel(info);
  EXPECT_EQ(Decode("ab\nxy\nc\n", "", model.get()), "ab\n\nc\n");
  EXPECT_EQ(report_.bad_lines, 1);
}

TEST_F(DecodeTest, CompressedTextAndPipes) {
  const auto model = GoodModel();
  EXPECT_EQ(Decode("ab\n\nc\n", "", model.get()), "ab\n\nc\n");
  ASSERT_EQ(std::system(("gzip -k " + Path("in")).c_str()), 0);
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  DecodeFile({Path("in.gz"), Path("out2"), "toy"}, &decoder);
  EXPECT_EQ(ReadFile(Path("out2")), "ab\n\nc\n");

  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = ReadFile(Path("pipe")); });
  DecodeFile({Path("in"), Path("pipe"), "toy"}, &decoder);
  reader.join();
  EXPECT_EQ(read, "ab\n\nc\n");
  EXPECT_FALSE(Exists(Path("pipe.partial")));
}

TEST_F(DecodeTest, AnOutputThatWouldReplaceTheInputIsRefused) {
  const auto model = GoodModel();
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  for (const char* const name : {"in", "out.partial"}) {
    WriteFileAtomically(Path(name), "ab\n");
    const std::string output = std::string(name) == "in" ? "in" : "out";
    EXPECT_EQ(CodeOf([&] {
                DecodeFile({Path(name), Path(output), "toy"}, &decoder);
              }),
              ExitCode::kUsage);
    EXPECT_EQ(ReadFile(Path(name)), "ab\n");
  }
}

// What a problem is called says nothing about it: captions of images are text.
TEST_F(DecodeTest, TheProblemSaysWhetherAnEosEndsTheText) {
  ProblemInfo info = ToyInfo();
  info.name = "image_captions";
  const auto captions = GoodModel(info);
  TextDecoder decoder(captions.get(), DecodeHParams(""), 0);
  EXPECT_EQ(decoder.OutputText({99, 1, 100}), "a");
  info.features["targets"].ends_at_eos = false;
  const auto pixels = GoodModel(info);
  TextDecoder all(pixels.get(), DecodeHParams("identity_output=True"), 0);
  EXPECT_EQ(all.OutputText({99, 1, 100}), "99 1 100");
}

TEST_F(DecodeTest, ClassLabels) {
  ProblemInfo info = ToyInfo();
  info.features["targets"].modality = "class_label";
  const auto model = GoodModel(info);
  // The toy's label is the first byte; 1 is a label, not an end.
  EXPECT_EQ(Decode("xy\n\nz\n", "", model.get()), "x\n\nz\n");
  TextDecoder decoder(model.get(), DecodeHParams("identity_output=True"), 0);
  EXPECT_EQ(decoder.OutputText({1}), "1");
}

TEST_F(DecodeTest, Scores) {
  const auto model = GoodModel();
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  WriteFileAtomically(Path("pairs"), "ab\tab\nab\tac\n");
  const std::vector<double> scores = ScoreFile(Path("pairs"), &decoder).scores;
  ASSERT_EQ(scores.size(), 2U);
  const double right = std::log(1 + 257 * std::exp(-20.0));
  EXPECT_NEAR(scores[0], right, 1e-5);
  EXPECT_NEAR(scores[1], right + 20.0 / 3, 1e-5);
  EXPECT_EQ(ScoresText({0.5, 1}), "0.500000\n1.000000\n");
  // A bad line doesn't keep the others from their scores.
  WriteFileAtomically(Path("pairs"), "a\tb\tc\nab\tab\na\n");
  const FileScores some = ScoreFile(Path("pairs"), &decoder);
  EXPECT_EQ(some.bad_lines, 2);
  ASSERT_EQ(some.scores.size(), 3U);
  EXPECT_TRUE(std::isnan(some.scores[0]));
  EXPECT_NEAR(some.scores[1], right, 1e-5);
  EXPECT_TRUE(std::isnan(some.scores[2]));
  EXPECT_EQ(CodeOf([&] { ScoreFile(Path("none"), &decoder); }),
            ExitCode::kMissing);
}

TEST(InteractiveTest, Commands) {
  const auto model = GoodModel();
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  std::istringstream in(
      "hello\nns=2\ntwice\nns=1\nns=x\nbs=1\nal=0.5\ndl=3\nit=label\n67\n"
      "it=dream\nit=text\nworld\nq\nnever\n");
  std::ostringstream out;
  DecodeInteractively(in, out, &decoder);
  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr(">hello\n"));
  EXPECT_THAT(text, HasSubstr(">twice\ntwice\n"));
  EXPECT_THAT(text, HasSubstr("'x' is not a whole number"));
  EXPECT_THAT(text, HasSubstr("'dream' is neither"));
  EXPECT_THAT(text, HasSubstr(">A"));
  EXPECT_THAT(text, HasSubstr("decode_length=3  beam_size=1  alpha=0.5"));
  EXPECT_THAT(text, HasSubstr(">world\n"));
  EXPECT_THAT(text, Not(HasSubstr("never")));
}

// tensorflow/tensor2tensor#1219
TEST(InteractiveTest, NoLineEndsTheSession) {
  const auto model = GoodModel();
  TextDecoder decoder(model.get(), DecodeHParams(""), 0);
  std::istringstream in(
      "\n \t\nit=label\n99999999\n-1\nx\n67\nit=text\nns=99999999999\n"
      "bs=0\nal=nan\nworld\n");
  std::ostringstream out;
  EXPECT_EQ(DecodeInteractively(in, out, &decoder), 3);
  const std::string text = out.str();
  // The two lines of nothing.
  EXPECT_EQ(text.find(">\nINTERACTIVE"), text.find(">\n"));
  EXPECT_THAT(text,
              HasSubstr("can't be decoded: the input has no id 99999999"));
  EXPECT_THAT(text, HasSubstr("has no id -1"));
  EXPECT_THAT(text, HasSubstr("'x' is not a whole number"));
  EXPECT_THAT(text, HasSubstr(">A"));
  EXPECT_THAT(text, HasSubstr("'99999999999' is not a whole number"));
  EXPECT_THAT(text, HasSubstr("'nan' is not a number"));
  EXPECT_THAT(text, HasSubstr(">world\n"));
}

TEST(InteractiveTest, NothingIsAPrefixOfALanguageModel) {
  const auto model = GoodModel(ToyInfo(/*has_inputs=*/false));
  TextDecoder decoder(
      model.get(), DecodeHParams("beam_size=1,skip_eos_postprocess=True"), 0);
  std::istringstream in("\n");
  std::ostringstream out;
  EXPECT_EQ(DecodeInteractively(in, out, &decoder), 0);
  EXPECT_THAT(out.str(), HasSubstr("><EOS>\n"));
}

class WeightsTest : public DecodeTest {
 protected:
  void Save(int64_t step, float value, float ema = 0) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    checkpoint.tensors["toy/strength"] = at::full({1}, value);
    checkpoint.tensors["optimizer/m/toy/strength"] = at::full({1}, 99.F);
    if (ema != 0) checkpoint.tensors["ema/toy/strength"] = at::full({1}, ema);
    SaveCheckpoint(dir_, checkpoint, 0);
  }
  float Read(const std::string& checkpoint_path, int64_t average,
             bool use_ema = true) {
    WeightsOptions options{dir_, checkpoint_path, average, use_ema};
    CopyModel model(HParams(), ToyInfo(), 0);
    weights_ = ReadWeights(options);
    PutWeights(&weights_, &model.params());
    return model.params().Get("toy/strength").item<float>();
  }
  Weights weights_;
};

TEST_F(WeightsTest, NewestNamedAndAveraged) {
  Save(10, 1);
  Save(20, 2);
  Save(30, 6);
  EXPECT_EQ(Read("", 1), 6);
  EXPECT_EQ(weights_.step, 30);
  EXPECT_EQ(Read("", 2), 4);
  EXPECT_EQ(Read("", 3), 3);
  EXPECT_EQ(Read("", 9), 3);  // with a warning
  EXPECT_EQ(weights_.files.size(), 3U);
  EXPECT_EQ(Read(Path("model.ckpt-20"), 1), 2);
  EXPECT_EQ(Read(Path("model.ckpt-20.safetensors"), 2), 1.5);
  EXPECT_EQ(Read(dir_, 1), 6);
}

TEST_F(WeightsTest, MovingAverages) {
  Save(10, 1, 5);
  EXPECT_EQ(Read("", 1), 5);
  EXPECT_TRUE(weights_.are_ema);
  EXPECT_EQ(Read("", 1, /*use_ema=*/false), 1);
}

TEST_F(WeightsTest, Damaged) {
  Save(10, 1);
  Save(20, 2);
  std::string bytes = ReadFile(CheckpointPath(dir_, 20));
  bytes[bytes.size() - 1] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 20), bytes);
  EXPECT_EQ(Read("", 1), 1);  // passed over
  EXPECT_EQ(CodeOf([&] { Read(Path("model.ckpt-20"), 1); }),
            ExitCode::kBadData);
  WriteFileAtomically(CheckpointPath(dir_, 10), bytes);
  EXPECT_EQ(CodeOf([&] { Read("", 1); }), ExitCode::kBadData);
}

// What is not read is not checked either: the optimizer's state.
TEST_F(WeightsTest, DamageThatDoesNotMatter) {
  Save(10, 3);
  std::string bytes = ReadFile(CheckpointPath(dir_, 10));
  const float state = 99;
  const size_t at =
      bytes.rfind(std::string(reinterpret_cast<const char*>(&state), 4));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 10), bytes);
  EXPECT_EQ(CodeOf([&] { LoadCheckpoint(CheckpointPath(dir_, 10)); }),
            ExitCode::kBadData);
  EXPECT_EQ(Read("", 1), 3);
}

// Its damage shows only when its numbers are read, after the others'.
TEST_F(WeightsTest, AnOlderOneTakesADamagedOnesPlaceInAMean) {
  Save(10, 1);
  Save(20, 2);
  Save(30, 6);
  std::string bytes = ReadFile(CheckpointPath(dir_, 20));
  bytes[bytes.size() - 1] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 20), bytes);
  EXPECT_EQ(Read("", 2), 3.5);
  EXPECT_THAT(weights_.files,
              ElementsAre(CheckpointPath(dir_, 30), CheckpointPath(dir_, 10)));
}

// A number of /proc/self's: "rchar: 123" of io, "VmHWM:  123 kB" of status.
int64_t OfThisProcess(const std::string& file, const std::string& name) {
  std::ifstream in("/proc/self/" + file);
  std::string word;
  int64_t number = 0;
  while (in >> word) {
    if (word == name && in >> number) return number;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

// transformer_base's checkpoint has 579 MB, of which 193 are parameters.
TEST_F(WeightsTest, ReadsTheParametersAloneAndKeepsThemOnce) {
  constexpr int kCount = 6;
  constexpr int64_t kSize = 1 << 20;
  constexpr int64_t kBytes = kCount * kSize * 4;
  for (const int64_t step : {10, 20}) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    for (int i = 0; i < kCount; ++i) {
      const std::string name = "toy/w" + std::to_string(i);
      for (const std::string prefix : {"", "optimizer/m/", "optimizer/v/"}) {
        checkpoint.tensors[prefix + name] =
            at::full({kSize}, static_cast<float>(step + i));
      }
    }
    SaveCheckpoint(dir_, checkpoint, 0);
  }
  int drawn = 0;
  ParamStore params(0);
  {
    const AbsentParameters absent;
    for (int i = 0; i < kCount; ++i) {
      params.Create("toy/w" + std::to_string(i), {kSize},
                    [&](uint64_t, at::IntArrayRef shape) {
                      ++drawn;
                      return at::zeros(shape);
                    });
    }
  }
  const at::Tensor view = params.Get("toy/w1").detach().view({2, -1});
  // The peak from here on. (Not every container lets one ask for that.)
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  const bool counts = reset.good();
  const int64_t before = OfThisProcess("status", "VmRSS:") * 1024;
  const int64_t read_before = OfThisProcess("io", "rchar:");
  Weights weights = ReadWeights({dir_, "", 1, true});
  PutWeights(&weights, &params);
  EXPECT_LT(OfThisProcess("io", "rchar:") - read_before, kBytes * 11 / 10);
  if (counts) {
    EXPECT_LT(OfThisProcess("status", "VmHWM:") * 1024 - before,
              kBytes * 13 / 10);
  }
  EXPECT_EQ(drawn, 0);
  EXPECT_EQ(params.Get("toy/w5")[kSize - 1].item<float>(), 25);
  EXPECT_EQ(view[1][0].item<float>(), 21);
  // The mean of two reads both, tensor by tensor.
  const int64_t both_before = OfThisProcess("io", "rchar:");
  weights = ReadWeights({dir_, "", 2, true});
  PutWeights(&weights, &params);
  EXPECT_LT(OfThisProcess("io", "rchar:") - both_before, kBytes * 22 / 10);
  EXPECT_EQ(view[1][0].item<float>(), 16);
}

TEST_F(WeightsTest, MissingAndMismatch) {
  EXPECT_EQ(CodeOf([&] { Read("", 1); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { Read(Path("model.ckpt-7"), 1); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { Read("", 0); }), ExitCode::kUsage);
  CopyModel model(HParams(), ToyInfo(), 0);
  Weights weights;
  weights.files = {"file"};
  try {
    PutWeights(&weights, &model.params());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("toy/strength"));
  }
  weights.tensors["toy/strength"] = at::zeros({2, 3});
  try {
    PutWeights(&weights, &model.params());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("[2, 3]"));
    EXPECT_THAT(error.what(), HasSubstr("vocabulary"));
  }
}

class ModelFolderTest : public WeightsTest {
 protected:
  void SetUp() override {
    Save(10, 20);
    WriteFileAtomically(Path("flags.txt"),
                        "--model=decode_toy_copy\n--hparams_set=decode_toy\n"
                        "--problem=decode_toy_problem\n--data_dir=" +
                            dir_ + "\n--other=1\n");
    WriteFileAtomically(Path("hparams.json"), "{\"hidden_size\": 5}");
    WriteFileAtomically(Path("vocab.toy"), "toy");
    options_.weights.model_dir = dir_;
  }
  LoadModelOptions options_;
};

TEST_F(ModelFolderTest, FlagsTextAndHParams) {
  const LoadedModel loaded = LoadModel(options_);
  EXPECT_EQ(loaded.hparams_set, "decode_toy");
  EXPECT_EQ(loaded.model->hparams().GetInt("hidden_size"), 5);
  options_.hparams = "hidden_size=7";
  EXPECT_EQ(LoadModel(options_).model->hparams().GetInt("hidden_size"), 7);
  options_.hparams = "hidden_sise=7";
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
  options_.hparams = "";
  options_.model = "decode_toy_cpoy";
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
  options_ = LoadModelOptions();
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
}

TEST_F(ModelFolderTest, ExportsAndLoadsAgain) {
  const std::string target = Path("exported");
  ExportModel(options_, target);
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, target); }), ExitCode::kUsage);
  RemoveFile(CheckpointPath(dir_, 10));
  RemoveFile(Path("hparams.json"));
  LoadModelOptions exported;
  exported.export_dir = target;
  const LoadedModel loaded = LoadModel(exported);
  EXPECT_EQ(loaded.weights.step, 10);
  EXPECT_EQ(loaded.model->hparams().GetInt("hidden_size"), 5);
  EXPECT_EQ(loaded.model->params().Get("toy/strength").item<float>(), 20);
  RemoveFile(Path("vocab.toy"));
  EXPECT_TRUE(Exists(JoinPath(target, "vocab.toy")));
  EXPECT_EQ(CodeOf([&] {
              LoadModelOptions none;
              none.export_dir = dir_;
              LoadModel(none);
            }),
            ExitCode::kMissing);
}

// A vocabulary of the same size, as two runs of a subword builder make: nothing
// but its bytes tells it from the one the model was trained with.
TEST_F(ModelFolderTest, RefusesAnotherVocabulary) {
  const auto message = [](const LoadModelOptions& options) {
    try {
      LoadModel(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kMismatch);
      return std::string(error.what());
    }
    return std::string();
  };
  LoadModel(options_);  // of before: it does not know its vocabulary
  Checkpoint checkpoint = LoadCheckpoint(CheckpointPath(dir_, 10));
  RunIdentity run =
      MakeRunIdentity("decode_toy_problem", "decode_toy_copy", "decode_toy",
                      MakeProblem("decode_toy_problem")->Info(dir_));
  PutIdentity(run, &checkpoint.meta);
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_EQ(LoadModel(options_).weights.run.problem, "decode_toy_problem");
  const std::string target = Path("exported");
  ExportModel(options_, target);
  LoadModelOptions exported;
  exported.export_dir = target;
  LoadModel(exported);
  for (const auto& [options, path] :
       {std::make_pair(options_, Path("vocab.toy")),
        std::make_pair(exported, JoinPath(target, "vocab.toy"))}) {
    WriteFileAtomically(path, "yot");
    EXPECT_THAT(message(options), HasSubstr(path));
    EXPECT_THAT(message(options), HasSubstr(Sha256("toy")));
    EXPECT_THAT(message(options), HasSubstr(Sha256("yot")));
  }
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, Path("no")); }),
            ExitCode::kMismatch);
  // Nor are checkpoints of both averaged.
  WriteFileAtomically(Path("vocab.toy"), "toy");
  run.vocabularies.at("inputs").sha256 = Sha256("yot");
  checkpoint.step = 20;
  PutIdentity(run, &checkpoint.meta);
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_EQ(CodeOf([&] { Read("", 2); }), ExitCode::kMismatch);
}

// Half a model would decode, to nonsense.
TEST_F(ModelFolderTest, RefusesACheckpointOfALargerModel) {
  Checkpoint checkpoint = LoadCheckpoint(CheckpointPath(dir_, 10));
  checkpoint.tensors["toy/layer_1/strength"] = at::ones({1});
  SaveCheckpoint(dir_, checkpoint, 0);
  try {
    LoadModel(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("toy/layer_1/strength"));
    EXPECT_THAT(error.what(), HasSubstr("model.ckpt-10"));
  }
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, Path("no")); }),
            ExitCode::kMismatch);
}

TEST_F(ModelFolderTest, DecodesTheDataset) {
  const std::vector<std::string> texts = {"one", "twenty-two", "", "three"};
  for (int shard = 0; shard < 2; ++shard) {
    TfRecordWriter writer(ShardPath(dir_, "toy", "dev", shard, 2));
    for (int i = 0; i < 2; ++i) {
      std::vector<int64_t> ids = ToyEncoder().Encode(texts[shard * 2 + i]);
      ids.push_back(kEosId);
      Example example;
      example.features["inputs"] = ids;
      ids[0] = 'X' + 2;
      example.features["targets"] = ids;
      writer.Write(SerializeExample(example));
    }
    writer.Commit();
  }
  const LoadedModel loaded = LoadModel(options_);
  DatasetDecodeOptions options;
  options.problem = loaded.problem.get();
  options.data_dir = dir_;
  options.output = Path("d.beam4.alpha0.6.decodes");
  TextDecoder decoder(loaded.model.get(), DecodeHParams("log_results=False"),
                      0);
  EXPECT_EQ(DecodeDataset(options, &decoder, nullptr), 4);
  EXPECT_EQ(ReadFile(options.output), "one\ntwenty-two\n\nthree\n");
  EXPECT_EQ(ReadFile(Path("d.beam4.alpha0.6.inputs")),
            "one\ntwenty-two\n\nthree\n");
  EXPECT_EQ(ReadFile(Path("d.beam4.alpha0.6.targets")),
            "Xne\nXwenty-two\nX\nXhree\n");

  options.output = "";
  std::ostringstream echo;
  TextDecoder few(loaded.model.get(),
                  DecodeHParams("log_results=False,num_samples=3"), 0);
  EXPECT_EQ(DecodeDataset(options, &few, &echo), 3);
  EXPECT_EQ(echo.str(), "one\ntwenty-two\n\n");
  std::ostringstream second;
  TextDecoder shard(loaded.model.get(),
                    DecodeHParams("log_results=False,shards=2,shard_id=1"), 0);
  DecodeDataset(options, &shard, &second);
  EXPECT_EQ(second.str(), "\nthree\n");
}

}  // namespace
}  // namespace t2t
