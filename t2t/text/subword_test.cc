#include "t2t/text/subword.h"

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
#include "t2t/text/subword_trie.h"
#include "t2t/text/testing_golden.h"
#include "t2t/text/tokenizer.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

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
