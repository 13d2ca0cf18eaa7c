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
#include "t2t/checkpoint/checkpoint_writer.h"
#include "t2t/checkpoint/safetensors.h"
#include "t2t/checkpoint/tensor_place.h"

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

// Tensors in pieces of two ranks: runs, columns, and runs of columns.
TEST_F(CheckpointTest, EveryCutAndEveryFlippedBitOfAShardIsFound) {
  using Cut = TensorPlace::Cut;
  SaveCheckpoint(dir_, Make(2), 0);
  const std::vector<int64_t> shape = {2, 3};
  const at::Tensor whole =
      at::arange(6, at::TensorOptions().dtype(at::kFloat)).view(shape);
  const at::Tensor columns = whole.narrow(1, 1, 2).flatten();
  Checkpoint checkpoint = Make(3);
  checkpoint.shards = {ShardName(3, "0a", 0, 2), ShardName(3, "0a", 1, 2)};
  const at::Tensor flat = whole.view(-1);
  WriteShard(dir_, checkpoint.shards[0],
             {{"x", {flat.narrow(0, 0, 4), {shape, 0, 4, {}}}},
              {"z", {columns.narrow(0, 0, 3), {shape, 0, 3, Cut{1, 1, 2}}}}});
  WriteShard(dir_, checkpoint.shards[1],
             {{"x", {flat.narrow(0, 4, 2), {shape, 4, 2, {}}}},
              {"y",
               {whole.select(1, 0).contiguous(),
                TensorPlace::All(shape, Cut{1, 0, 1})}},
              {"z", {columns.narrow(0, 3, 1), {shape, 3, 1, Cut{1, 1, 2}}}}});
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 2);
  // Neither y nor z is there completely.
  SaveCheckpoint(dir_, checkpoint, 0);
  const std::string main = CheckpointPath(dir_, 3);
  EXPECT_THROW(LoadCheckpoint(main), Error);
  EXPECT_THROW(CheckpointReader{main}, Error);
  WriteShard(dir_, checkpoint.shards[0],
             {{"x", {flat.narrow(0, 0, 4), {shape, 0, 4, {}}}},
              {"y", {columns, TensorPlace::All(shape, Cut{1, 1, 2})}},
              {"z", {columns.narrow(0, 0, 3), {shape, 0, 3, Cut{1, 1, 2}}}}});
  EXPECT_THROW(LoadCheckpoint(main), Error);
  WriteShard(dir_, checkpoint.shards[0],
             {{"x", {flat.narrow(0, 0, 4), {shape, 0, 4, {}}}},
              {"y", {columns, TensorPlace::All(shape, Cut{1, 1, 2})}}});
  WriteShard(dir_, checkpoint.shards[1],
             {{"x", {flat.narrow(0, 4, 2), {shape, 4, 2, {}}}},
              {"y",
               {whole.select(1, 0).contiguous(),
                TensorPlace::All(shape, Cut{1, 0, 1})}}});
  const Checkpoint loaded = LoadCheckpoint(main);
  const CheckpointReader reader(main);
  EXPECT_EQ(reader.step(), 3);
  EXPECT_EQ(reader.meta().ToString(), loaded.meta.ToString());
  EXPECT_EQ(reader.names().size(), loaded.tensors.size());
  for (const auto& [name, tensor] : loaded.tensors) {
    EXPECT_EQ(reader.shape(name), tensor.sizes().vec());
    EXPECT_TRUE(at::equal(reader.Read(name), tensor)) << name;
  }
  EXPECT_TRUE(at::equal(loaded.tensors.at("x"), whole));
  EXPECT_TRUE(at::equal(loaded.tensors.at("y"), whole));
  EXPECT_TRUE(LoadCheckpoint(main, [](const std::string&) {
                return false;
              }).tensors.empty());

  // Other pieces, out of the shards and out of the file itself.
  const auto piece = [&](const TensorPlace& place) {
    return CheckpointPiece{at::full({place.size}, -1.0F), place};
  };
  const at::Tensor& w = loaded.tensors.at("a/kernel");
  ASSERT_EQ(w.dim(), 2);
  const std::map<std::string, CheckpointPiece> pieces = {
      {"x", piece({shape, 1, 4, {}})},
      {"y", piece({shape, 1, 3, Cut{1, 0, 2}})},
      {"a/kernel", piece({w.sizes().vec(), 1, w.numel() - 1, {}})},
      {"nowhere", piece({shape, 0, 1, {}})}};
  EXPECT_EQ(ReadPieces(main, checkpoint.shards, pieces),
            (std::vector<std::string>{"nowhere"}));
  EXPECT_TRUE(at::equal(pieces.at("x").tensor, flat.narrow(0, 1, 4)));
  EXPECT_TRUE(at::equal(pieces.at("y").tensor,
                        whole.narrow(1, 0, 2).flatten().narrow(0, 1, 3)));
  EXPECT_TRUE(at::equal(pieces.at("a/kernel").tensor,
                        w.flatten().narrow(0, 1, w.numel() - 1)));
  try {
    ReadPieces(main, checkpoint.shards, {{"x", piece({{3, 2}, 0, 2, {}})}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_NE(std::string(error.what()).find("[2, 3]"), std::string::npos);
  }

  const std::string path = JoinPath(dir_, checkpoint.shards[1]);
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
  EXPECT_EQ(found, tried);
  std::printf("a shard: %lld cuts and flipped bits, all found\n",
              static_cast<long long>(tried));
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(LoadLatestCheckpoint(dir_)->step, 3);
  // The other one alone has not all of the tensors.
  checkpoint.shards.pop_back();
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_FALSE(Exists(path));
  EXPECT_THROW(LoadCheckpoint(main), Error);
  EXPECT_THROW(ReadPieces(main, checkpoint.shards, pieces), Error);
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

TEST_F(CheckpointTest, TheWriterCopies) {
  Checkpoint live = Make(1);
  const Checkpoint saved = Make(1);
  CheckpointWriter writer(dir_, 2);
  for (int64_t step = 1; step <= 4; ++step) {
    live.step = step;
    writer.Save(live);
    live.tensors["a/kernel"].add_(1);
    live.meta.Set("input", std::to_string(step));
  }
  writer.Wait();
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{3, 4}));
  const Checkpoint loaded = LoadCheckpoint(CheckpointPath(dir_, 4));
  EXPECT_EQ(loaded.meta.At("input").AsString(), "3");
  for (const auto& [name, tensor] : saved.tensors) {
    const at::Tensor expected = name == "a/kernel" ? tensor + 3 : tensor;
    EXPECT_TRUE(at::equal(loaded.tensors.at(name), expected)) << name;
  }
}

TEST_F(CheckpointTest, RanksWriteTheirSharesAtTheSameTime) {
  constexpr int64_t kRanks = 3;
  const std::vector<int64_t> shape = {kRanks, 100};
  std::vector<at::Tensor> parts;
  std::vector<std::unique_ptr<CheckpointWriter>> writers;
  for (int64_t rank = 0; rank < kRanks; ++rank) {
    parts.push_back(at::full({100}, static_cast<double>(rank), at::kFloat));
    writers.push_back(rank == 0 ? std::make_unique<CheckpointWriter>(dir_, 2)
                                : std::make_unique<CheckpointWriter>(dir_));
  }
  Checkpoint checkpoint = Make(0);
  std::atomic<int> waited{0};
  for (int64_t step = 1; step <= 6; ++step) {
    checkpoint.step = step;
    checkpoint.shards.clear();
    std::vector<CheckpointWriter::Shard> shards;
    for (int64_t rank = 0; rank < kRanks; ++rank) {
      shards.push_back({ShardName(step, "abc", rank, kRanks), {}});
      shards.back().pieces["x"] = {parts[static_cast<size_t>(rank)],
                                   {shape, 100 * rank, 100, {}}};
      checkpoint.shards.push_back(shards.back().name);
    }
    const auto waiting = [&waited] { ++waited; };
    // The first rank comes first, and last.
    if (step % 2 == 1) {
      waited = 0;
      writers[0]->Save(checkpoint, {}, shards.data(), waiting);
      while (waited == 0) std::this_thread::yield();
    }
    writers[1]->SaveShard(shards[1]);
    writers[2]->SaveShard(shards[2]);
    if (step % 2 == 0) {
      writers[0]->Save(checkpoint, {}, shards.data(), waiting);
    }
    for (const at::Tensor& part : parts) part.add_(1);
  }
  for (const auto& writer : writers) writer->Wait();
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{5, 6}));
  for (const int64_t step : {5, 6}) {
    const at::Tensor x =
        LoadCheckpoint(CheckpointPath(dir_, step)).tensors.at("x");
    const at::Tensor expected =
        at::arange(kRanks, at::kFloat).view({-1, 1}).expand(shape) + (step - 1);
    EXPECT_TRUE(at::equal(x, expected)) << step;
  }
}

TEST_F(CheckpointTest, IndexesWhatAKilledProcessLeft) {
  for (const int64_t step : {1, 2, 3, 4}) SaveCheckpoint(dir_, Make(step), 0);
  WriteFileAtomically(JoinPath(dir_, "checkpoint"), "old");
  IndexCheckpoints(dir_, 3, 1, {1});
  EXPECT_EQ(ListCheckpoints(dir_), (std::vector<int64_t>{1, 3, 4}));
  EXPECT_EQ(ReadFile(JoinPath(dir_, "checkpoint")),
            "model_checkpoint_path: \"model.ckpt-3\"\n"
            "all_model_checkpoint_paths: \"model.ckpt-3\"\n");
}

TEST_F(CheckpointTest, TheWriterTakesTensorsThatLieStrangely) {
  Checkpoint checkpoint;
  checkpoint.step = 1;
  checkpoint.tensors["t"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
  checkpoint.tensors["e"] = at::ones({1}, at::kFloat).expand({4});
  checkpoint.tensors["g"] = at::ones({2}, at::kFloat).requires_grad_(true);
  CheckpointWriter writer(dir_, 0);
  writer.Save(checkpoint);
  writer.Wait();
  const Checkpoint loaded = LoadCheckpoint(CheckpointPath(dir_, 1));
  for (const auto& [name, tensor] : checkpoint.tensors) {
    EXPECT_TRUE(at::equal(loaded.tensors.at(name), tensor)) << name;
  }
}

TEST_F(CheckpointTest, TheWritersErrorComesOutOnceAndNamesTheFile) {
  const std::string folder = JoinPath(dir_, "gone");
  MakeDirectories(folder);
  CheckpointWriter writer(folder, 0);
  RemoveTree(folder);
  writer.Save(Make(1));
  try {
    writer.Wait();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(CheckpointPath(folder, 1)),
              std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("errno 2"), std::string::npos);
  }
  writer.Wait();
  MakeDirectories(folder);
  writer.Save(Make(2));
  writer.Wait();
  EXPECT_EQ(ListCheckpoints(folder), (std::vector<int64_t>{2}));
}

TEST_F(CheckpointTest, LeftoversOfTheDeadAreRemoved) {
  const pid_t child = ::fork();
  if (child == 0) {
    new AtomicWriter(JoinPath(dir_, "model.ckpt-1.safetensors"));
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  for (const std::string& name : std::vector<std::string>{
           "x.tmp-1", "x.tmp-", "model.ckpt-1.safetensors"}) {
    WriteFileAtomically(JoinPath(dir_, name), "x");
  }
  ASSERT_EQ(ListDirectory(dir_).size(), 4U);
  const CheckpointWriter writer(dir_, 0);
  EXPECT_EQ(ListDirectory(dir_),
            (std::vector<std::string>{"model.ckpt-1.safetensors", "x.tmp-",
                                      "x.tmp-1"}));
}

// How long a step is held, and how long the write takes that it does not wait
// for. T2T_SAVE_MB=1000 for a large one.
TEST_F(CheckpointTest, AStepIsHeldForACopyAlone) {
  const char* const text = std::getenv("T2T_SAVE_MB");
  int64_t megabytes = 0;
  if (text == nullptr || !ParseInt(text, &megabytes)) megabytes = 16;
  Checkpoint checkpoint;
  for (int64_t i = 0; i < 16; ++i) {
    checkpoint.tensors["x" + std::to_string(i)] =
        at::full({megabytes * 1'000'000 / 16 / 4}, 0.5, at::kFloat);
  }
  CheckpointWriter writer(dir_, 1);
  for (int64_t step = 1; step <= 3; ++step) {
    checkpoint.step = step;
    const double start = NowSeconds();
    writer.Save(checkpoint);
    const double held = NowSeconds() - start;
    EXPECT_GE(held, writer.copy_seconds() + writer.wait_seconds());
    writer.Wait();
    std::printf("%lld MB: held for %.1f ms, written and read back in %.1f ms\n",
                static_cast<long long>(megabytes), 1e3 * held,
                1e3 * writer.write_seconds());
  }
}

}  // namespace
}  // namespace t2t
