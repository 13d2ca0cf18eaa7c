// Several ranks read one stream, each its own batches of it.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/input/testing_input.h"

namespace t2t {
namespace {

// A preprocess that counts its calls and crops to 9, as `lengths` says where
// it is to be known.
InputOptions Cropping(InputOptions options, std::atomic<int>* calls,
                      bool lengths_are_known) {
  options.preprocess = [calls](Example* example) {
    ++*calls;
    for (const char* const name : {"inputs", "targets"}) {
      Ids& ids = std::get<Ids>(example->features.at(name));
      ids.resize(std::min<size_t>(ids.size(), 9));
    }
    return example->Ints("inputs").size() != 5;
  };
  if (!lengths_are_known) return options;
  options.lengths = [](ExampleLengths* lengths) {
    for (const char* const name : {"inputs", "targets"}) {
      FeatureLength* const feature = lengths->Find(name);
      feature->count = std::min<int64_t>(feature->count, 9);
    }
    return lengths->Find("inputs")->count != 5;
  };
  return options;
}

// Ways to make batches; each with files that are kept in memory or read in
// windows.
constexpr int kVariants = 12;
InputOptions Variant(InputOptions options, int variant) {
  options.cache_bytes = variant % 2 == 0 ? 1 << 20 : 0;
  options.shuffle_buffer = 150;
  options.t2t_batching = variant / 2 == 1 || variant / 2 == 4;
  options.pack = variant / 2 == 2;
  options.use_fixed_batch_size = variant / 2 == 3;
  if (options.use_fixed_batch_size) options.batch_size = 16;
  options.training = variant / 2 < 4;
  options.keep_file_order = variant / 2 == 4;
  return options;
}

// The rounds of a rank, put where they are in the stream.
void TakeRounds(InputPipeline* pipeline, int64_t count,
                const std::vector<int64_t>& wanted, int rounds, size_t first,
                std::map<size_t, Batch>* stream) {
  for (int r = 0; r < rounds; ++r) {
    Round round = pipeline->NextRound(count, wanted);
    for (auto& [place, batch] : round.batches) {
      const auto [at, is_new] =
          stream->emplace(first + static_cast<size_t>(place), std::move(batch));
      EXPECT_TRUE(is_new);
    }
    first += static_cast<size_t>(round.found);
  }
}

TEST_F(InputTest, RanksReadTheBatchesOfOneStream) {
  const InputOptions plain = Write(10, 60);
  std::atomic<int> calls = 0;
  for (int variant = 0; variant < kVariants; ++variant) {
    SCOPED_TRACE(variant);
    const InputOptions options =
        Cropping(Variant(plain, variant), &calls, true);
    const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 48);
    for (int64_t ranks = 1; ranks <= 7; ranks += 2) {
      std::map<size_t, Batch> stream;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        std::vector<int64_t> wanted;
        for (int64_t place = rank; place < 6; place += ranks) {
          wanted.push_back(place);
        }
        const auto pipeline = MakeInputPipeline(options);
        TakeRounds(pipeline.get(), 6, wanted, 8, 0, &stream);
      }
      ASSERT_EQ(stream.size(), whole.size());
      for (const auto& [place, batch] : stream) {
        EXPECT_TRUE(batch == whole[place]) << place;
      }
    }
  }
}

// One rank, then three, then two ask of where the one before stood.
TEST_F(InputTest, GoesOnWithOtherRanks) {
  InputOptions options = Write(10, 60);
  options.shuffle_buffer = 150;
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    options.cache_bytes = cache;
    const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 60);
    std::map<size_t, Batch> stream;
    std::string state;
    size_t first = 0;
    for (const std::vector<std::vector<int64_t>>& ranks :
         std::vector<std::vector<std::vector<int64_t>>>{
             {{0, 1, 2, 3, 4, 5}},
             {{0, 3}, {1, 4}, {2, 5}},
             {{0, 1}, {2, 3, 4, 5}}}) {
      std::vector<std::string> states;
      for (const std::vector<int64_t>& wanted : ranks) {
        const auto pipeline = MakeInputPipeline(options);
        if (!state.empty()) pipeline->Restore(state);
        TakeRounds(pipeline.get(), 6, wanted, 3, first, &stream);
        states.push_back(pipeline->State());
      }
      for (const std::string& other : states) EXPECT_EQ(other, states[0]);
      state = states[0];
      first += 18;
    }
    ASSERT_EQ(stream.size(), 54u);
    for (const auto& [place, batch] : stream) {
      EXPECT_TRUE(batch == whole[place]) << place;
    }
  }
}

TEST_F(InputTest, RoundsMayChangeAtAnyTime) {
  InputOptions options = Write(5, 60);
  options.shuffle_buffer = 100;
  options.cache_bytes = 0;
  const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 20);
  const auto pipeline = MakeInputPipeline(options);
  std::map<size_t, Batch> stream;
  TakeRounds(pipeline.get(), 4, {1}, 2, 0, &stream);
  EXPECT_TRUE(*pipeline->Next() == whole[8]);
  TakeRounds(pipeline.get(), 3, {0, 2}, 1, 9, &stream);
  TakeRounds(pipeline.get(), 2, {}, 1, 12, &stream);
  TakeRounds(pipeline.get(), 2, {1}, 3, 14, &stream);
  EXPECT_EQ(stream.size(), 7u);
  for (const auto& [place, batch] : stream) {
    EXPECT_TRUE(batch == whole[place]) << place;
  }
}

TEST_F(InputTest, ARankParsesItsOwnBatchesAlone) {
  InputOptions options = Write(4, 200);
  options.training = false;
  options.cache_bytes = 0;
  options.shuffle_buffer = 90;
  std::atomic<int> calls = 0;
  options = Cropping(options, &calls, true);
  for (int64_t rank = 0; rank < 4; ++rank) {
    calls = 0;
    const auto pipeline = MakeInputPipeline(options);
    int64_t own = 0;
    for (bool more = true; more;) {
      const Round round = pipeline->NextRound(4, {rank});
      for (const auto& [place, batch] : round.batches) own += Rows(batch);
      more = round.found == 4;
    }
    EXPECT_GT(own, 100);
    EXPECT_EQ(calls, own);
  }
  // Where its lengths are not known before, each is.
  calls = 0;
  options = Cropping(options, &calls, false);
  options.lengths = nullptr;
  const auto pipeline = MakeInputPipeline(options);
  while (pipeline->NextRound(4, {1}).found == 4) {
  }
  EXPECT_EQ(calls, 800);
}

// Planned on lengths or on the examples, batches are the same; so a run may go
// on where one of before there were lengths stood, whose states did not say.
TEST_F(InputTest, GoesOnFromBeforeBatchesWerePlannedOnLengths) {
  const InputOptions plain = Write(10, 60);
  std::atomic<int> calls = 0;
  for (int variant = 0; variant < kVariants; ++variant) {
    SCOPED_TRACE(variant);
    InputOptions options = Variant(plain, variant);
    const auto before = MakeInputPipeline(Cropping(options, &calls, false));
    std::vector<std::string> states;
    std::vector<Batch> batches;
    for (int i = 0; i < 80; ++i) {
      const std::string state = before->State();
      const std::string old =
          ReplaceAll(state, "\"by_records\": false", "\"was\": 0");
      EXPECT_NE(old, state);
      states.push_back(old);
      std::optional<Batch> batch = before->Next();
      if (!batch) break;
      batches.push_back(std::move(*batch));
    }
    options = Cropping(options, &calls, true);
    ExpectEqual(Take(MakeInputPipeline(options).get(),
                     static_cast<int>(batches.size())),
                batches);
    for (size_t i = 0; i < batches.size(); i += 9) {
      const auto after = MakeInputPipeline(options);
      after->Restore(states[i]);
      const std::vector<Batch> rest = Take(after.get(), 20);
      for (size_t k = 0; k < rest.size() && i + k < batches.size(); ++k) {
        EXPECT_TRUE(rest[k] == batches[i + k]) << i << " " << k;
      }
    }
  }
}

TEST_F(InputTest, StepsThatSayWrongLengthsAreAnError) {
  InputOptions options = Write(1, 50);
  options.cache_bytes = 0;
  options.preprocess = [](Example* example) {
    std::get<Ids>(example->features.at("inputs")).push_back(1);
    return true;
  };
  options.lengths = [](ExampleLengths*) { return true; };
  const auto take = [&] { MakeInputPipeline(options)->NextRound(2, {0}); };
  EXPECT_EQ(CodeOf(take), ExitCode::kInternal);
  options.preprocess = [](Example*) { return false; };
  EXPECT_EQ(CodeOf(take), ExitCode::kInternal);
}

// Wherever it is: no rank goes on past a damaged record.
TEST_F(InputTest, ADamagedRecordIsNamedOnEveryRank) {
  InputOptions options = Write(2, 100);
  options.training = false;
  options.cache_bytes = 0;
  std::string bytes = ReadFile(options.files[1]);
  bytes[bytes.size() / 2] ^= 1;
  WriteFileAtomically(options.files[1], bytes);
  for (int64_t rank = 0; rank < 3; ++rank) {
    const auto pipeline = MakeInputPipeline(options);
    try {
      while (pipeline->NextRound(3, {rank}).found == 3) {
      }
      ADD_FAILURE() << "rank " << rank;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_NE(std::string(error.what()).find(options.files[1]),
                std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace t2t
