#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/bleu.h"
#include "t2t/metrics/chrf.h"
#include "t2t/metrics/sequence.h"
#include "t2t/metrics/text.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

using Lines = std::vector<std::string>;

Json Golden(const std::string& name) {
  return Json::Parse(ReadFile("tests/golden/metrics/" + name + ".json"));
}

Lines Strings(const Json& json) {
  Lines lines;
  for (const Json& item : json.items()) lines.push_back(item.AsString());
  return lines;
}

// As sacreBLEU's program reads lines.
Lines Stripped(const Json& json) {
  Lines lines;
  for (const std::string& line : Strings(json)) {
    lines.emplace_back(StripPythonSpaceRight(line));
  }
  return lines;
}

std::vector<int64_t> Ints(const Json& json) {
  std::vector<int64_t> ints;
  for (const Json& item : json.items()) ints.push_back(item.AsInt());
  return ints;
}

IdRows Rows(const Json& json) {
  IdRows rows;
  for (const Json& row : json.items()) rows.push_back(Ints(row));
  return rows;
}

TEST(BleuTest, T2TsScores) {
  const Json golden = Golden("corpora");
  for (const Json& corpus : golden.At("corpora").items()) {
    SCOPED_TRACE(corpus.At("name").AsString());
    const Lines hypotheses = Strings(corpus.At("hypotheses"));
    const Lines references = Strings(corpus.At("first"));
    EXPECT_NEAR(T2TBleu(references, hypotheses, true),
                corpus.At("t2t").At("cased").AsDouble(), 1e-6);
    EXPECT_NEAR(T2TBleu(references, hypotheses, false),
                corpus.At("t2t").At("uncased").AsDouble(), 1e-6);
  }
}

TEST(BleuTest, SacreBleusScoresAndReports) {
  const Json golden = Golden("corpora");
  int checked = 0;
  for (const Json& corpus : golden.At("corpora").items()) {
    const Lines hypotheses = Stripped(corpus.At("hypotheses"));
    const std::vector<Lines> both = {Stripped(corpus.At("first")),
                                     Stripped(corpus.At("second"))};
    for (const Json& expected : corpus.At("sacrebleu").items()) {
      SCOPED_TRACE(corpus.At("name").AsString() + " " +
                   expected.At("text").AsString());
      const std::vector<Lines> references(
          both.begin(), both.begin() + expected.At("references").AsInt());
      MetricScore score;
      if (expected.At("metric").AsString() == "bleu") {
        BleuOptions options;
        options.tokenizer =
            TokenizerByName(expected.At("tokenizer").AsString());
        options.lowercase = expected.At("lowercase").AsBool();
        options.smoothing =
            BleuSmoothingByName(expected.At("smooth").AsString());
        score = CorpusBleu(hypotheses, references, options);
      } else {
        ChrfOptions options;
        options.word_order =
            static_cast<int>(expected.At("word_order").AsInt());
        options.lowercase = expected.At("lowercase").AsBool();
        options.whitespace = expected.At("whitespace").AsBool();
        score = CorpusChrf(hypotheses, references, options);
      }
      EXPECT_NEAR(score.score, expected.At("score").AsDouble(), 1e-6);
      EXPECT_EQ(ScoreText(score, 2), expected.At("text").AsString());
      if (const Json* json = expected.Find("json")) {
        EXPECT_EQ(ScoreJson(score, 1), json->AsString());
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 400);
}

std::string Fnv(std::string_view text) {
  uint64_t value = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return Format("%016llx", static_cast<unsigned long long>(value));
}

// Every code point (but those of private use and of empty planes) between
// letters, digits and other neighbours.
TEST(TextTest, EveryCodePointIsTokenizedAndLowered) {
  const Json golden = Golden("code_points");
  for (const std::string name :
       {"13a", "intl", "zh", "char", "none", "t2t", "lower"}) {
    std::string all;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c == 0xD800) c = 0xE000;
      if (c == 0x32000) c = 0xE0000;
      if (c == 0xE0200) break;
      std::u32string text = U"a?b 1?2 ?? a? 1?\u03A3?";
      for (char32_t& code : text) {
        if (code == U'?') code = c;
      }
      if (c > 0) all += '\n';
      if (name == "lower") {
        all += FromCodePoints(LowerCodePoints(text));
        continue;
      }
      bool first = true;
      for (const auto& token : TokenizeLine(TokenizerByName(name), text)) {
        if (!first) all += '|';
        first = false;
        all += FromCodePoints(token);
      }
    }
    EXPECT_EQ(Fnv(all), golden.At(name).AsString()) << name;
  }
}

TEST(TextTest, LowersAsPython) {
  EXPECT_EQ(LowerText("ΟΔΥΣΣΕΥΣ Σ ΑΣ."), "οδυσσευς σ ας.");
  EXPECT_EQ(LowerText("ΣΑΣ Α'Σ"), "σας α'ς");
  EXPECT_EQ(LowerText("İÄẞ𐐀"), "i̇äß𐐨");
  // A byte that is no UTF-8 stays as it is.
  EXPECT_EQ(LowerText("A\xFF\xC3"), "a\xFF\xC3");
}

TEST(TextTest, TokenizesAsT2T) {
  using Words = Lines;
  EXPECT_EQ(TokenizeLine(Tokenizer::kT2T, "Hello, world. 3.14 $5 2016."),
            (Words{"Hello", ",", "world", ".", "3.14", "$", "5", "2016."}));
  // T2T's class of punctuation lacks the backslash.
  EXPECT_EQ(TokenizeLine(Tokenizer::kT2T, "a\\b a[b]"),
            (Words{"a\\b", "a", "[", "b", "]"}));
  EXPECT_EQ(TokenizeLine(Tokenizer::k13a, "2016. a-b 7-8 &amp;quot;"),
            (Words{"2016", ".", "a-b", "7", "-", "8", "&", "quot", ";"}));
  EXPECT_TRUE(TokenizeLine(Tokenizer::kT2T, "").empty());
  EXPECT_EQ(TokenizeLine(Tokenizer::kIntl, "\xFF, a"),
            (Words{"\xFF", ",", "a"}));
}

TEST(TextTest, UnknownNames) {
  EXPECT_THROW(TokenizerByName("14a"), Error);
  EXPECT_THROW(BleuSmoothingByName("linear"), Error);
}

TEST(TextTest, ReadsLines) {
  const std::string folder = MakeTempDirectory("metrics");
  const std::string path = JoinPath(folder, "lines");
  WriteFileAtomically(path, "a\n\nb");
  EXPECT_EQ(ReadLines(path), (Lines{"a", "", "b"}));
  WriteFileAtomically(path, "a\n\n");
  EXPECT_EQ(ReadLines(path), (Lines{"a", ""}));
  WriteFileAtomically(path, "");
  EXPECT_EQ(ReadLines(path), Lines{});
  RemoveTree(folder);
  EXPECT_THROW(ReadLines(path), Error);
}

TEST(BleuTest, RefusesOtherLineCounts) {
  EXPECT_THROW(T2TBleu({"a", "b"}, {"a"}, true), Error);
  EXPECT_THROW(CorpusBleu({"a"}, {{"a"}, {"a", "b"}}), Error);
  EXPECT_THROW(CorpusChrf({"a"}, {}), Error);
  EXPECT_THROW(CorpusBleu({}, {{}}), Error);
}

TEST(BleuTest, TakesTheNearestReferenceLength) {
  EXPECT_EQ(CountBleu({1, 2, 3}, {{1, 2}, {1, 2, 3, 4}}).reference_length, 2);
  EXPECT_EQ(CountBleu({1, 2, 3}, {{1}, {1, 2, 3, 4}}).reference_length, 4);
  const BleuCounts counts = CountBleu({7, 7, 7}, {{7, 7}, {7}});
  EXPECT_EQ(counts.correct, (std::vector<int64_t>{2, 1, 0, 0}));
  EXPECT_EQ(counts.total, (std::vector<int64_t>{3, 2, 1, 0}));
}

TEST(SequenceTest, T2TsMetricsOfIds) {
  const Json golden = Golden("ids");
  for (const Json& set : golden.items()) {
    const IdRows labels = Rows(set.At("labels"));
    const IdRows predictions = Rows(set.At("predictions"));
    EXPECT_NEAR(ComputeBleu(labels, predictions), set.At("bleu").AsDouble(),
                1e-6);
    IdRows cut = predictions;
    for (auto& row : cut) row.resize(7);
    EXPECT_NEAR(ComputeBleu(labels, cut, 2, false),
                set.At("bleu_2_no_bp").AsDouble(), 1e-6);
    EXPECT_NEAR(RougeL(predictions, labels), set.At("rouge_l").AsDouble(),
                1e-6);
    EXPECT_NEAR(RougeN(predictions, labels), set.At("rouge_2").AsDouble(),
                1e-6);
    EXPECT_NEAR(PrefixAccuracy(predictions, labels),
                set.At("prefix_accuracy").AsDouble(), 1e-6);
    const auto expect = [&](const WeightedMetric& metric, const char* name) {
      EXPECT_NEAR(metric.value, set.At(name).items()[0].AsDouble(), 1e-6)
          << name;
      EXPECT_EQ(metric.weight, set.At(name).items()[1].AsDouble()) << name;
    };
    expect(SequenceEditDistance(predictions, labels), "edit_distance");
    const Lines tokens = Strings(set.At("tokens"));
    expect(WordErrorRate(predictions, labels, &tokens), "wer_tokens");
    expect(WordErrorRate(Rows(set.At("guesses")), Rows(set.At("letters"))),
           "wer_letters");
  }
}

TEST(SequenceTest, EdgeCases) {
  EXPECT_EQ(EditDistance({}, {1, 2}), 2);
  EXPECT_EQ(EditDistance({1, 2, 3}, {2, 3, 4}), 2);
  EXPECT_EQ(SequenceEditDistance({{1}}, {{0}}).weight, 0);
  EXPECT_EQ(RougeL({{}}, {{1}}), 0);
  EXPECT_EQ(ComputeBleu({{}}, {{}}), 0);
  EXPECT_THROW(RougeL({{1}}, {}), Error);
  const Lines tokens = {"a"};
  EXPECT_THROW(WordErrorRate({{1}}, {{0}}, &tokens), Error);
}

}  // namespace
}  // namespace t2t
