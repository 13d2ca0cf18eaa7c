#ifndef T2T_INPUT_TESTING_INPUT_H_
#define T2T_INPUT_TESTING_INPUT_H_

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
#include "t2t/formats/example.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/input/batching.h"
#include "t2t/input/input.h"

namespace t2t {

using Ids = std::vector<int64_t>;

// Example i of a file: its first id is i + 2, so that it can be told.
struct Pair {
  Ids inputs, targets;
};

inline std::vector<Pair> MakePairs(int count, int longest, uint64_t seed,
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

inline std::string WriteShard(const std::string& folder,
                              const std::string& name,
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

inline std::vector<Batch> Take(InputPipeline* pipeline, int count) {
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) {
    std::optional<Batch> batch = pipeline->Next();
    if (!batch.has_value()) break;
    batches.push_back(std::move(*batch));
  }
  return batches;
}

inline std::vector<Batch> TakeAll(const InputOptions& options) {
  return Take(MakeInputPipeline(options).get(), 1 << 30);
}

inline Ids Row(const HostTensor& tensor, int64_t row) {
  const int64_t width = tensor.shape()[1];
  const Ids ids = tensor.Ints();
  return Ids(ids.begin() + row * width, ids.begin() + (row + 1) * width);
}

inline Ids Unpadded(Ids ids) {
  while (!ids.empty() && ids.back() == 0) ids.pop_back();
  return ids;
}

inline int64_t Rows(const Batch& batch) {
  return batch.at("targets").shape()[0];
}

inline int64_t Tokens(const Batch& batch) {
  return Rows(batch) * std::max(batch.at("inputs").shape()[1],
                                batch.at("targets").shape()[1]);
}

inline void ExpectEqual(const std::vector<Batch>& a,
                        const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(a[i] == b[i]) << "batch " << i;
  }
}

// The first ids of the rows: which examples they are.
inline std::vector<int64_t> Which(const std::vector<Batch>& batches) {
  std::vector<int64_t> which;
  for (const Batch& batch : batches) {
    for (int64_t r = 0; r < Rows(batch); ++r) {
      which.push_back(Row(batch.at("targets"), r)[0]);
    }
  }
  return which;
}

inline ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

}  // namespace t2t

#endif  // T2T_INPUT_TESTING_INPUT_H_
