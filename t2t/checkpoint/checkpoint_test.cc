#include "t2t/checkpoint/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/best_checkpoint.h"
#include "t2t/checkpoint/checkpoint_reader.h"
#include "t2t/checkpoint/checkpoint_testing.h"
#include "t2t/checkpoint/checkpoint_writer.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/tensor_place.h"

namespace t2t {
namespace {

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

// The newest checkpoint cut at every byte, and with each of its bits flipped:
// the one before is used, and the file is named.
TEST_F(CheckpointTest, EveryCutAndEveryFlippedBitIsFound) {
  SaveCheckpoint(dir_, Make(2), 0);
  SaveCheckpoint(dir_, Make(3), 0);
  const std::string path = CheckpointPath(dir_, 3);
  const std::string whole = ReadFile(path);
  const std::string used = "used instead: " + CheckpointPath(dir_, 2);
  int64_t tried = 0;
  int64_t found = 0;
  const auto load = [&] {
    ++tried;
    const std::optional<Checkpoint> loaded = LoadLatestCheckpoint(dir_);
    if (loaded->step == 2 &&
        at::equal(loaded->tensors.at("b"), Make(2).tensors.at("b"))) {
      ++found;
    }
  };
  ::testing::internal::CaptureStderr();
  // In place, which is fast.
  for (size_t size = whole.size(); size-- > 0;) {
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0);
    load();
  }
  std::ofstream(path, std::ios::binary) << whole << '\0';
  load();
  const int64_t cuts = tried;
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(whole.size())), 0);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, char byte) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte).flush();
  };
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      put(at, static_cast<char>(whole[at] ^ (1 << bit)));
      load();
    }
    put(at, whole[at]);
  }
  int64_t named = 0;
  int64_t used_instead = 0;
  for (const std::string& line :
       Split(::testing::internal::GetCapturedStderr(), '\n')) {
    named += line.find("passed over: " + path) != std::string::npos;
    used_instead += line.find(used) != std::string::npos;
  }
  std::printf("%lld cuts, %lld flipped bits: %lld found\n",
              static_cast<long long>(cuts),
              static_cast<long long>(tried - cuts),
              static_cast<long long>(found));
  EXPECT_EQ(cuts, static_cast<int64_t>(whole.size()) + 1);
  EXPECT_EQ(tried - cuts, 8 * static_cast<int64_t>(whole.size()));
  EXPECT_EQ(found, tried);
  EXPECT_EQ(named, tried);
  EXPECT_EQ(used_instead, tried);
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 3);
}

using Cut = TensorPlace::Cut;

// A checkpoint of step 2, and one of step 3 whose tensors x and y are in the
// shards of two ranks: x in runs, y in columns.
class ShardedCheckpointTest : public CheckpointTest {
 protected:
  void SetUp() override {
    CheckpointTest::SetUp();
    SaveCheckpoint(dir_, Make(2), 0);
    checkpoint_ = Make(3);
    checkpoint_.shards = {ShardName(3, "0a", 0, 2), ShardName(3, "0a", 1, 2)};
    main_ = CheckpointPath(dir_, 3);
    WriteFirst({{"y", {columns_, TensorPlace::All(shape_, Cut{1, 1, 2})}}});
    WriteSecond({});
    SaveCheckpoint(dir_, checkpoint_, 0);
  }

  // Beside x, which is in both.
  void WriteFirst(std::map<std::string, TensorShard> more) const {
    more["x"] = {flat_.narrow(0, 0, 4), {shape_, 0, 4, {}}};
    WriteShard(dir_, checkpoint_.shards[0], more);
  }
  void WriteSecond(std::map<std::string, TensorShard> more) const {
    more["x"] = {flat_.narrow(0, 4, 2), {shape_, 4, 2, {}}};
    more["y"] = {whole_.select(1, 0).contiguous(),
                 TensorPlace::All(shape_, Cut{1, 0, 1})};
    WriteShard(dir_, checkpoint_.shards[1], more);
  }

  // A run of the columns 1 and 2, of a tensor z.
  TensorShard RunOfColumns(int64_t begin, int64_t size) const {
    return {columns_.narrow(0, begin, size),
            {shape_, begin, size, Cut{1, 1, 2}}};
  }
  // Of the place's size, to be read into.
  static TensorShard ToBeRead(const TensorPlace& place) {
    return {at::full({place.size}, -1.0F), place};
  }

  const std::vector<int64_t> shape_ = {2, 3};
  const at::Tensor whole_ =
      at::arange(6, at::TensorOptions().dtype(at::kFloat)).view(shape_);
  const at::Tensor flat_ = whole_.view(-1);
  const at::Tensor columns_ = whole_.narrow(1, 1, 2).flatten();
  Checkpoint checkpoint_;
  std::string main_;
};

TEST_F(ShardedCheckpointTest, NeedsAllOfEachTensor) {
  // Of z the first column is missing, and of y the first shard's columns.
  WriteFirst({{"z", RunOfColumns(0, 3)}});
  WriteSecond({{"z", RunOfColumns(3, 1)}});
  EXPECT_THROW(LoadCheckpoint(main_), Error);
  EXPECT_THROW(CheckpointReader{main_}, Error);
  WriteFirst({{"y", {columns_, TensorPlace::All(shape_, Cut{1, 1, 2})}},
              {"z", RunOfColumns(0, 3)}});
  EXPECT_THROW(LoadCheckpoint(main_), Error);
}

TEST_F(ShardedCheckpointTest, ShardsWithoutTheirCheckpointAreNone) {
  RemoveFile(main_);
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 2);
}

TEST_F(ShardedCheckpointTest, ReadsAsOneCheckpoint) {
  const Checkpoint loaded = LoadCheckpoint(main_);
  const CheckpointReader reader(main_);
  EXPECT_EQ(reader.step(), 3);
  EXPECT_EQ(reader.meta().ToString(), loaded.meta.ToString());
  EXPECT_EQ(reader.names().size(), loaded.tensors.size());
  for (const auto& [name, tensor] : loaded.tensors) {
    EXPECT_EQ(reader.shape(name), tensor.sizes().vec());
    EXPECT_TRUE(at::equal(reader.Read(name), tensor)) << name;
  }
  EXPECT_TRUE(at::equal(loaded.tensors.at("x"), whole_));
  EXPECT_TRUE(at::equal(loaded.tensors.at("y"), whole_));
  EXPECT_TRUE(LoadCheckpoint(main_, [](const std::string&) {
                return false;
              }).tensors.empty());
}

// Out of the shards and out of the file itself.
TEST_F(ShardedCheckpointTest, ReadsOtherShards) {
  const at::Tensor w = LoadCheckpoint(main_).tensors.at("a/kernel");
  ASSERT_EQ(w.dim(), 2);
  const std::map<std::string, TensorShard> shards = {
      {"x", ToBeRead({shape_, 1, 4, {}})},
      {"y", ToBeRead({shape_, 1, 3, Cut{1, 0, 2}})},
      {"a/kernel", ToBeRead({w.sizes().vec(), 1, w.numel() - 1, {}})},
      {"nowhere", ToBeRead({shape_, 0, 1, {}})}};
  EXPECT_EQ(ReadShards(main_, checkpoint_.shards, shards),
            (std::vector<std::string>{"nowhere"}));
  EXPECT_TRUE(at::equal(shards.at("x").tensor, flat_.narrow(0, 1, 4)));
  EXPECT_TRUE(at::equal(shards.at("y").tensor,
                        whole_.narrow(1, 0, 2).flatten().narrow(0, 1, 3)));
  EXPECT_TRUE(at::equal(shards.at("a/kernel").tensor,
                        w.flatten().narrow(0, 1, w.numel() - 1)));
  try {
    ReadShards(main_, checkpoint_.shards,
               {{"x", ToBeRead({{3, 2}, 0, 2, {}})}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_NE(std::string(error.what()).find("[2, 3]"), std::string::npos);
  }
}

TEST_F(ShardedCheckpointTest, EveryCutAndEveryFlippedBitOfAShardIsFound) {
  const std::string path = JoinPath(dir_, checkpoint_.shards[1]);
  const std::string bytes = ReadFile(path);
  int64_t tried = 0;
  int64_t found = 0;
  const auto load = [&](const std::string& damaged) {
    std::ofstream(path, std::ios::binary) << damaged;
    ++tried;
    if (LoadLatestCheckpoint(dir_)->step == 2) ++found;
  };
  ::testing::internal::CaptureStderr();
  for (size_t size = bytes.size(); size-- > 0;) load(bytes.substr(0, size));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      load(damaged);
    }
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_GT(tried, 8 * 100);
  EXPECT_EQ(found, tried);
  std::printf("a shard: %lld cuts and flipped bits, all found\n",
              static_cast<long long>(tried));
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 3);
}

TEST_F(ShardedCheckpointTest, WithoutOneOfItsShardsItIsNotWhole) {
  const std::string path = JoinPath(dir_, checkpoint_.shards[1]);
  checkpoint_.shards.pop_back();
  SaveCheckpoint(dir_, checkpoint_, 0);
  EXPECT_FALSE(Exists(path));
  EXPECT_THROW(LoadCheckpoint(main_), Error);
  EXPECT_THROW(ReadShards(main_, checkpoint_.shards,
                          {{"x", ToBeRead({shape_, 1, 4, {}})}}),
               Error);
  RemoveCheckpoint(dir_, 3);
  EXPECT_EQ(ListDirectory(dir_).size(), 2u);
}

// As this program's first shards said where their pieces belong.
TEST_F(CheckpointTest, ReadsShardsWithoutCuts) {
  Checkpoint checkpoint = Make(3);
  checkpoint.shards = {ShardName(3, "0a", 0, 1)};
  WriteSafetensors(JoinPath(dir_, checkpoint.shards[0]),
                   {{"x", at::tensor({1.0F, 2.0F})}},
                   {{"pieces", "{\"x\": [0, [2, 1]]}"}});
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_TRUE(at::equal(LoadLatestCheckpoint(dir_)->tensors.at("x"),
                        at::tensor({1.0F, 2.0F}).view({2, 1})));
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
  EXPECT_THROW(LoadCheckpoint(path), Error);  // no step
}

// As this program's first versions wrote them, and as others may.
TEST_F(CheckpointTest, LoadsCheckpointsWithoutChecksums) {
  const std::string header =
      R"({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, )"
      R"("__metadata__": {"step": "7", "meta": "{\"seed\": 3}"}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  const float value = 1.5F;
  file += header;
  file.append(reinterpret_cast<const char*>(&value), sizeof(value));
  WriteFileAtomically(CheckpointPath(dir_, 7), file);
  const std::optional<Checkpoint> loaded = LoadLatestCheckpoint(dir_);
  EXPECT_EQ(loaded->step, 7);
  EXPECT_EQ(loaded->meta.At("seed").AsInt(), 3);
  EXPECT_EQ(loaded->tensors.at("x").item<float>(), 1.5F);
  WriteFileAtomically(CheckpointPath(dir_, 7), file.substr(0, file.size() - 1));
  EXPECT_THROW(LoadLatestCheckpoint(dir_), Error);
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

}  // namespace
}  // namespace t2t
