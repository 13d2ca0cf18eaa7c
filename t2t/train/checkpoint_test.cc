#include "t2t/train/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/train/best_checkpoint.h"
#include "t2t/train/safetensors.h"

namespace t2t {
namespace {

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : dir_(MakeTempDirectory("checkpoint")) {}
  ~CheckpointTest() override { RemoveTree(dir_); }

  static Checkpoint Make(int64_t step) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    checkpoint.tensors["a/kernel"] =
        at::arange(6, at::kFloat).reshape({2, 3}) + step;
    checkpoint.tensors["b"] = at::ones({3}, at::kLong) * step;
    checkpoint.tensors["half"] = at::ones({5}, at::kBFloat16);
    checkpoint.tensors["none"] = at::empty({0, 4}, at::kFloat);
    checkpoint.tensors["scalar"] = at::tensor(2.5, at::kDouble);
    checkpoint.meta.Set("input", "{\"epoch\": 3}");
    return checkpoint;
  }

  const std::string dir_;
};

TEST_F(CheckpointTest, RoundTrip) {
  const Checkpoint saved = Make(7);
  SaveCheckpoint(dir_, saved, 0);
  const Checkpoint loaded = LoadCheckpoint(CheckpointPath(dir_, 7));
  EXPECT_EQ(loaded.step, 7);
  EXPECT_EQ(loaded.meta.At("input").AsString(), "{\"epoch\": 3}");
  ASSERT_EQ(loaded.tensors.size(), saved.tensors.size());
  for (const auto& [name, tensor] : saved.tensors) {
    const at::Tensor& other = loaded.tensors.at(name);
    EXPECT_EQ(other.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(other, tensor)) << name;
  }
  EXPECT_EQ(ReadFile(JoinPath(dir_, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-7\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-7\"\n");
}

TEST_F(CheckpointTest, KeepsTheNewest) {
  for (int64_t step = 1; step <= 5; ++step) {
    SaveCheckpoint(dir_, Make(step), 2);
  }
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{4, 5}));
  // Going on from step 1 when 4 and 5 are damaged: 2 must stay.
  SaveCheckpoint(dir_, Make(2), 1);
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{2, 4, 5}));
}

TEST_F(CheckpointTest, EveryCutAndEveryFlippedBitIsFound) {
  SaveCheckpoint(dir_, Make(3), 0);
  const std::string path = CheckpointPath(dir_, 3);
  const std::string whole = ReadFile(path);
  const std::string other = JoinPath(dir_, "damaged");
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteFileAtomically(other, whole.substr(0, size));
    EXPECT_THROW(LoadCheckpoint(other), Error) << "cut at " << size;
  }
  WriteFileAtomically(other, whole + '\0');
  EXPECT_THROW(LoadCheckpoint(other), Error);
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto read = [&] {
        const SafetensorsHeader header = ParseSafetensorsHeader(damaged);
        VerifySafetensorsData(damaged, header, true);
      };
      EXPECT_THROW(read(), Error) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(CheckpointTest, PassesOverDamagedOnes) {
  EXPECT_FALSE(LoadLatestCheckpoint(dir_).has_value());
  EXPECT_FALSE(LoadLatestCheckpoint(JoinPath(dir_, "none")).has_value());
  SaveCheckpoint(dir_, Make(1), 0);
  SaveCheckpoint(dir_, Make(2), 0);
  const std::string path = CheckpointPath(dir_, 2);
  std::string bytes = ReadFile(path);
  bytes.back() ^= 1;
  WriteFileAtomically(path, bytes);
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 1);
  WriteFileAtomically(CheckpointPath(dir_, 1), "");
  EXPECT_THROW(LoadLatestCheckpoint(dir_), Error);
}

TEST_F(CheckpointTest, ReadsFilesOfOthers) {
  std::string header =
      R"({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  const float values[2] = {1.5F, -2.0F};
  file += header;
  file.append(reinterpret_cast<const char*>(values), sizeof(values));
  const std::string path = JoinPath(dir_, "other.safetensors");
  WriteFileAtomically(path, file);
  EXPECT_TRUE(at::equal(ReadSafetensors(path, nullptr).at("x"),
                        at::tensor({1.5F, -2.0F})));
  EXPECT_THROW(LoadCheckpoint(path), Error);
}

TEST_F(CheckpointTest, RefusesHeadersThatLie) {
  const auto parse = [](const std::string& header, size_t data) {
    std::string file(8, '\0');
    file[0] = static_cast<char>(header.size() & 0xFF);
    file[1] = static_cast<char>(header.size() >> 8);
    file += header + std::string(data, 'x');
    ParseSafetensorsHeader(file);
  };
  EXPECT_NO_THROW(parse("{}", 0));
  EXPECT_THROW(parse("[]", 0), Error);
  EXPECT_THROW(parse("{", 0), Error);
  for (const char* entry :
       {R"({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]})",
        R"({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]})",
        R"({"dtype": "Q7", "shape": [2], "data_offsets": [0, 8]})",
        R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 16]})",
        R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})",
        R"({"dtype": "F32", "shape": [2], "data_offsets": [0]})",
        R"({"dtype": "F32", "shape": [4611686018427387904, 8],
            "data_offsets": [0, 8]})",
        R"({"shape": [2], "data_offsets": [0, 8]})", R"(7)"}) {
    EXPECT_THROW(parse(std::string("{\"x\": ") + entry + "}", 8), Error)
        << entry;
  }
}

TEST_F(CheckpointTest, WritesNothingIntoAFolderThatIsNotThere) {
  EXPECT_THROW(SaveCheckpoint(JoinPath(dir_, "none"), Make(1), 0), Error);
  EXPECT_FALSE(Exists(JoinPath(dir_, "none")));
}

TEST_F(CheckpointTest, SomeStayForGood) {
  for (int step = 1; step <= 6; ++step) {
    SaveCheckpoint(dir_, Make(step), 2, {2, 3, 6});
  }
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{2, 3, 5, 6}));
  // The text file lists the newest alone, as TensorFlow's.
  EXPECT_EQ(ReadFile(JoinPath(dir_, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-6\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-5\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-6\"\n");
}

TEST_F(CheckpointTest, TheBestOutlivesTheNewest) {
  const std::string best_dir = JoinPath(dir_, "best");
  WriteFileAtomically(JoinPath(dir_, "hparams.json"), "{}");
  const double losses[] = {3.0, 2.0, 2.5, std::nan(""), 2.0};
  for (int step = 1; step <= 5; ++step) {
    SaveCheckpoint(dir_, Make(step), 1);
    // A new object each time, as where training goes on.
    BestCheckpoint best(dir_, "loss", /*lower_is_better=*/true);
    EXPECT_EQ(best.Offer(step, losses[step - 1]), step <= 2) << step;
    EXPECT_EQ(best.step(), std::min(step, 2));
  }
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{5}));
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{2}));
  EXPECT_EQ(LoadLatestCheckpoint(best_dir)->step, 2);
  EXPECT_EQ(ReadFile(JoinPath(best_dir, "hparams.json")), "{}");
  EXPECT_EQ(ReadFile(JoinPath(best_dir, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-2\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-2\"\n");
  // By another metric the old best counts for nothing.
  BestCheckpoint other(dir_, "accuracy", /*lower_is_better=*/false);
  EXPECT_FALSE(other.found());
  EXPECT_TRUE(other.Offer(5, 0.25));
  EXPECT_FALSE(other.Offer(5, 0.25));
  EXPECT_FALSE(other.Offer(5, 0.125));
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{5}));
  // One that is gone cannot be kept.
  EXPECT_FALSE(other.Offer(4, 0.5));
  EXPECT_EQ(other.step(), 5);
}

TEST_F(CheckpointTest, TheBestIsMadeWholeAfterAKill) {
  const std::string best_dir = JoinPath(dir_, "best");
  const std::string record = JoinPath(best_dir, "best.json");
  SaveCheckpoint(dir_, Make(1), 0);
  SaveCheckpoint(dir_, Make(2), 0);
  EXPECT_TRUE(BestCheckpoint(dir_, "loss", true).Offer(1, 3.0));
  // Killed right after it was decided that step 2 is the best.
  WriteFileAtomically(record, R"({"metric": "loss", "value": 1.0, "step": 2})");
  EXPECT_EQ(BestCheckpoint(dir_, "loss", true).step(), 2);
  EXPECT_EQ(ListCheckpoints(best_dir), (std::vector<int64_t>{2}));
  // Decided, and gone since.
  WriteFileAtomically(record, R"({"metric": "loss", "value": 0.5, "step": 3})");
  EXPECT_FALSE(BestCheckpoint(dir_, "loss", true).found());
  WriteFileAtomically(record, R"({"metric": "loss"})");
  try {
    BestCheckpoint(dir_, "loss", true);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find(record), std::string::npos);
  }
}

}  // namespace
}  // namespace t2t
