#include "t2t/text/sentencepiece.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/text/encoder_factory.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// LibTorch's libc10 exports a variable of this name, which is smaller than
// SentencePiece's own. This program exports it, too (see BUILD.bazel).
char FLAGS_minloglevel[32] = {'l', 'e', 'f', 't', ' ', 'a', 'l', 'o', 'n', 'e'};
#define T2T_HAS_SAME_NAME
#endif

namespace t2t {
namespace {

// Made by tools/golden/data_sentencepiece.sh.
std::string GoldenPath(const std::string& name) {
  return JoinPath("tests/golden/data", name);
}

std::vector<std::string> Lines(const std::string& name) {
  std::vector<std::string> lines = Split(ReadFile(GoldenPath(name)), '\n');
  lines.pop_back();
  return lines;
}

// The model's own ids, moved up by shift.
void ExpectIds(const std::string& model, int64_t shift) {
  const auto encoder =
      SentencePieceTextEncoder::Load(GoldenPath(model + ".model"));
  EXPECT_EQ(encoder->vocab_size(), 100 + shift);
  const std::vector<std::string> texts = Lines("spm_lines.txt");
  const std::vector<std::string> golden = Lines(model + ".ids");
  ASSERT_EQ(texts.size(), golden.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<int64_t> expected;
    for (const std::string& word : Split(golden[i], ' ')) {
      expected.push_back(std::stoll(word) + shift);
    }
    std::vector<int64_t> ids = encoder->Encode(texts[i]);
    EXPECT_EQ(ids, expected);
    EXPECT_EQ(encoder->Decode(ids), texts[i]);
    EXPECT_EQ(encoder->DecodeList(ids).size(), ids.size());
    for (const int64_t id : ids) EXPECT_GE(id, kNumReservedTokens);
    ids.insert(ids.end(), {kEosId, kPadId, kPadId});
    EXPECT_EQ(encoder->Decode(ids, true), texts[i]);
    EXPECT_EQ(encoder->Decode(ids), texts[i] + "<EOS><pad><pad>");
  }
  EXPECT_TRUE(encoder->Encode("").empty());
  EXPECT_EQ(encoder->Decode({}), "");
  EXPECT_EQ(encoder->Decode({-1, 100 + shift}), "");
  EXPECT_EQ(encoder->DecodeList({0, 1, -1, 100 + shift}),
            (std::vector<std::string>{"<pad>", "<EOS>", "", ""}));
}

TEST(SentencePiece, ModelWithT2tsIds) { ExpectIds("spm_t2t", 0); }

TEST(SentencePiece, OtherModelsMoveUpByTwo) { ExpectIds("spm_default", 2); }

#ifdef T2T_HAS_SAME_NAME
TEST(SentencePiece, WritesOverNoVariableOfTheProgram) {
  SentencePieceTextEncoder::Load(GoldenPath("spm_t2t.model"));
  EXPECT_STREQ(FLAGS_minloglevel, "left alone");
  for (size_t i = sizeof("left alone"); i < sizeof(FLAGS_minloglevel); ++i) {
    EXPECT_EQ(FLAGS_minloglevel[i], '\0') << i;
  }
}
#endif

TEST(SentencePiece, Factory) {
  EXPECT_EQ(LoadTextEncoder(GoldenPath("spm_t2t.model"))->vocab_size(), 100);
  // By its contents, too.
  const std::string path = JoinPath(MakeTempDirectory("spm"), "vocabulary");
  WriteFileAtomically(path, ReadFile(GoldenPath("spm_default.model")));
  EXPECT_EQ(LoadTextEncoder(path)->vocab_size(), 102);
}

TEST(SentencePiece, BadModels) {
  const auto code = [](const std::string& contents) {
    try {
      SentencePieceTextEncoder::Parse(contents, "bad");
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kOk;
  };
  EXPECT_EQ(code("no model"), ExitCode::kBadData);
  EXPECT_EQ(code(""), ExitCode::kBadData);
  const std::string model = ReadFile(GoldenPath("spm_t2t.model"));
  EXPECT_EQ(code(model), ExitCode::kOk);
  EXPECT_EQ(code(model.substr(0, model.size() / 2)), ExitCode::kBadData);
  // With an empty piece ("" for "gh"), of which the library throws.
  std::string empty_piece = model;
  const std::string piece("\n\x09\n\x02gh", 6);
  ASSERT_NE(model.find(piece), std::string::npos);
  empty_piece.replace(model.find(piece), 6, std::string("\n\x07\n\0", 4));
  EXPECT_EQ(code(empty_piece), ExitCode::kBadData);
  EXPECT_THROW(SentencePieceTextEncoder::Load("/no/such.model"), Error);
}

}  // namespace
}  // namespace t2t
