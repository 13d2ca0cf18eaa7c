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
#include "t2t/text/tokenizer.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// Values from Tensor2Tensor itself (tools/golden/data.py).
const char kFolder[] = "tests/golden/data";

std::string GoldenPath(const std::string& name) {
  return JoinPath(kFolder, name);
}

const Json& Golden() {
  static const Json golden = Json::Parse(ReadFile(GoldenPath("golden.json")));
  return golden;
}

std::string FromHex(const Json& json) {
  const std::string& hex = json.AsString();
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::string> FromHexList(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.items()) list.push_back(FromHex(item));
  return list;
}

std::vector<int64_t> Ints(const Json& json) {
  std::vector<int64_t> ints;
  for (const Json& item : json.items()) ints.push_back(item.AsInt());
  return ints;
}

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

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
  EXPECT_EQ(StripPythonSpace("\u00e0"), "\u00e0");  // ends with byte 0xA0
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

TEST(SubwordTrie, LongestMatch) {
  const SubwordTrie trie(
      {"a", "ab", "", "abcd", "b", std::string("\0", 1), "\xff\xff", "ab"});
  size_t length = 0;
  EXPECT_EQ(trie.LongestMatch("abc", &length), 7);
  EXPECT_EQ(length, 2u);
  EXPECT_EQ(trie.LongestMatch("abcde", &length), 3);
  EXPECT_EQ(length, 4u);
  EXPECT_EQ(trie.LongestMatch("\xff", &length), -1);
  EXPECT_EQ(trie.LongestMatch("\xff\xff\xff", &length), 6);
  EXPECT_EQ(trie.LongestMatch(std::string_view("\0\0", 2), &length), 5);
  EXPECT_EQ(length, 1u);
  EXPECT_EQ(trie.LongestMatch("", &length), -1);
  EXPECT_EQ(SubwordTrie({}).LongestMatch("a", &length), -1);
}

SubwordBuildOptions BuildOptions(const Json& item, int threads) {
  SubwordBuildOptions options;
  options.max_subtoken_length = item.At("limit").AsInt();
  options.threads = threads;
  const Json* reserved = item.Find("reserved");
  if (reserved != nullptr && !reserved->items().empty()) {
    options.reserved_tokens.clear();
    for (const Json& token : reserved->items()) {
      options.reserved_tokens.push_back(token.AsString());
    }
  }
  return options;
}

TokenCounts CountsOf(const Json& item) {
  return CorpusTokenCounts(
      GoldenPath("corpus_" + item.At("corpus").AsString() + ".txt"));
}

TEST(SubwordBuild, ToTargetSizeAsT2t) {
  for (const Json& item : Golden().At("build_to_target_size").items()) {
    const std::string vocab = item.At("vocab").AsString();
    for (const int threads : {1, 4}) {
      const auto encoder = SubwordTextEncoder::BuildToTargetSize(
          item.At("target").AsInt(), CountsOf(item), item.At("min").AsInt(),
          item.At("max").AsInt(), BuildOptions(item, threads));
      EXPECT_EQ(encoder->ToFileContents(), ReadFile(GoldenPath(vocab)))
          << vocab;
    }
  }
}

TEST(SubwordBuild, FromTokenCountsAsT2t) {
  for (const Json& item : Golden().At("build_from_token_counts").items()) {
    const std::string vocab = item.At("vocab").AsString();
    SubwordBuildOptions options = BuildOptions(item, 2);
    options.num_iterations = static_cast<int>(item.At("iterations").AsInt());
    const auto encoder = SubwordTextEncoder::BuildFromTokenCounts(
        CountsOf(item), item.At("count").AsInt(), options);
    EXPECT_EQ(encoder->ToFileContents(), ReadFile(GoldenPath(vocab))) << vocab;
  }
}

TEST(SubwordBuild, FromGeneratorAsT2t) {
  std::string corpus = ReadFile(GoldenPath("corpus_ende.txt"));
  size_t lines = 0;
  const auto next = [&](std::string* text) {
    text->clear();
    for (int i = 0; i < 7 && lines < 210; ++i, ++lines) {
      const size_t newline = corpus.find('\n');
      *text += (i == 0 ? "" : "\n") + corpus.substr(0, newline);
      corpus.erase(0, newline + 1);
    }
    return !text->empty();
  };
  const std::string path =
      JoinPath(MakeTempDirectory("vocabulary"), "deep/er/v.subwords");
  const auto encoder = SubwordTextEncoder::LoadOrBuild(path, next, 200);
  EXPECT_EQ(ReadFile(path), ReadFile(GoldenPath("newlines.subwords")));
  // The newline's own subtoken takes two lines of the file.
  const auto loaded = SubwordTextEncoder::Load(path);
  EXPECT_EQ(encoder->subtokens(), loaded->subtokens());
  const std::string unquoted = ReadFile(GoldenPath("unquoted.subwords"));
  EXPECT_EQ(
      static_cast<int64_t>(std::count(unquoted.begin(), unquoted.end(), '\n')),
      loaded->vocab_size());
  // Found, it is not built again.
  EXPECT_EQ(SubwordTextEncoder::LoadOrBuild(
                path,
                [](std::string*) -> bool {
                  ADD_FAILURE();
                  return false;
                },
                200)
                ->vocab_size(),
            loaded->vocab_size());
}

TEST(SubwordBuild, KeepsBytesThatAreNotUtf8) {
  TokenCounts counts;
  CountTokens("caf\xe9 \xff\xfe caf\xe9 \xe9t\xe9", &counts);
  const auto encoder = SubwordTextEncoder::BuildFromTokenCounts(counts, 1);
  EXPECT_TRUE(IsValidUtf8(encoder->ToFileContents()));
  const std::string text = "caf\xe9 \xff \xe9t\xe9 \xed\xa0\x80";
  EXPECT_EQ(encoder->Decode(encoder->Encode(text)), text);
  const auto again =
      SubwordTextEncoder::Parse(encoder->ToFileContents(), "again");
  EXPECT_EQ(again->Encode(text), encoder->Encode(text));
}

// Building takes time and memory as the token has letters, some seconds here;
// it was minutes and 2 GB, since at the smallest counts there is, for a while,
// a subtoken of 199 letters at every letter.
TEST(SubwordBuild, AVeryLongToken) {
  constexpr size_t kLetters = 400000;
  std::string letters;
  std::mt19937 random(1);
  while (letters.size() < kLetters) {
    letters += static_cast<char>('a' + random() % 26);
  }
  for (const std::string& token : {letters, std::string(kLetters, 'a')}) {
    SubwordBuildOptions options;
    options.max_subtoken_length = 200;
    options.threads = 1;
    const auto encoder = SubwordTextEncoder::BuildToTargetSize(
        8192, {{token, 1}, {"word", 5}}, 1, 1000, options);
    EXPECT_EQ(encoder->Decode(encoder->Encode(token)), token);
  }
}

TEST(SubwordBuild, BadOptions) {
  const TokenCounts counts = {{"a", 1}};
  EXPECT_EQ(CodeOf([&] { SubwordTextEncoder::BuildToTargetSize(0, counts); }),
            ExitCode::kUsage);
  EXPECT_EQ(
      CodeOf([&] { SubwordTextEncoder::BuildToTargetSize(9, counts, 3, 2); }),
      ExitCode::kUsage);
  SubwordBuildOptions options;
  options.reserved_tokens = {"<pad>", "<unk>"};
  EXPECT_EQ(CodeOf([&] {
              SubwordTextEncoder::BuildFromTokenCounts(counts, 1, options);
            }),
            ExitCode::kUsage);
  // No text at all still gives the characters of the escapes.
  EXPECT_GT(SubwordTextEncoder::BuildToTargetSize(100, {})->vocab_size(), 15);
}

TEST(Subword, EncodesAsT2t) {
  std::vector<std::string> texts;
  for (const Json& item : Golden().At("tokenizer").items()) {
    texts.push_back(FromHex(item.At("text")));
  }
  for (const auto& [vocab, cases] : Golden().At("subword").members()) {
    const auto encoder = SubwordTextEncoder::Load(GoldenPath(vocab));
    for (const Json& item : cases.At("encode").items()) {
      const std::string& text = texts[item.At("text").AsInt()];
      const std::vector<int64_t> ids = encoder->Encode(text);
      EXPECT_EQ(ids, Ints(item.At("ids"))) << text;
      const Json* decoded = item.Find("decoded");
      EXPECT_EQ(encoder->Decode(ids),
                decoded == nullptr ? text : FromHex(*decoded));
      if (const Json* whole = item.Find("whole")) {
        EXPECT_EQ(encoder->EncodeWithoutTokenizing(text), Ints(*whole));
      }
    }
    for (const Json& item : cases.At("decode").items()) {
      const std::vector<int64_t> ids = Ints(item.At("ids"));
      EXPECT_EQ(encoder->Decode(ids), FromHex(item.At("decoded")));
      EXPECT_EQ(encoder->Decode(ids, true), FromHex(item.At("stripped")));
      EXPECT_EQ(encoder->DecodeList(ids), FromHexList(item.At("list")));
    }
  }
}

TEST(Subword, UnescapesAsT2t) {
  const Json& golden = Golden().At("unescape");
  const auto encoder =
      SubwordTextEncoder::FromSubtokens(FromHexList(golden.At("subtokens")));
  for (const Json& item : golden.At("cases").items()) {
    EXPECT_EQ(encoder->Decode(Ints(item.At("ids"))),
              FromHex(item.At("decoded")));
  }
}

TEST(Subword, LoadsFilesAsT2t) {
  const Json& golden = Golden().At("quirks");
  const auto encoder = SubwordTextEncoder::Load(GoldenPath("quirks.subwords"));
  EXPECT_EQ(encoder->subtokens(), FromHexList(golden.At("subtokens")));
  for (const Json& item : golden.At("encode").items()) {
    EXPECT_EQ(encoder->Encode(FromHex(item.items()[0])), Ints(item.items()[1]));
  }
}

TEST(Subword, StoresWhatItLoads) {
  const std::string path = JoinPath(MakeTempDirectory("store"), "v");
  for (const char* vocab : {"target_9.subwords", "count_4.subwords"}) {
    const auto encoder = SubwordTextEncoder::Load(GoldenPath(vocab));
    encoder->Store(path);
    EXPECT_EQ(ReadFile(path), ReadFile(GoldenPath(vocab)));
  }
  SubwordTextEncoder::FromSubtokens({"<pad>_", "a"})->Store(path, false);
  EXPECT_EQ(ReadFile(path), "<pad>_\na\n");
}

TEST(Subword, BadVocabularies) {
  EXPECT_EQ(CodeOf([] { SubwordTextEncoder::Load("/no/such.subwords"); }),
            ExitCode::kMissing);
  EXPECT_EQ(CodeOf([] { SubwordTextEncoder::Parse("", "empty"); }),
            ExitCode::kBadData);
  EXPECT_EQ(CodeOf([] { SubwordTextEncoder::Parse("'a'\n'\xff'\n", "bad"); }),
            ExitCode::kBadData);
  // Without the digits an unknown character cannot be written.
  const auto poor = SubwordTextEncoder::Parse("'a'\n'_'\n", "poor");
  EXPECT_EQ(poor->Encode("a"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(CodeOf([&] { poor->Encode("b"); }), ExitCode::kBadData);
}

TEST(Subword, ThreadsShareAnEncoder) {
  const auto encoder =
      SubwordTextEncoder::Load(GoldenPath("target_9.subwords"));
  const std::string text = ReadFile(GoldenPath("corpus_mixed.txt"));
  const std::vector<int64_t> ids = encoder->Encode(text);
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { same[i] = encoder->Encode(text) == ids; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 1));
  EXPECT_EQ(encoder->Decode(ids), text);
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

// "<" and ">" stand in "<pad>_" and "<EOS>_" alone, "x" in "ax" alone.
TEST(Subword, CharactersOfLongerSubtokensAloneAreEscaped) {
  std::vector<std::string> subtokens = {"<pad>_", "<EOS>_", "ax", "a"};
  for (const char c : std::string("\\_u;0123456789")) {
    subtokens.emplace_back(1, c);
  }
  const auto encoder = SubwordTextEncoder::FromSubtokens(subtokens);
  for (const std::string text : {"a > a", "a<a>", "x", "axx", "<pad>", "a"}) {
    EXPECT_EQ(encoder->Decode(encoder->Encode(text)), text);
  }
  EXPECT_EQ(encoder->Encode("ax"), (std::vector<int64_t>{2, 5}));
}

}  // namespace
}  // namespace t2t
