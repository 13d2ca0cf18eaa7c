#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/text/encoder_factory.h"
#include "t2t/text/encoders.h"
#include "t2t/text/subword.h"
#include "t2t/text/subword_trie.h"
#include "t2t/text/testing_golden.h"
#include "t2t/text/tokenizer.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

TEST(Unicode, CodePoints) {
  std::string all;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    AppendCodePoint(c, &all);
  }
  EXPECT_TRUE(IsValidUtf8(all));
  size_t at = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    ASSERT_EQ(NextCodePoint(all, &at), c);
  }
  EXPECT_EQ(at, all.size());
  // Every byte comes back, valid or not.
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes = {static_cast<char>(a), static_cast<char>(b),
                                 '\x80'};
      std::string back;
      for (size_t i = 0; i < bytes.size();) {
        AppendCodePoint(NextCodePoint(bytes, &i), &back);
      }
      ASSERT_EQ(back, bytes);
    }
  }
  std::string undefined;
  AppendCodePoint(0xD800, &undefined);
  AppendCodePoint(0x110000, &undefined);
  EXPECT_EQ(undefined, "\u3013\u3013");
  EXPECT_EQ(CountCodePoints("a\u00e9\u65e5\xff"), 4u);
}

TEST(Unicode, Spaces) {
  EXPECT_EQ(StripPythonSpace("\u3000 \x1c a b\u00a0\n"), "a b");
  EXPECT_EQ(StripPythonSpace(" \u2028"), "");
  EXPECT_EQ(StripPythonSpace("\u200bx"), "\u200bx");      // no white space
  EXPECT_EQ(StripPythonSpace("\x80 \xa0"), "\x80 \xa0");  // no UTF-8
  EXPECT_EQ(StripPythonSpace("\u00e0"), "\u00e0");        // ends with byte 0xA0
  EXPECT_EQ(StripPythonSpaceRight(" \x80"), " \x80");
  EXPECT_EQ(StripPythonSpaceRight("a\U0001F44D\u2029"), "a\U0001F44D");
  EXPECT_EQ(SplitPythonSpace(" a\u2003bc \td"),
            (std::vector<std::string_view>{"a", "bc", "d"}));
}

TEST(Tokenizer, AsT2t) {
  for (const Json& item : Golden().At("tokenizer").items()) {
    const std::string text = FromHex(item.At("text"));
    const auto views = Tokenize(text);
    const std::vector<std::string> tokens(views.begin(), views.end());
    EXPECT_EQ(tokens, FromHexList(item.At("tokens"))) << text;
    EXPECT_EQ(Detokenize(tokens), FromHex(item.At("decoded"))) << text;
    EXPECT_EQ(Detokenize(tokens), text);
  }
}

TEST(Tokenizer, CountsCorpora) {
  for (const auto& [name, sizes] : Golden().At("corpus_tokens").members()) {
    for (const int threads : {1, 3}) {
      CorpusOptions options;
      options.threads = threads;
      const TokenCounts counts =
          CorpusTokenCounts(GoldenPath("corpus_" + name + ".txt"), options);
      int64_t sum = 0;
      for (const auto& [token, count] : counts) sum += count;
      EXPECT_EQ(static_cast<int64_t>(counts.size()), sizes.items()[0].AsInt());
      EXPECT_EQ(sum, sizes.items()[1].AsInt());
    }
  }
  CorpusOptions first;
  first.max_lines = 3;
  const TokenCounts few = CorpusTokenCounts(GoldenPath("corpus_en.txt"), first);
  first.max_lines = 4;
  EXPECT_LT(few.size(),
            CorpusTokenCounts(GoldenPath("corpus_en.txt"), first).size());
  // Whole files keep their newlines.
  CorpusOptions whole;
  whole.split_on_newlines = false;
  EXPECT_GT(CorpusTokenCounts(GoldenPath("corpus_en.txt"), whole).count(".\n"),
            0u);
  EXPECT_EQ(CodeOf([] { CorpusTokenCounts(GoldenPath("no_such_*")); }),
            ExitCode::kMissing);
}

TEST(Tokenizer, VocabTokenCounts) {
  const std::string folder = MakeTempDirectory("counts");
  const std::string path = JoinPath(folder, "v");
  WriteFileAtomically(path, "the,10\r\n,,2\n \u00e9 , 3 \n");
  EXPECT_EQ(VocabTokenCounts(path),
            (TokenCounts{{"the", 10}, {",", 2}, {"\u00e9 ", 3}}));
  EXPECT_EQ(VocabTokenCounts(path, 1), (TokenCounts{{"the", 10}}));
  WriteFileAtomically(path, "the,10\nhouse\n");
  EXPECT_EQ(CodeOf([&] { VocabTokenCounts(path); }), ExitCode::kBadData);
  WriteFileAtomically(path, "the,x\n");
  EXPECT_EQ(CodeOf([&] { VocabTokenCounts(path); }), ExitCode::kBadData);
}

TEST(ByteEncoder, AsT2t) {
  const ByteTextEncoder encoder;
  EXPECT_EQ(encoder.vocab_size(), 258);
  const Json& golden = Golden().At("encoders").At("byte");
  for (const Json& item : golden.At("encode").items()) {
    const std::string text = FromHex(item.items()[0]);
    std::vector<int64_t> ids = Ints(item.items()[1]);
    EXPECT_EQ(encoder.Encode(text), ids);
    ids.push_back(1);
    EXPECT_EQ(ByteTextEncoderWithEos().Encode(text), ids);
  }
  for (const Json& item : golden.At("decode").items()) {
    const std::vector<int64_t> ids = Ints(item.items()[0]);
    EXPECT_EQ(encoder.Decode(ids), FromHex(item.items()[1]));
    EXPECT_EQ(encoder.Decode(ids, true), FromHex(item.items()[2]));
  }
  EXPECT_EQ(encoder.DecodeList({0, 1, 257, 258, -1}),
            (std::vector<std::string>{"<pad>", "<EOS>", "\xff", "", ""}));
  EXPECT_EQ(encoder.Encode("\xff"), (std::vector<int64_t>{257}));
}

TEST(IntEncoder, AsT2t) {
  const IntTextEncoder encoder(100);
  const Json& golden = Golden().At("encoders").At("int");
  for (const Json& item : golden.At("encode").items()) {
    EXPECT_EQ(encoder.Encode(item.items()[0].AsString()),
              Ints(item.items()[1]));
  }
  for (const Json& item : golden.At("decode").items()) {
    const std::vector<int64_t> ids = Ints(item.items()[0]);
    EXPECT_EQ(encoder.Decode(ids), item.items()[1].AsString());
    EXPECT_EQ(encoder.Decode(ids, true), item.items()[2].AsString());
  }
  EXPECT_EQ(CodeOf([&] { encoder.Encode("1 two"); }), ExitCode::kBadData);
}

TEST(TokenEncoder, AsT2t) {
  const Json& golden = Golden().At("encoders").At("token");
  std::vector<std::string> tokens;
  for (const Json& token : golden.At("list").items()) {
    tokens.push_back(token.AsString());
  }
  TokenEncoderOptions options;
  options.replace_oov = "UNK";
  TokenEncoderOptions reverse = options;
  reverse.reverse = true;
  const auto listed = TokenTextEncoder::FromList(tokens, options);
  const auto filed =
      TokenTextEncoder::Load(GoldenPath("words.tokens"), options);
  const auto backward = TokenTextEncoder::FromList(tokens, reverse);
  for (const auto& [name, encoder] : {std::pair{"listed", listed},
                                      {"filed", filed},
                                      {"backward", backward}}) {
    const Json& cases = golden.At(name);
    EXPECT_EQ(encoder->vocab_size(), cases.At("size").AsInt());
    for (const Json& item : cases.At("encode").items()) {
      EXPECT_EQ(encoder->Encode(item.items()[0].AsString()),
                Ints(item.items()[1]));
    }
    for (const Json& item : cases.At("decode").items()) {
      EXPECT_EQ(encoder->Decode(Ints(item.items()[0])),
                item.items()[1].AsString());
    }
  }
  EXPECT_EQ(listed->Decode({2, 1, 0, 0}, true), "the");
  const std::string path = JoinPath(MakeTempDirectory("tokens"), "v.tokens");
  listed->Store(path);
  EXPECT_EQ(ReadFile(path), ReadFile(GoldenPath("listed.tokens")));
}

TEST(TokenEncoder, BadInput) {
  const auto plain = TokenTextEncoder::FromList({"a", "b"});
  EXPECT_EQ(CodeOf([&] { plain->Encode("a c"); }), ExitCode::kBadData);
  TokenEncoderOptions options;
  options.replace_oov = "UNK";
  EXPECT_EQ(CodeOf([&] { TokenTextEncoder::FromList({"a"}, options); }),
            ExitCode::kBadData);
  EXPECT_EQ(CodeOf([] { TokenTextEncoder::Load("/no/such.tokens"); }),
            ExitCode::kMissing);
  EXPECT_EQ(CodeOf([] { TokenTextEncoder::Parse("", "empty"); }),
            ExitCode::kBadData);
}

TEST(ClassLabelEncoder, AsT2t) {
  const ClassLabelEncoder encoder({"neg", "pos", "other"});
  const OneHotClassLabelEncoder one_hot({"neg", "pos", "other"});
  for (const Json& item : Golden().At("encoders").At("label").items()) {
    const std::string& label = item.items()[0].AsString();
    const int64_t id = item.items()[1].AsInt();
    EXPECT_EQ(encoder.Encode(label), std::vector<int64_t>{id});
    EXPECT_EQ(encoder.Decode({id}), label);
    EXPECT_EQ(one_hot.Encode(label), Ints(item.items()[2]));
    EXPECT_EQ(one_hot.Decode(Ints(item.items()[2])), label);
  }
  EXPECT_EQ(encoder.vocab_size(), 3);
  EXPECT_EQ(one_hot.Encode("pos", 5, -1), (std::vector<int64_t>{-1, 5, -1}));
  EXPECT_EQ(encoder.DecodeList({2, 0}),
            (std::vector<std::string>{"other", "neg"}));
  EXPECT_EQ(CodeOf([&] { encoder.Encode("poss"); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { encoder.Decode({3}); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { encoder.Decode({}); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { one_hot.Decode({0, 0, 0}); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { one_hot.Decode({1}); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([] { ClassLabelEncoder({}); }), ExitCode::kBadData);
}

TEST(RealEncoder, AsT2t) {
  const Json& golden = Golden().At("encoders").At("real");
  std::vector<double> values;
  for (const Json& value : golden.items()[0].items()) {
    values.push_back(value.AsDouble());
  }
  const RealEncoder encoder;
  const std::string& text = golden.items()[1].AsString();
  EXPECT_EQ(encoder.Decode(values), text);
  EXPECT_EQ(encoder.Encode(text), values);
  EXPECT_EQ(CodeOf([&] { encoder.Encode("1.5 x"); }), ExitCode::kBadData);
}

TEST(EncoderFactory, ByNameAndContents) {
  const std::string folder = MakeTempDirectory("factory");
  const auto write = [&](const std::string& name, const std::string& text) {
    const std::string path = JoinPath(folder, name);
    WriteFileAtomically(path, text);
    return path;
  };
  const auto is = [](const std::shared_ptr<const TextEncoder>& encoder,
                     auto* type) {
    return dynamic_cast<decltype(type)>(encoder.get()) != nullptr;
  };
  const SubwordTextEncoder* subword = nullptr;
  const TokenTextEncoder* token = nullptr;
  const ClassLabelEncoder* label = nullptr;
  const ByteTextEncoder* byte = nullptr;
  EXPECT_TRUE(is(LoadTextEncoder(""), byte));
  EXPECT_TRUE(is(LoadTextEncoder(write("v.subwords", "a\n_\n")), subword));
  EXPECT_TRUE(is(LoadTextEncoder(write("v.tokens", "a\nb\n")), token));
  EXPECT_TRUE(is(LoadTextEncoder(write("v.labels", "a\nb\n")), label));
  EXPECT_TRUE(is(LoadTextEncoder(write("v.8192", "'<pad>_'\n'a'\n")), subword));
  EXPECT_TRUE(is(LoadTextEncoder(write("v.txt", "<pad>\n<EOS>\n")), token));
  EXPECT_EQ(CodeOf([&] { LoadTextEncoder(JoinPath(folder, "no")); }),
            ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { LoadTextEncoder(write("v.model", "no model")); }),
            ExitCode::kBadData);
}

}  // namespace
}  // namespace t2t
