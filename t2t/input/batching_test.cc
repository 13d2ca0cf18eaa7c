#include "t2t/input/batching.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"

namespace t2t {
namespace {

const Json& Golden() {
  static const Json golden =
      Json::Parse(ReadFile("tests/golden/input/batching.json"));
  return golden;
}

std::vector<int64_t> Ints(const Json& json) {
  std::vector<int64_t> ints;
  for (const Json& item : json.items()) ints.push_back(item.AsInt());
  return ints;
}

TEST(BatchingTest, SchemesAreT2Ts) {
  const std::vector<Json>& schemes = Golden().At("schemes").items();
  EXPECT_GT(schemes.size(), 50u);
  for (const Json& pair : schemes) {
    const Json& in = pair.items()[0];
    const Json& out = pair.items()[1];
    const BatchingScheme scheme = MakeBatchingScheme(
        in.At("batch_size").AsInt(), in.At("max_length").AsInt(),
        in.At("min_length_bucket").AsInt(),
        in.At("length_bucket_step").AsDouble(),
        in.At("drop_long_sequences").AsBool(),
        in.At("shard_multiplier").AsInt(), in.At("length_multiplier").AsInt(),
        in.At("min_length").AsInt());
    SCOPED_TRACE(in.ToString());
    EXPECT_EQ(scheme.boundaries, Ints(out.At("boundaries")));
    EXPECT_EQ(scheme.batch_sizes, Ints(out.At("batch_sizes")));
    EXPECT_EQ(scheme.max_length, out.At("max_length").AsInt());
    EXPECT_EQ(scheme.min_length, out.At("min_length").AsInt());
    EXPECT_EQ(scheme.shuffle_queue_size, out.At("shuffle_queue_size").AsInt());
  }
}

TEST(BatchingTest, RefusesNumbersThatMakeNoTable) {
  EXPECT_THROW(MakeBatchingScheme(0, 10, 8, 1.1), Error);
  EXPECT_THROW(MakeBatchingScheme(10, 10, 8, 1.0), Error);
  EXPECT_THROW(MakeBatchingScheme(10, 10, 0, 1.1), Error);
  EXPECT_THROW(MakeBatchingScheme(10, 10, 8, 1.1, false, 1, 1, 11), Error);
}

TEST(BatchingTest, CutsFullBatches) {
  using Ranges = std::vector<Range>;
  EXPECT_EQ(CutByTokens({1, 1, 2, 2, 3, 9, 12}, 6, true),
            (Ranges{{0, 3}, {3, 5}, {5, 6}, {6, 7}}));
  // {3} could take another 3, {9} couldn't.
  EXPECT_EQ(CutByTokens({2, 2, 2, 3}, 6, false), (Ranges{{0, 3}}));
  EXPECT_EQ(CutByTokens({2, 2, 2, 9}, 6, false), (Ranges{{0, 3}, {3, 4}}));
  EXPECT_EQ(CutByTokens({2, 2, 2}, 6, false), (Ranges{{0, 3}}));
  // In any order: the longest counts.
  EXPECT_EQ(CutByTokens({3, 1, 1, 1}, 6, true), (Ranges{{0, 2}, {2, 4}}));
  EXPECT_EQ(CutByTokens({}, 6, true), Ranges{});
  EXPECT_EQ(CutByTokens({0, 0}, 6, true), (Ranges{{0, 2}}));
}

struct Feature {
  std::vector<int64_t> ids, segmentation, position;
};

// The rows in T2T's form: spacing is written between examples, and rows are
// padded to `length` where it is not 0.
Feature Write(const std::vector<size_t>& row,
              const std::vector<std::vector<int64_t>>& examples,
              int64_t spacing, size_t length) {
  Feature feature;
  for (size_t s = 0; s < row.size(); ++s) {
    if (s > 0) {
      for (auto* list :
           {&feature.ids, &feature.segmentation, &feature.position}) {
        list->insert(list->end(), spacing, 0);
      }
    }
    const std::vector<int64_t>& ids = examples[row[s]];
    for (size_t i = 0; i < ids.size(); ++i) {
      feature.ids.push_back(ids[i]);
      feature.segmentation.push_back(static_cast<int64_t>(s) + 1);
      feature.position.push_back(static_cast<int64_t>(i));
    }
  }
  for (auto* list : {&feature.ids, &feature.segmentation, &feature.position}) {
    list->resize(std::max(list->size(), length));
  }
  return feature;
}

void CheckPacking(const Json& golden, int64_t spacing, bool padded) {
  std::vector<std::vector<int64_t>> inputs, targets;
  for (const Json& pair : golden.At("examples").items()) {
    inputs.push_back(Ints(pair.items()[0]));
    targets.push_back(Ints(pair.items()[1]));
  }
  const int64_t length = golden.At("length").AsInt();
  Packer packer(length, golden.At("queue").AsInt(), spacing);
  std::vector<std::vector<size_t>> rows;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto row = packer.Add(i, {static_cast<int64_t>(inputs[i].size()),
                              static_cast<int64_t>(targets[i].size())});
    if (!row.empty()) rows.push_back(row);
  }
  for (auto& row : packer.Finish()) rows.push_back(row);

  const std::vector<Json>& expected = golden.At("rows").items();
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const std::string name : {"inputs", "targets"}) {
      const Feature feature =
          Write(rows[r], name == "inputs" ? inputs : targets, spacing,
                padded ? length : 0);
      EXPECT_EQ(feature.ids, Ints(expected[r].At(name)));
      EXPECT_EQ(feature.segmentation,
                Ints(expected[r].At(name + "_segmentation")));
      EXPECT_EQ(feature.position, Ints(expected[r].At(name + "_position")));
    }
  }
}

TEST(PackerTest, PacksAsPackExamples) {
  for (const Json& golden : Golden().At("pack_examples").items()) {
    CheckPacking(golden, golden.At("spacing").AsInt(), false);
  }
}

TEST(PackerTest, PacksAsPackDataset) {
  CheckPacking(Golden().At("pack_dataset"), 0, true);
}

}  // namespace
}  // namespace t2t
