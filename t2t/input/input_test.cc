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

namespace t2t {
namespace {

using Ids = std::vector<int64_t>;

// Example i of a file: its first id is i + 2, so that it can be told.
struct Pair {
  Ids inputs, targets;
};

std::vector<Pair> MakePairs(int count, int longest, uint64_t seed,
                            int64_t first_id = 2) {
  Rng rng(seed);
  std::vector<Pair> pairs(count);
  for (int i = 0; i < count; ++i) {
    pairs[i].inputs = {first_id + i};
    pairs[i].targets = {first_id + i};
    for (Ids* ids : {&pairs[i].inputs, &pairs[i].targets}) {
      const auto more = rng.Below(longest);
      for (uint64_t k = 0; k < more; ++k) {
        ids->push_back(2 + static_cast<int64_t>(rng.Below(70000)));
      }
    }
  }
  return pairs;
}

std::string WriteShard(const std::string& folder, const std::string& name,
                       const std::vector<Pair>& pairs) {
  const std::string path = JoinPath(folder, name);
  TfRecordWriter writer(path);
  for (const Pair& pair : pairs) {
    Example example;
    example.features["inputs"] = pair.inputs;
    example.features["targets"] = pair.targets;
    writer.Write(SerializeExample(example));
  }
  writer.Commit();
  return path;
}

// `shards` files of `count` examples, whose first ids are 2, 3, ...
class InputTest : public ::testing::Test {
 protected:
  ~InputTest() override { RemoveTree(folder_); }

  InputOptions Write(int shards, int count, int longest = 20) {
    InputOptions options;
    for (int s = 0; s < shards; ++s) {
      const auto pairs = MakePairs(count, longest, s, 2 + s * count);
      options.files.push_back(
          WriteShard(folder_, "shard-" + std::to_string(s), pairs));
      pairs_.insert(pairs_.end(), pairs.begin(), pairs.end());
    }
    options.batch_size = 200;
    options.max_length = 64;
    options.seed = 7;
    return options;
  }

  std::string folder_ = MakeTempDirectory("input_test");
  std::vector<Pair> pairs_;
};

std::vector<Batch> Take(InputPipeline* pipeline, int count) {
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) {
    std::optional<Batch> batch = pipeline->Next();
    if (!batch.has_value()) break;
    batches.push_back(std::move(*batch));
  }
  return batches;
}

std::vector<Batch> TakeAll(const InputOptions& options) {
  return Take(MakeInputPipeline(options).get(), 1 << 30);
}

Ids Row(const HostTensor& tensor, int64_t row) {
  const int64_t width = tensor.shape[1];
  return Ids(tensor.ints.begin() + row * width,
             tensor.ints.begin() + (row + 1) * width);
}

Ids Unpadded(Ids ids) {
  while (!ids.empty() && ids.back() == 0) ids.pop_back();
  return ids;
}

int64_t Rows(const Batch& batch) { return batch.at("targets").shape[0]; }

int64_t Tokens(const Batch& batch) {
  return Rows(batch) *
         std::max(batch.at("inputs").shape[1], batch.at("targets").shape[1]);
}

bool Equal(const Batch& a, const Batch& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || tensor.shape != other->second.shape ||
        tensor.ints != other->second.ints ||
        tensor.floats != other->second.floats) {
      return false;
    }
  }
  return true;
}

void ExpectEqual(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(Equal(a[i], b[i])) << "batch " << i;
  }
}

// The first ids of the rows: which examples they are.
std::vector<int64_t> Which(const std::vector<Batch>& batches) {
  std::vector<int64_t> which;
  for (const Batch& batch : batches) {
    for (int64_t r = 0; r < Rows(batch); ++r) {
      which.push_back(Row(batch.at("targets"), r)[0]);
    }
  }
  return which;
}

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

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

TEST_F(InputTest, RestoresExactly) {
  const InputOptions plain = Write(10, 100);
  for (int variant = 0; variant < 12; ++variant) {
    InputOptions options = plain;
    options.cache_bytes = variant % 2 == 0 ? 1 << 20 : 0;
    options.shuffle_buffer = 150;
    options.t2t_batching = variant / 2 == 1 || variant / 2 == 4;
    options.pack = variant / 2 == 2;
    options.use_fixed_batch_size = variant / 2 == 3;
    if (options.use_fixed_batch_size) options.batch_size = 16;
    if (variant / 2 >= 4) {
      options.training = false;
      options.keep_file_order = variant / 2 == 4;
    }
    SCOPED_TRACE(variant);
    const auto whole = MakeInputPipeline(options);
    std::vector<std::string> states = {whole->State()};
    std::vector<Batch> batches;
    for (int i = 0; i < 200; ++i) {
      std::optional<Batch> batch = whole->Next();
      if (!batch.has_value()) break;
      batches.push_back(std::move(*batch));
      states.push_back(whole->State());
    }
    const auto resumed = MakeInputPipeline(options);
    for (size_t i = 0; i < states.size(); i += 7) {
      resumed->Restore(states[i]);
      EXPECT_EQ(resumed->State(), states[i]);
      for (size_t k = i; k < std::min(i + 3, batches.size()); ++k) {
        std::optional<Batch> batch = resumed->Next();
        ASSERT_TRUE(batch.has_value());
        EXPECT_TRUE(Equal(*batch, batches[k])) << i << " " << k;
        EXPECT_EQ(resumed->State(), states[k + 1]);
      }
    }
    if (!options.training) {
      resumed->Restore(states.back());
      EXPECT_FALSE(resumed->Next().has_value());
    }
    for (const std::string& state : states) EXPECT_LT(state.size(), 4000u);
  }
}

TEST_F(InputTest, OtherOptionsOrFilesStartTheEpochAgain) {
  InputOptions options = Write(2, 300);
  auto pipeline = MakeInputPipeline(options);
  Take(pipeline.get(), 100);
  const std::string state = pipeline->State();
  const int64_t epoch = Json::Parse(state).At("epoch").AsInt();
  EXPECT_GT(epoch, 0);
  options.batch_size = 100;
  pipeline = MakeInputPipeline(options);
  pipeline->Restore(state);
  const Json now = Json::Parse(pipeline->State());
  EXPECT_EQ(now.At("epoch").AsInt(), epoch);
  EXPECT_EQ(now.At("batch").AsInt(), 0);
  EXPECT_TRUE(pipeline->Next().has_value());
}

TEST_F(InputTest, RefusesDamagedStates) {
  InputOptions options = Write(1, 50);
  options.cache_bytes = 0;
  const auto pipeline = MakeInputPipeline(options);
  pipeline->Next();
  const std::string state = pipeline->State();
  for (const std::string& bad :
       {std::string("{"), std::string("{}"), std::string("[1]"),
        ReplaceAll(state, "\"format\": 1", "\"format\": 2"),
        ReplaceAll(state, "\"open\": [", "\"open\": [77, 0, "),
        ReplaceAll(state, "\"open\": [", "\"open\": [1, "),
        ReplaceAll(state, "\"batch\": 1", "\"batch\": -1")}) {
    ASSERT_NE(bad, state);
    EXPECT_EQ(CodeOf([&] { pipeline->Restore(bad); }), ExitCode::kBadData)
        << bad;
  }
  pipeline->Restore(ReplaceAll(state, "\"batch\": 1", "\"batch\": 1000"));
  EXPECT_EQ(CodeOf([&] { pipeline->Next(); }), ExitCode::kBadData);
  pipeline->Restore(state);
  EXPECT_TRUE(pipeline->Next().has_value());
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
        EXPECT_EQ(batch.at(name).shape[1], 40);
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
    EXPECT_EQ(batch.at("targets").shape[1], 2);
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
  EXPECT_EQ(batch.at("inputs").shape, (Ids{4, 2, 3, 1}));
  EXPECT_EQ(batch.at("targets").shape, (Ids{4, 1}));
  EXPECT_EQ(batch.at("reals").shape, (Ids{4, 2, 2}));
  EXPECT_EQ(batch.at("inputs").ints[6], 1);
  EXPECT_EQ(batch.at("reals").floats,
            (std::vector<float>{0, 0, 0, 0, .5, .5, .5, .5, 1, 1, 0, 0, 1.5,
                                1.5, 1.5, 1.5}));
  options.fixed_shapes["inputs"] = {2, 2, 1};
  EXPECT_EQ(CodeOf([&] { TakeAll(options); }), ExitCode::kBadData);
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

TEST_F(InputTest, ErrorsComeOutOfNext) {
  InputOptions options = Write(2, 100);
  EXPECT_EQ(CodeOf([] { MakeInputPipeline({}); }), ExitCode::kMissing);
  InputOptions missing = options;
  missing.files.push_back(JoinPath(folder_, "nothing"));
  EXPECT_EQ(CodeOf([&] { MakeInputPipeline(missing); }), ExitCode::kMissing);

  InputOptions dropped = options;
  dropped.preprocess = [](Example*) { return false; };
  EXPECT_EQ(CodeOf([&] { TakeAll(dropped); }), ExitCode::kBadData);
  dropped.cache_bytes = 0;
  EXPECT_EQ(CodeOf([&] { TakeAll(dropped); }), ExitCode::kBadData);
  dropped.training = false;
  EXPECT_EQ(TakeAll(dropped).size(), 0u);

  InputOptions throwing = options;
  throwing.preprocess = [](Example* example) {
    example->Floats("absent");
    return true;
  };
  const auto pipeline = MakeInputPipeline(throwing);
  EXPECT_EQ(CodeOf([&] { pipeline->Next(); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { pipeline->Next(); }), ExitCode::kBadData);

  std::string bytes = ReadFile(options.files[1]);
  bytes[bytes.size() / 2] ^= 1;
  WriteFileAtomically(options.files[1], bytes);
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    InputOptions damaged = options;
    damaged.training = false;
    damaged.cache_bytes = cache;
    EXPECT_EQ(CodeOf([&] { TakeAll(damaged); }), ExitCode::kBadData);
  }
}

TEST_F(InputTest, DifferentFeaturesAreAnError) {
  InputOptions options = Write(1, 50);
  options.training = false;
  options.preprocess = [](Example* example) {
    if (example->Ints("targets")[0] == 20) example->features.erase("inputs");
    return true;
  };
  EXPECT_EQ(CodeOf([&] { TakeAll(options); }), ExitCode::kBadData);
  options.pack = true;
  EXPECT_EQ(CodeOf([&] { TakeAll(options); }), ExitCode::kBadData);
}

TEST_F(InputTest, StopsWhileTheWorkersAreBusy) {
  InputOptions options = Write(4, 300);
  options.cache_bytes = 0;
  options.shuffle_buffer = 100;
  for (int i = 0; i < 30; ++i) {
    const auto pipeline = MakeInputPipeline(options);
    Take(pipeline.get(), i % 4);
  }
}

// Drawing: each example gets "drawn", a number that its seed says.
InputOptions Drawing(InputOptions options) {
  options.augment = [](Example* example, uint64_t seed) {
    example->features["drawn"] =
        Ids{static_cast<int64_t>(Rng(seed).Below(1000000000))};
  };
  return options;
}

// What was drawn for each example, by its first id, in the order it came.
std::map<int64_t, Ids> Drawn(const std::vector<Batch>& batches) {
  std::map<int64_t, Ids> drawn;
  for (const Batch& batch : batches) {
    const HostTensor& numbers = batch.at("drawn");
    for (int64_t row = 0; row < numbers.shape[0]; ++row) {
      drawn[Row(batch.at("inputs"), row)[0]].push_back(Row(numbers, row)[0]);
    }
  }
  return drawn;
}

// (cache_bytes: examples kept in memory, and read anew each epoch.)
TEST_F(InputTest, EachEpochDrawsAnewForTheSameExamples) {
  for (const int64_t cache_bytes : {int64_t{1} << 20, int64_t{0}}) {
    InputOptions options = Drawing(Write(2, 50));
    options.cache_bytes = cache_bytes;
    const auto drawn = Drawn(Take(MakeInputPipeline(options).get(), 40));
    int often = 0;
    for (const auto& [id, numbers] : drawn) {
      EXPECT_EQ(std::set<int64_t>(numbers.begin(), numbers.end()).size(),
                numbers.size());
      often += numbers.size() > 2;
    }
    EXPECT_GT(often, 50);
    options.threads = 5;
    EXPECT_EQ(Drawn(Take(MakeInputPipeline(options).get(), 40)), drawn);
    options.seed = 8;
    EXPECT_NE(Drawn(Take(MakeInputPipeline(options).get(), 40)), drawn);
  }
}

// Wherever it stops: in the middle of a window, with examples left over from
// the one before.
TEST_F(InputTest, WhatIsDrawnIsTheSameAfterARestart) {
  InputOptions options = Drawing(Write(3, 40));
  options.shuffle_buffer = 25;
  options.cache_bytes = 0;
  const std::vector<Batch> whole = Take(MakeInputPipeline(options).get(), 60);
  for (const int stop : {1, 7, 20, 33}) {
    const auto first = MakeInputPipeline(options);
    Take(first.get(), stop);
    const auto second = MakeInputPipeline(options);
    second->Restore(first->State());
    const std::vector<Batch> rest = Take(second.get(), 60 - stop);
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(rest[i].at("drawn").ints, whole[stop + i].at("drawn").ints);
      EXPECT_EQ(rest[i].at("inputs").ints, whole[stop + i].at("inputs").ints);
    }
  }
}

TEST_F(InputTest, DrawingPacksToo) {
  InputOptions options = Write(1, 40);
  options.pack = true;
  options.augment = [](Example* example, uint64_t) {
    for (int64_t& id : std::get<Ids>(example->features.at("inputs"))) id += 1;
  };
  const std::vector<Batch> drawn = Take(MakeInputPipeline(options).get(), 3);
  options.augment = nullptr;
  const std::vector<Batch> plain = Take(MakeInputPipeline(options).get(), 3);
  for (size_t b = 0; b < plain.size(); ++b) {
    Ids expected = plain[b].at("inputs").ints;
    const Ids& segments = plain[b].at("inputs_segmentation").ints;
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += segments[i] > 0;
    EXPECT_EQ(drawn[b].at("inputs").ints, expected);
  }
}

}  // namespace
}  // namespace t2t
