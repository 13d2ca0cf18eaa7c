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
#include "t2t/input/testing_input.h"

namespace t2t {
namespace {

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
        EXPECT_TRUE(*batch == batches[k]) << i << " " << k;
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
    for (int64_t row = 0; row < numbers.shape()[0]; ++row) {
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
      EXPECT_EQ(rest[i].at("drawn"), whole[stop + i].at("drawn"));
      EXPECT_EQ(rest[i].at("inputs"), whole[stop + i].at("inputs"));
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
    Ids expected = plain[b].at("inputs").Ints();
    const Ids segments = plain[b].at("inputs_segmentation").Ints();
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += segments[i] > 0;
    EXPECT_EQ(drawn[b].at("inputs").Ints(), expected);
  }
}

}  // namespace
}  // namespace t2t
