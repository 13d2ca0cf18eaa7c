#include "t2t/decode/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/memory_limit.h"
#include "t2t/decode/toy_model.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

Features ToyFeatures(int64_t rows) {
  return {{"inputs", at::ones({rows, 1}, at::kLong)}};
}

std::vector<SearchRow> Rows(int64_t rows, int64_t decode_length) {
  std::vector<SearchRow> result(rows);
  for (int64_t i = 0; i < rows; ++i) {
    result[i].decode_length = decode_length;
    result[i].stream = static_cast<uint64_t>(i);
  }
  return result;
}

// T2T pads with zeros behind the end.
std::vector<int64_t> UntilEos(const Json& json) {
  std::vector<int64_t> ids;
  for (const Json& id : json.items()) {
    ids.push_back(id.AsInt());
    if (ids.back() == kEosId) break;
  }
  return ids;
}

// A beam of 20,000 would end the program for want of memory, or the machine.
TEST(BeamSearchTest, BeamsThatDoNotFitIntoMemoryAreRefused) {
  HashModel model(1, 1000, 0);
  SearchOptions options;
  options.beam_size = 20'000;
  options.memory_limit = int64_t{400} << 20;
  try {
    Search(&model, ToyFeatures(2), Rows(2, 5), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    const std::string text = error.what();
    EXPECT_NE(text.find("beam_size=20000 over 1000 symbols, for 2 lines"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("0.4 GB"), std::string::npos) << text;
    EXPECT_NE(text.find("lower the decode hparam beam_size or batch_size"),
              std::string::npos)
        << text;
  }
  EXPECT_EQ(model.rows_stepped(), 2);
  options.beam_size = 4;
  Search(&model, ToyFeatures(2), Rows(2, 5), options);
  // What is there is the least of three limits.
  EXPECT_GT(MemoryLimit(), int64_t{1} << 20);
  EXPECT_LT(MemoryLimit(), int64_t{1} << 50);
}

TEST(BeamSearchTest, EqualsT2t) {
  const Json cases =
      Json::Parse(ReadFile("tests/golden/decode/beam_search.json"));
  ASSERT_GT(cases.items().size(), 70U);
  int64_t hypotheses = 0;
  for (const Json& json : cases.items()) {
    SCOPED_TRACE("seed " + std::to_string(json.At("seed").AsInt()));
    HashModel model(static_cast<uint64_t>(json.At("seed").AsInt()),
                    json.At("vocab").AsInt(),
                    static_cast<float>(json.At("eos_bias").AsDouble()));
    const int64_t rows = json.At("rows").AsInt();
    SearchOptions options;
    options.beam_size = json.At("beam_size").AsInt();
    options.alpha = json.At("alpha").AsDouble();
    options.top_beams = json.At("stop_early").AsBool() ? 1 : options.beam_size;
    const auto results =
        Search(&model, ToyFeatures(rows),
               Rows(rows, json.At("decode_length").AsInt()), options);
    for (int64_t r = 0; r < rows; ++r) {
      const Json& ids = json.At("ids").items()[r];
      const Json& scores = json.At("scores").items()[r];
      ASSERT_EQ(results[r].size(), static_cast<size_t>(options.top_beams));
      for (int64_t b = 0; b < options.top_beams; ++b) {
        const double score = scores.items()[b].AsDouble();
        EXPECT_NEAR(results[r][b].score, score,
                    1e-5 * std::max(1.0, std::abs(score)));
        // A place no hypothesis came to end in is filled up with zeros.
        if (score <= -1e6) continue;
        EXPECT_EQ(results[r][b].ids, UntilEos(ids.items()[b])) << r << " " << b;
        ++hypotheses;
      }
    }
  }
  EXPECT_GT(hypotheses, 300);
}

TEST(BeamSearchTest, RowsDontDependOnTheBatch) {
  SearchOptions options;
  for (const int64_t beam_size : {1, 3}) {
    options.beam_size = beam_size;
    HashModel model(5, 20, 1.F);
    std::vector<SearchRow> rows = Rows(6, 0);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].decode_length = 3 * i;
    const auto together = Search(&model, ToyFeatures(6), rows, options);
    // Row 0 of the toy's batch is row 0 whatever else is there.
    for (const int64_t length : {0, 1, 15}) {
      rows[0].decode_length = length;
      const auto alone = Search(&model, ToyFeatures(1), {rows[0]}, options);
      const auto among = Search(&model, ToyFeatures(6), rows, options);
      EXPECT_EQ(alone[0][0].ids, among[0][0].ids);
      EXPECT_EQ(alone[0][0].score, among[0][0].score);
      EXPECT_LE(alone[0][0].ids.size(), static_cast<size_t>(length));
      EXPECT_EQ(among[5][0].ids, together[5][0].ids);
    }
  }
}

TEST(BeamSearchTest, DropsFinishedRows) {
  HashModel model(5, 20, 6.F);
  SearchOptions options;
  options.beam_size = 4;
  Search(&model, ToyFeatures(8), Rows(8, 100), options);
  EXPECT_LT(model.rows_stepped(), 8 * 4 * 12);
}

TEST(SearchTest, DropsRowsThatNobodyWaitsFor) {
  for (const int64_t beam_size : {1, 3}) {
    SearchOptions options;
    options.beam_size = beam_size;
    const auto all = [&](int64_t* rows_stepped) {
      HashModel model(5, 20, -9.F);  // hardly an end
      const auto results = Search(&model, ToyFeatures(4), Rows(4, 20), options);
      *rows_stepped = model.rows_stepped();
      return results;
    };
    int64_t full = 0;
    const auto expected = all(&full);
    // Rows 1 to 3 go at the fifth question.
    std::vector<int> asked(4);
    options.is_gone = [&](size_t row) { return ++asked[row] > 5 && row > 0; };
    int64_t less = 0;
    const auto results = all(&less);
    EXPECT_EQ(results[0][0].ids, expected[0][0].ids);
    EXPECT_EQ(results[0][0].score, expected[0][0].score);
    EXPECT_LT(less, full / 2);
    // All of them: the search ends.
    options.is_gone = [&](size_t row) { return true; };
    all(&less);
    EXPECT_EQ(less, 0);
  }
}

TEST(BeamSearchTest, PrefixIsForcedAndNotReturned) {
  HashModel model(7, 12, 0.F);
  for (const int64_t beam_size : {1, 4}) {
    SearchOptions options;
    options.beam_size = beam_size;
    std::vector<SearchRow> rows = Rows(1, 9);
    const auto free = Search(&model, ToyFeatures(1), rows, options)[0][0];
    ASSERT_GE(free.ids.size(), 3U);
    // With the free search's own beginning, a greedy search goes the same
    // way; the end symbol in a prefix is a symbol as any other.
    if (beam_size == 1) {
      rows[0].prefix = {free.ids[0], free.ids[1]};
      const auto forced = Search(&model, ToyFeatures(1), rows, options)[0][0];
      EXPECT_EQ(forced.ids,
                std::vector<int64_t>(free.ids.begin() + 2, free.ids.end()));
      EXPECT_GT(forced.score, free.score);
    }
    rows[0].prefix = {5, kEosId, 7};
    const auto after_eos = Search(&model, ToyFeatures(1), rows, options)[0][0];
    EXPECT_FALSE(after_eos.ids.empty());
    EXPECT_LE(after_eos.ids.size(), 6U);
  }
}

TEST(BeamSearchTest, MinLengthAndEosPenalty) {
  HashModel model(9, 12, 5.F);
  for (const int64_t beam_size : {1, 4}) {
    SearchOptions options;
    options.beam_size = beam_size;
    std::vector<SearchRow> rows = Rows(4, 30);
    size_t free_length = 0;
    for (const auto& row : Search(&model, ToyFeatures(4), rows, options)) {
      free_length += row[0].ids.size();
    }
    for (SearchRow& row : rows) row.min_length = 10;
    for (const auto& row : Search(&model, ToyFeatures(4), rows, options)) {
      EXPECT_GE(row[0].ids.size(), 11U);
      EXPECT_EQ(row[0].ids.back(), kEosId);
    }
    for (SearchRow& row : rows) row.min_length = 0;
    options.eos_penalty = 6.0;
    size_t penalised_length = 0;
    for (const auto& row : Search(&model, ToyFeatures(4), rows, options)) {
      penalised_length += row[0].ids.size();
    }
    EXPECT_GT(penalised_length, free_length);
  }
}

TEST(GreedyTest, ForceDecodeLength) {
  HashModel model(9, 12, 8.F);
  SearchOptions options;
  options.beam_size = 1;
  const auto stopped = Search(&model, ToyFeatures(2), Rows(2, 9), options);
  options.force_decode_length = true;
  const auto forced = Search(&model, ToyFeatures(2), Rows(2, 9), options);
  for (int r = 0; r < 2; ++r) {
    ASSERT_LT(stopped[r][0].ids.size(), 9U);
    ASSERT_EQ(forced[r][0].ids.size(), 9U);
    EXPECT_TRUE(std::equal(stopped[r][0].ids.begin(), stopped[r][0].ids.end(),
                           forced[r][0].ids.begin()));
    EXPECT_EQ(stopped[r][0].score, forced[r][0].score);
  }
}

TEST(SamplingTest, IsRepeatableAndFollowsTheDistribution) {
  HashModel model(3, 6, 0.F);
  const at::Tensor logits = [&] {
    const auto state = model.StartDecoding(ToyFeatures(1));
    return model.DecodeStep(state.get(), {});
  }();
  SearchOptions options;
  options.beam_size = 1;
  options.temperature = 2.0;
  const at::Tensor expected = at::softmax(logits[0] / 2.0, 0);
  std::map<int64_t, int> counts;
  const int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<SearchRow> rows = Rows(1, 1);
    rows[0].stream = static_cast<uint64_t>(i);
    const auto drawn = Search(&model, ToyFeatures(1), rows, options);
    ++counts[drawn[0][0].ids[0]];
    if (i < 5) {
      const auto again = Search(&model, ToyFeatures(1), rows, options);
      EXPECT_EQ(drawn[0][0].ids, again[0][0].ids);
    }
  }
  for (int64_t id = 0; id < 6; ++id) {
    EXPECT_NEAR(counts[id] / double{kDraws}, expected[id].item<double>(), 0.03);
  }
  options.keep_top_k = 2;
  const at::Tensor best = std::get<1>(logits[0].topk(2));
  for (int i = 0; i < 100; ++i) {
    std::vector<SearchRow> rows = Rows(1, 1);
    rows[0].stream = static_cast<uint64_t>(i);
    const int64_t id =
        Search(&model, ToyFeatures(1), rows, options)[0][0].ids[0];
    EXPECT_TRUE(id == best[0].item<int64_t>() || id == best[1].item<int64_t>());
  }
}

TEST(SearchTest, RefusesBadOptionsAndNumbers) {
  HashModel model(3, 6, 0.F);
  SearchOptions options;
  options.beam_size = 0;
  EXPECT_THROW(Search(&model, ToyFeatures(1), Rows(1, 3), options), Error);
  options.beam_size = 1;
  options.temperature = -1;
  EXPECT_THROW(Search(&model, ToyFeatures(1), Rows(1, 3), options), Error);
  options.temperature = 1;
  options.keep_top_k = 0;
  EXPECT_THROW(Search(&model, ToyFeatures(1), Rows(1, 3), options), Error);
  options.keep_top_k = -1;
  HashModel broken(3, 6, NAN);
  try {
    Search(&broken, ToyFeatures(1), Rows(1, 3), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kDiverged);
  }
  EXPECT_TRUE(Search(&model, ToyFeatures(1), {}, SearchOptions()).empty());
}

}  // namespace
}  // namespace t2t
