#include "t2t/input/input.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/input/batching.h"
#include "t2t/input/input_item.h"
#include "t2t/input/testing_input.h"

namespace t2t {
namespace {

TEST_F(InputTest, EvalKeepsOrderAndLosesNothing) {
  InputOptions options = Write(3, 100);
  options.training = false;
  options.max_length = 5;
  options.drop_long_sequences = false;
  const std::vector<Batch> batches = TakeAll(options);
  size_t i = 0;
  for (const Batch& batch : batches) {
    EXPECT_TRUE(Rows(batch) == 1 || Tokens(batch) <= 200);
    for (int64_t r = 0; r < Rows(batch); ++r, ++i) {
      EXPECT_EQ(Unpadded(Row(batch.at("inputs"), r)), pairs_[i].inputs);
      EXPECT_EQ(Unpadded(Row(batch.at("targets"), r)), pairs_[i].targets);
    }
  }
  EXPECT_EQ(i, 300u);
}

TEST_F(InputTest, EvalOrderDoesNotDependOnWindows) {
  InputOptions options = Write(3, 100);
  options.training = false;
  const std::vector<Batch> batches = TakeAll(options);
  options.cache_bytes = 0;
  options.shuffle_buffer = 17;
  ExpectEqual(TakeAll(options), batches);
}

TEST_F(InputTest, EvalByLengthHasEachExampleOnce) {
  InputOptions options = Write(3, 100);
  options.training = false;
  options.keep_file_order = false;
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    for (const bool t2t : {false, true}) {
      options.cache_bytes = cache;
      options.shuffle_buffer = 70;
      options.t2t_batching = t2t;
      const std::vector<Batch> batches = TakeAll(options);
      std::vector<int64_t> which = Which(batches);
      EXPECT_FALSE(std::is_sorted(which.begin(), which.end()));
      std::sort(which.begin(), which.end());
      ASSERT_EQ(which.size(), 300u);
      for (size_t i = 0; i < which.size(); ++i) {
        EXPECT_EQ(which[i], static_cast<int64_t>(i) + 2);
      }
    }
  }
}

TEST_F(InputTest, EvalDropsLongOnesWhereAsked) {
  InputOptions options = Write(1, 100);
  options.training = false;
  options.max_length = 10;
  size_t kept = 0;
  for (const Pair& pair : pairs_) {
    kept += std::max(pair.inputs.size(), pair.targets.size()) <= 10;
  }
  EXPECT_GT(kept, 0u);
  EXPECT_EQ(Which(TakeAll(options)).size(), kept);
}

TEST_F(InputTest, TrainingBatchesAreFull) {
  InputOptions options = Write(4, 500);
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    options.cache_bytes = cache;
    options.shuffle_buffer = 300;
    const auto pipeline = MakeInputPipeline(options);
    for (const Batch& batch : Take(pipeline.get(), 500)) {
      const int64_t longest = Tokens(batch) / Rows(batch);
      EXPECT_LE(Tokens(batch), 200);
      // No room for one more, of the batch's longest or the next length.
      EXPECT_GT((Rows(batch) + 1) * (longest + 1), 200);
    }
  }
}

TEST_F(InputTest, EachEpochHasEachExampleOnceInAnotherOrder) {
  InputOptions options = Write(4, 500);
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    options.cache_bytes = cache;
    options.shuffle_buffer = 300;
    const auto pipeline = MakeInputPipeline(options);
    std::vector<int64_t> which = Which(Take(pipeline.get(), 700));
    ASSERT_GT(which.size(), 4100u);
    std::map<int64_t, int> times;
    // What doesn't fill a batch moves on, so an epoch's end is not sharp.
    for (size_t i = 0; i < 4000; ++i) ++times[which[i]];
    for (const auto& [id, count] : times) {
      EXPECT_GE(count, 1);
      EXPECT_LE(count, 3);
    }
    EXPECT_GT(times.size(), 1970u);
    EXPECT_NE(std::vector<int64_t>(which.begin(), which.begin() + 500),
              std::vector<int64_t>(which.begin() + 2000, which.begin() + 2500));
  }
}

TEST_F(InputTest, TheSameForAnyThreadsAndPrefetch) {
  InputOptions options = Write(10, 300);
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    options.cache_bytes = cache;
    options.shuffle_buffer = 1000;
    options.threads = 1;
    options.prefetch_batches = 1;
    const auto one = Take(MakeInputPipeline(options).get(), 300);
    options.threads = 5;
    options.prefetch_batches = 9;
    ExpectEqual(Take(MakeInputPipeline(options).get(), 300), one);
    options.seed = 8;
    const auto other = Take(MakeInputPipeline(options).get(), 300);
    EXPECT_NE(Which(other), Which(one));
    options.seed = 7;
  }
}

TEST_F(InputTest, FixedBatchSize) {
  InputOptions options = Write(1, 50);
  options.use_fixed_batch_size = true;
  options.batch_size = 8;
  const auto training = MakeInputPipeline(options);
  for (const Batch& batch : Take(training.get(), 20)) {
    EXPECT_EQ(Rows(batch), 8);
  }
  options.training = false;
  const std::vector<Batch> batches = TakeAll(options);
  ASSERT_EQ(batches.size(), 7u);
  EXPECT_EQ(Rows(batches[6]), 2);
}

TEST_F(InputTest, T2TBatchingUsesItsTable) {
  InputOptions options = Write(2, 400, 40);
  options.t2t_batching = true;
  options.batch_size = 300;
  options.min_length_bucket = 8;
  options.length_bucket_step = 1.3;
  const BatchingScheme scheme = MakeBatchingScheme(300, 64, 8, 1.3);
  const auto pipeline = MakeInputPipeline(options);
  for (const Batch& batch : Take(pipeline.get(), 300)) {
    EXPECT_EQ(Rows(batch),
              scheme.batch_sizes[scheme.Bucket(Tokens(batch) / Rows(batch))]);
  }
}

TEST_F(InputTest, T2TBatchingInEvalIsT2Ts) {
  const Json golden = Json::Parse(ReadFile("tests/golden/input/batching.json"));
  for (const Json& values : golden.At("bucketed").items()) {
    std::vector<Pair> pairs;
    for (const Json& length : values.At("lengths").items()) {
      Pair pair;
      pair.inputs = {1};
      pair.targets = Ids(length.AsInt(), 1);
      pair.targets[0] = static_cast<int64_t>(pairs.size()) + 2;
      pairs.push_back(pair);
    }
    InputOptions options;
    options.files = {WriteShard(folder_, "bucketed", pairs)};
    options.training = false;
    options.t2t_batching = true;
    options.batch_size = values.At("batch_size").AsInt();
    options.max_length = values.At("max_length").AsInt();
    options.min_length_bucket = values.At("min_length_bucket").AsInt();
    options.length_bucket_step = values.At("length_bucket_step").AsDouble();
    const std::vector<Batch> batches = TakeAll(options);
    const std::vector<Json>& expected = values.At("batches").items();
    ASSERT_EQ(batches.size(), expected.size());
    for (size_t b = 0; b < batches.size(); ++b) {
      Ids which;
      for (const Json& i : expected[b].items()) {
        which.push_back(i.AsInt() + 2);
      }
      EXPECT_EQ(Which({batches[b]}), which);
    }
  }
}

TEST_F(InputTest, PacksEachExampleOnce) {
  InputOptions options = Write(2, 200);
  options.training = false;
  options.pack = true;
  options.max_length = 40;
  std::set<std::pair<Ids, Ids>> expected, found;
  for (const Pair& pair : pairs_) expected.insert({pair.inputs, pair.targets});
  int64_t rows = 0;
  for (const Batch& batch : TakeAll(options)) {
    EXPECT_EQ(batch.size(), 6u);
    EXPECT_LE(Rows(batch), 200 / 40);
    rows += Rows(batch);
    for (int64_t r = 0; r < Rows(batch); ++r) {
      std::map<int64_t, std::pair<Ids, Ids>> parts;
      for (const std::string name : {"inputs", "targets"}) {
        EXPECT_EQ(batch.at(name).shape()[1], 40);
        const Ids ids = Row(batch.at(name), r);
        const Ids segment = Row(batch.at(name + "_segmentation"), r);
        const Ids position = Row(batch.at(name + "_position"), r);
        for (size_t i = 0; i < ids.size(); ++i) {
          if (segment[i] == 0) {
            EXPECT_EQ(ids[i], 0);
            EXPECT_EQ(position[i], 0);
            continue;
          }
          auto& part = parts[segment[i]];
          Ids& to = name == "inputs" ? part.first : part.second;
          EXPECT_EQ(position[i], static_cast<int64_t>(to.size()));
          to.push_back(ids[i]);
        }
      }
      for (const auto& [segment, part] : parts) found.insert(part);
    }
  }
  EXPECT_EQ(found, expected);
  EXPECT_LT(rows, 130);  // of 400 examples of about 10 tokens
}

TEST_F(InputTest, PreprocessChangesAndDrops) {
  InputOptions options = Write(2, 50);
  options.training = false;
  options.preprocess = [](Example* example) {
    auto& targets = std::get<Ids>(example->features["targets"]);
    if (targets[0] % 2 != 0) return false;
    targets = {targets[0], 1};
    example->features["name"] = std::vector<std::string>{"left out"};
    return true;
  };
  const std::vector<Batch> batches = TakeAll(options);
  EXPECT_EQ(Which(batches).size(), 50u);
  for (const Batch& batch : batches) {
    EXPECT_EQ(batch.size(), 2u);
    EXPECT_EQ(batch.at("targets").shape()[1], 2);
  }
}

TEST_F(InputTest, ImagesLabelsAndReals) {
  const std::string path = JoinPath(folder_, "images");
  {
    TfRecordWriter writer(path);
    for (int i = 0; i < 10; ++i) {
      Example example;
      example.features["inputs"] = Ids(2 * 3 * 1, i);
      example.features["targets"] = Ids{i % 3};
      example.features["reals"] =
          std::vector<float>(2 * (i % 2 + 1), 0.5f * static_cast<float>(i));
      writer.Write(SerializeExample(example));
    }
    writer.Commit();
  }
  InputOptions options;
  options.files = {path};
  options.training = false;
  options.batch_size = 4;
  options.fixed_shapes["inputs"] = {2, 3, 1};
  options.fixed_shapes["reals"] = {-1, 2};
  const std::vector<Batch> batches = TakeAll(options);
  ASSERT_EQ(batches.size(), 3u);
  const Batch& batch = batches[0];
  EXPECT_EQ(batch.at("inputs").shape(), (Ids{4, 2, 3, 1}));
  EXPECT_EQ(batch.at("targets").shape(), (Ids{4, 1}));
  EXPECT_EQ(batch.at("reals").shape(), (Ids{4, 2, 2}));
  EXPECT_EQ(batch.at("inputs").values<uint8_t>()[6], 1);
  EXPECT_EQ(
      batch.at("reals"),
      HostTensor({4, 2, 2}, std::vector<float>{0, 0, 0, 0, .5, .5, .5, .5, 1, 1,
                                               0, 0, 1.5, 1.5, 1.5, 1.5}));
  options.fixed_shapes["inputs"] = {2, 2, 1};
  EXPECT_EQ(CodeOf([&] { TakeAll(options); }), ExitCode::kBadData);
}

// From the cache to the model: neither there nor in the batches that wait is a
// pixel more than its byte.
TEST_F(InputTest, APixelIsAByte) {
  const std::string path = JoinPath(folder_, "pixels");
  TfRecordWriter writer(path);
  for (int i = 0; i < 8; ++i) {
    Example example;
    example.features["targets"] = Ids{i};
    writer.Write(SerializeExample(example));
  }
  writer.Commit();
  InputOptions options;
  options.files = {path};
  options.batch_size = 4;
  options.fixed_shapes["inputs"] = {32, 32, 3};
  options.preprocess = [](Example* example) {
    example->features["inputs"] = std::vector<uint8_t>(
        3072, static_cast<uint8_t>(250 + example->Ints("targets")[0]));
    return true;
  };
  std::string kept;
  Example example;
  example.features["targets"] = Ids{3};
  options.preprocess(&example);
  AppendItem(example, &kept);
  EXPECT_LT(kept.size(), 3072u + 50u);
  EXPECT_EQ(ItemExample(kept), example);

  options.augment = [](Example* kept_example, uint64_t) {
    std::get<std::vector<uint8_t>>(kept_example->features.at("inputs"))[0] = 7;
  };
  for (const Batch& batch : Take(MakeInputPipeline(options).get(), 3)) {
    EXPECT_EQ(batch.at("inputs").size_bytes(), 4 * 3072u);
    const auto pixels = batch.at("inputs").values<uint8_t>();
    EXPECT_EQ(pixels[0], 7);
    EXPECT_EQ(pixels[1], 250 + Row(batch.at("targets"), 0)[0]);
  }
}

// An image is decoded by a step that draws: its bytes are kept until then,
// where all examples are in memory (to evaluate) and where they are records.
TEST_F(InputTest, ATextIsThereForAStepThatDraws) {
  const std::string path = JoinPath(folder_, "texts");
  TfRecordWriter writer(path);
  for (int64_t i = 0; i < 12; ++i) {
    Example example;
    example.features["image/encoded"] =
        std::vector<std::string>{std::string(200, static_cast<char>(i))};
    example.features["targets"] = Ids{i};
    writer.Write(SerializeExample(example));
  }
  writer.Commit();
  InputOptions options;
  options.files = {path};
  options.batch_size = 4;
  options.max_length = 20;
  options.fixed_shapes["inputs"] = {1, 2, 1};
  options.preprocess = [](Example*) { return true; };
  options.augment = [](Example* example, uint64_t) {
    const std::string bytes = example->Strings("image/encoded").at(0);
    EXPECT_EQ(bytes.size(), 200u);
    example->features["inputs"] = Ids{bytes[0], 7};
    example->features.erase("image/encoded");
  };
  for (const bool training : {false, true}) {
    options.training = training;
    for (const bool on_lengths : {false, true}) {
      options.lengths = nullptr;
      if (on_lengths) options.lengths = [](ExampleLengths*) { return true; };
      for (const Batch& batch : Take(MakeInputPipeline(options).get(), 3)) {
        EXPECT_EQ(batch.size(), 2u);
        EXPECT_EQ(batch.at("inputs").Ints()[2], Row(batch.at("targets"), 1)[0]);
      }
    }
  }
}

TEST_F(InputTest, IntegersAreAsNarrowAsTheirBatchAllows) {
  const auto type_of = [&](const Ids& first, const Ids& second) {
    std::vector<Pair> pairs(2);
    pairs[0].inputs = pairs[0].targets = first;
    pairs[1].inputs = pairs[1].targets = second;
    InputOptions options;
    options.files = {WriteShard(folder_, "ids", pairs)};
    options.training = false;
    const std::vector<Batch> batches = TakeAll(options);
    EXPECT_EQ(batches.size(), 1u);
    EXPECT_EQ(Unpadded(Row(batches[0].at("inputs"), 0)), first);
    EXPECT_EQ(Unpadded(Row(batches[0].at("inputs"), 1)), second);
    return batches[0].at("inputs").type();
  };
  EXPECT_EQ(type_of({1}, {255, 2}), DType::kU8);
  EXPECT_EQ(type_of({1}, {256, 2}), DType::kI32);
  EXPECT_EQ(type_of({1}, {-1, 2}), DType::kI32);
  EXPECT_EQ(type_of({65536}, {300}), DType::kI32);
  EXPECT_EQ(type_of({int64_t{1} << 31}, {300}), DType::kI64);
}

TEST(HostTensorTest, HasOneTypeAndOneSize) {
  HostTensor ids({2, 2}, std::vector<int32_t>{1, 2, 3, 400});
  EXPECT_EQ(ids.size_bytes(), 16u);
  EXPECT_EQ(ids.Ints(), (Ids{1, 2, 3, 400}));
  EXPECT_EQ(CodeOf([&] { ids.values<int64_t>(); }), ExitCode::kInternal);
  EXPECT_EQ(CodeOf([] { HostTensor({3}, std::vector<float>{1}); }),
            ExitCode::kInternal);
  const HostTensor copy = ids;
  ids.values<int32_t>()[0] = 5;
  EXPECT_EQ(copy.Ints(), (Ids{1, 2, 3, 400}));
  EXPECT_NE(copy, ids);
}

TEST_F(InputTest, TooLargeWhenParsedIsNotKept) {
  InputOptions options = Write(2, 100);
  options.preprocess = [](Example* example) {
    example->features["inputs"] = Ids(3000, 70000);
    return true;
  };
  options.max_length = 4000;
  options.batch_size = 9000;
  options.cache_bytes = 60000;
  const auto pipeline = MakeInputPipeline(options);
  const auto batches = Take(pipeline.get(), 100);
  ASSERT_EQ(batches.size(), 100u);
  EXPECT_EQ(Rows(batches[0]), 3);
}

}  // namespace
}  // namespace t2t
