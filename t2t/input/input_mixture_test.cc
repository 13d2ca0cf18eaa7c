// Training draws each example from one of several members.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "t2t/base/fs.h"
#include "t2t/input/testing_input.h"

namespace t2t {
namespace {

constexpr int kMembers = 3;

// Members of 2, 1 and 1 files; a member's steps put its number (and one) before
// the targets.
class InputMixtureTest : public InputTest {
 protected:
  InputOptions Mixture() {
    InputOptions options = Write(4, 40, 6);
    options.shuffle_buffer = 64;
    options.rates = [](int64_t, int64_t) {
      return std::vector<double>{0.5, 0.4, 0.1};
    };
    for (int m = 0; m < kMembers; ++m) {
      InputMember member;
      member.name = "member" + std::to_string(m);
      member.files = m == 0 ? 2 : 1;
      member.preprocess = [m](Example* example) {
        Ids& targets = std::get<Ids>(example->features.at("targets"));
        targets.insert(targets.begin(), m + 1);
        return true;
      };
      member.lengths = [](ExampleLengths* lengths) {
        ++lengths->Find("targets")->count;
        return true;
      };
      options.members.push_back(std::move(member));
    }
    return options;
  }
};

// How many rows of the batches are of each member.
std::vector<int> CountsOf(const std::vector<Batch>& batches) {
  std::vector<int> counts(kMembers);
  for (const int64_t member : Which(batches)) ++counts[member - 1];
  return counts;
}

TEST_F(InputMixtureTest, MembersComeAsOftenAsTheirRatesSay) {
  const std::vector<Batch> batches =
      Take(MakeInputPipeline(Mixture()).get(), 200);
  const std::vector<int> counts = CountsOf(batches);
  const double all = counts[0] + counts[1] + counts[2];
  EXPECT_GT(all, 3000);
  EXPECT_NEAR(counts[0] / all, 0.5, 0.03);
  EXPECT_NEAR(counts[1] / all, 0.4, 0.03);
  EXPECT_NEAR(counts[2] / all, 0.1, 0.02);
  // Of 40 examples each comes as often as the others, whatever the rates.
  std::map<int64_t, int> seen;
  for (const Batch& batch : batches) {
    for (int64_t r = 0; r < Rows(batch); ++r) {
      const Ids row = Row(batch.at("targets"), r);
      if (row[0] == 2) ++seen[row[1]];
    }
  }
  EXPECT_EQ(seen.size(), 40u);
  for (const auto& [id, times] : seen) {
    EXPECT_NEAR(times, counts[1] / 40.0, 2.0) << id;
  }
}

TEST_F(InputMixtureTest, RanksReadTheBatchesOfOneStream) {
  for (const bool pack : {false, true}) {
    InputOptions options = Mixture();
    options.pack = pack;
    const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 24);
    for (int64_t rank = 0; rank < 3; ++rank) {
      const auto pipeline = MakeInputPipeline(options);
      for (int round = 0; round < 8; ++round) {
        const Round own = pipeline->NextRound(3, {rank});
        ASSERT_EQ(own.found, 3);
        EXPECT_TRUE(own.batches.at(rank) ==
                    whole[static_cast<size_t>(round * 3 + rank)])
            << "rank " << rank << ", round " << round;
      }
    }
  }
}

TEST_F(InputMixtureTest, GoesOnWhereItWasSaved) {
  const InputOptions options = Mixture();
  const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 40);
  for (const int at : {0, 1, 7, 23}) {
    const auto first = MakeInputPipeline(options);
    Take(first.get(), at);
    const auto second = MakeInputPipeline(options);
    second->Restore(first->State());
    ExpectEqual(Take(second.get(), 40 - at), {whole.begin() + at, whole.end()});
  }
  // Of other rates it is another stream.
  const auto first = MakeInputPipeline(options);
  Take(first.get(), 7);
  InputOptions other = options;
  other.rates_text = "others";
  const auto second = MakeInputPipeline(other);
  second->Restore(first->State());
  EXPECT_NE(Take(second.get(), 1).at(0), whole[7]);
}

TEST_F(InputMixtureTest, RatesMayChangeWithExamplesAndBatches) {
  InputOptions options = Mixture();
  options.rates = [](int64_t examples, int64_t) {
    return examples < 500 ? std::vector<double>{1, 0, 0}
                          : std::vector<double>{0, 0, 1};
  };
  const std::vector<Batch> by_examples =
      Take(MakeInputPipeline(options).get(), 100);
  // (One may wait still for others of its length.)
  EXPECT_NEAR(CountsOf(by_examples)[0], 500, 5);
  EXPECT_EQ(CountsOf(by_examples)[1], 0);
  // A window's batches are counted once it is whole.
  options.rates = [](int64_t, int64_t batches) {
    return batches < 20 ? std::vector<double>{0, 1, 0}
                        : std::vector<double>{0, 0, 1};
  };
  const std::vector<Batch> by_batches =
      Take(MakeInputPipeline(options).get(), 100);
  EXPECT_EQ(CountsOf({by_batches.begin(), by_batches.begin() + 20})[2], 0);
  EXPECT_LT(CountsOf({by_batches.begin() + 30, by_batches.end()})[1], 30);
  EXPECT_GT(CountsOf({by_batches.begin() + 30, by_batches.end()})[2], 900);
}

TEST_F(InputMixtureTest, AMemberOfNothing) {
  InputOptions options = Mixture();
  options.files[3] = WriteShard(folder_, "empty", {});
  try {
    Take(MakeInputPipeline(options).get(), 40);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("member2"), std::string::npos)
        << error.what();
  }
  options = Mixture();
  options.max_length = 0;
  options.batch_size = 1;
  options.min_length = 1;
  EXPECT_EQ(CodeOf([&] { Take(MakeInputPipeline(options).get(), 1); }),
            ExitCode::kBadData);
  options = Mixture();
  options.training = false;
  EXPECT_EQ(CodeOf([&] { MakeInputPipeline(options); }), ExitCode::kUsage);
}

}  // namespace
}  // namespace t2t
