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
#include "t2t/decode/testing_decode.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/decode/toy_model.h"
#include "t2t/decode/weights.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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
        "num_samples=-2", "shards=0", "beam_size=1,beam_size=2",
        "block_size=2", "block_size=2,beam_size=4"}) {
    EXPECT_EQ(CodeOf([&] { DecodeHParams(bad); }), ExitCode::kUsage) << bad;
  }
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("beam_size=3")), IsEmpty());
  EXPECT_THAT(NotesOnDecodeHParams(DecodeHParams("save_images=True")),
              ElementsAre(HasSubstr("save_images")));
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

}  // namespace
}  // namespace t2t
