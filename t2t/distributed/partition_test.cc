#include "t2t/distributed/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace t2t {
namespace {

using Shards = Partition::Shards;

const std::vector<int64_t> kSizes = {5, 4000, 1, 300, 0, 7000, 16, 17, 2500};

int64_t Sum(const std::vector<int64_t>& sizes) {
  int64_t sum = 0;
  for (const int64_t size : sizes) sum += size;
  return sum;
}

TEST(PartitionTest, BucketsHoldEveryParameterOnceFromLastToFirst) {
  for (const Shards shards : {Shards::kEven, Shards::kOwners}) {
    const Partition partition(kSizes, {1024, 3, shards, 64});
    int64_t next = 0;
    size_t last = kSizes.size();
    for (size_t b = 0; b < partition.buckets().size(); ++b) {
      const Partition::Bucket& bucket = partition.buckets()[b];
      EXPECT_EQ(bucket.begin, next);
      for (const size_t i : bucket.parameters) {
        EXPECT_EQ(i, --last);
        EXPECT_EQ(partition.bucket_of(i), b);
        EXPECT_EQ(partition.offset(i), next);
        EXPECT_EQ(next % 16, 0);
        next += (kSizes[i] + 15) / 16 * 16;
      }
      ASSERT_EQ(bucket.bounds.size(), 4u);
      EXPECT_EQ(bucket.bounds.front(), 0);
      EXPECT_EQ(bucket.bounds.back(), bucket.size);
      EXPECT_TRUE(std::is_sorted(bucket.bounds.begin(), bucket.bounds.end()));
      if (shards == Shards::kEven) {
        EXPECT_EQ(bucket.shard_size(0), bucket.shard_size(1));
        EXPECT_EQ(bucket.shard_size(0), bucket.shard_size(2));
      }
      next = bucket.begin + bucket.size;
    }
    EXPECT_EQ(last, 0u);
    EXPECT_EQ(partition.total(), next);
    EXPECT_GT(partition.buckets().size(), 2u);
  }
}

TEST(PartitionTest, ABucketHoldsOneGroupTheGreatestFirst) {
  const std::vector<int64_t> groups = {0, 1, 1, 2, 2, 0, 1, 2, 0};
  Partition::Options options{1 << 20, 3, Shards::kOwners, 64, groups};
  const Partition partition(kSizes, options);
  std::vector<std::vector<size_t>> parameters;
  for (const Partition::Bucket& bucket : partition.buckets()) {
    parameters.push_back(bucket.parameters);
  }
  EXPECT_EQ(parameters, (std::vector<std::vector<size_t>>{
                            {7, 4, 3}, {6, 2, 1}, {8, 5, 0}}));
  int64_t owned = 0;
  for (int64_t rank = 0; rank < 3; ++rank) {
    for (const Partition::Run& run : partition.RunsOf(rank)) owned += run.size;
  }
  EXPECT_EQ(owned, Sum(kSizes));
  options.bucket_bytes = 1024;
  const Partition many(kSizes, options);
  EXPECT_GT(many.buckets().size(), 3u);
  for (const Partition::Bucket& bucket : many.buckets()) {
    for (const size_t i : bucket.parameters) {
      EXPECT_EQ(groups[i], groups[bucket.parameters.front()]);
    }
  }
}

// Every number has one owner, cuts are where they may be, the ranks' shares
// are as even as that allows.
TEST(PartitionTest, OwnersOfRuns) {
  for (const int64_t ranks : {1, 2, 3, 4, 7, 40}) {
    for (const int64_t cut : {64, 1 << 14}) {
      for (const int64_t bucket_bytes : {512, 1 << 20}) {
        const Partition partition(kSizes,
                                  {bucket_bytes, ranks, Shards::kOwners, cut});
        std::vector<int64_t> covered(kSizes.size(), 0);
        for (int64_t rank = 0; rank < ranks; ++rank) {
          int64_t own = 0;
          for (const Partition::Run& run : partition.RunsOf(rank)) {
            EXPECT_EQ(run.begin, covered[run.parameter]);
            EXPECT_EQ(run.begin % cut, 0);
            covered[run.parameter] += run.size;
            own += run.size;
          }
          EXPECT_NEAR(
              static_cast<double>(own),
              static_cast<double>(Sum(kSizes)) / static_cast<double>(ranks),
              static_cast<double>(std::min<int64_t>(cut, 7000)) + 1)
              << rank << " of " << ranks;
        }
        EXPECT_EQ(covered, kSizes);
      }
    }
  }
}

TEST(PartitionTest, OwnersOfWholeParameters) {
  for (const int64_t bucket_bytes : {512, 1 << 20}) {
    const Partition partition(kSizes, {bucket_bytes, 3, Shards::kOwners, 0});
    std::vector<int64_t> owned;
    std::vector<int64_t> covered(kSizes.size(), 0);
    for (int64_t rank = 0; rank < 3; ++rank) {
      owned.push_back(0);
      for (const Partition::Run& run : partition.RunsOf(rank)) {
        EXPECT_EQ(run.begin, 0);
        covered[run.parameter] += run.size;
        owned.back() += run.size;
      }
    }
    EXPECT_EQ(covered, kSizes);
    EXPECT_EQ(owned, (std::vector<int64_t>{7000, 4000, 2839}));
  }
}

TEST(PartitionTest, Nothing) {
  const Partition partition({}, {1024, 2, Shards::kOwners, 64});
  EXPECT_EQ(partition.total(), 0);
  EXPECT_TRUE(partition.buckets().empty());
  EXPECT_TRUE(partition.RunsOf(1).empty());
}

}  // namespace
}  // namespace t2t
