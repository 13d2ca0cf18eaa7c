#include "t2t/decode/load_model.h"

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/decode/dataset_decode.h"
#include "t2t/decode/decode_hparams.h"
#include "t2t/decode/file_decode.h"
#include "t2t/decode/partial_file.h"
#include "t2t/decode/testing_decode.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/decode/toy_model.h"
#include "t2t/decode/weights.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/nn/params.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WeightsTest : public DecodeTest {
 protected:
  void Save(int64_t step, float value, float ema = 0) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    checkpoint.tensors["toy/strength"] = at::full({1}, value);
    checkpoint.tensors["optimizer/m/toy/strength"] = at::full({1}, 99.F);
    if (ema != 0) checkpoint.tensors["ema/toy/strength"] = at::full({1}, ema);
    SaveCheckpoint(dir_, checkpoint, 0);
  }
  float Read(const std::string& checkpoint_path, int64_t average,
             bool use_ema = true) {
    WeightsOptions options{dir_, checkpoint_path, average, use_ema};
    CopyModel model(HParams(), ToyInfo(), 0);
    weights_ = ReadWeights(options);
    PutWeights(&weights_, &model.params());
    return model.params().Get("toy/strength").item<float>();
  }
  Weights weights_;
};

TEST_F(WeightsTest, NewestNamedAndAveraged) {
  Save(10, 1);
  Save(20, 2);
  Save(30, 6);
  EXPECT_EQ(Read("", 1), 6);
  EXPECT_EQ(weights_.step, 30);
  EXPECT_EQ(Read("", 2), 4);
  EXPECT_EQ(Read("", 3), 3);
  EXPECT_EQ(Read("", 9), 3);  // with a warning
  EXPECT_EQ(weights_.files.size(), 3U);
  EXPECT_EQ(Read(Path("model.ckpt-20"), 1), 2);
  EXPECT_EQ(Read(Path("model.ckpt-20.safetensors"), 2), 1.5);
  EXPECT_EQ(Read(dir_, 1), 6);
}

TEST_F(WeightsTest, MovingAverages) {
  Save(10, 1, 5);
  EXPECT_EQ(Read("", 1), 5);
  EXPECT_TRUE(weights_.are_ema);
  EXPECT_EQ(Read("", 1, /*use_ema=*/false), 1);
}

TEST_F(WeightsTest, Damaged) {
  Save(10, 1);
  Save(20, 2);
  std::string bytes = ReadFile(CheckpointPath(dir_, 20));
  bytes[bytes.size() - 1] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 20), bytes);
  EXPECT_EQ(Read("", 1), 1);  // passed over
  EXPECT_EQ(CodeOf([&] { Read(Path("model.ckpt-20"), 1); }),
            ExitCode::kBadData);
  WriteFileAtomically(CheckpointPath(dir_, 10), bytes);
  EXPECT_EQ(CodeOf([&] { Read("", 1); }), ExitCode::kBadData);
}

// What is not read is not checked either: the optimizer's state.
TEST_F(WeightsTest, DamageThatDoesNotMatter) {
  Save(10, 3);
  std::string bytes = ReadFile(CheckpointPath(dir_, 10));
  const float state = 99;
  const size_t at =
      bytes.rfind(std::string(reinterpret_cast<const char*>(&state), 4));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 10), bytes);
  EXPECT_EQ(CodeOf([&] { LoadCheckpoint(CheckpointPath(dir_, 10)); }),
            ExitCode::kBadData);
  EXPECT_EQ(Read("", 1), 3);
}

// Its damage shows only when its numbers are read, after the others'.
TEST_F(WeightsTest, AnOlderOneTakesADamagedOnesPlaceInAMean) {
  Save(10, 1);
  Save(20, 2);
  Save(30, 6);
  std::string bytes = ReadFile(CheckpointPath(dir_, 20));
  bytes[bytes.size() - 1] ^= 1;
  WriteFileAtomically(CheckpointPath(dir_, 20), bytes);
  EXPECT_EQ(Read("", 2), 3.5);
  EXPECT_THAT(weights_.files,
              ElementsAre(CheckpointPath(dir_, 30), CheckpointPath(dir_, 10)));
}

// A number of /proc/self's: "rchar: 123" of io, "VmHWM:  123 kB" of status.
int64_t OfThisProcess(const std::string& file, const std::string& name) {
  std::ifstream in("/proc/self/" + file);
  std::string word;
  int64_t number = 0;
  while (in >> word) {
    if (word == name && in >> number) return number;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

// transformer_base's checkpoint has 579 MB, of which 193 are parameters.
TEST_F(WeightsTest, ReadsTheParametersAloneAndKeepsThemOnce) {
  constexpr int kCount = 6;
  constexpr int64_t kSize = 1 << 20;
  constexpr int64_t kBytes = kCount * kSize * 4;
  for (const int64_t step : {10, 20}) {
    Checkpoint checkpoint;
    checkpoint.step = step;
    for (int i = 0; i < kCount; ++i) {
      const std::string name = "toy/w" + std::to_string(i);
      for (const std::string prefix : {"", "optimizer/m/", "optimizer/v/"}) {
        checkpoint.tensors[prefix + name] =
            at::full({kSize}, static_cast<float>(step + i));
      }
    }
    SaveCheckpoint(dir_, checkpoint, 0);
  }
  int drawn = 0;
  ParamOptions options(0);
  options.meta = true;
  ParamStore params(options);
  for (int i = 0; i < kCount; ++i) {
    params.Create("toy/w" + std::to_string(i), {kSize},
                  [&](uint64_t, at::IntArrayRef shape) {
                    ++drawn;
                    return at::zeros(shape);
                  });
  }
  const at::Tensor view = params.Get("toy/w1").detach().view({2, -1});
  // The peak from here on. (Not every container lets one ask for that.)
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  const bool counts = reset.good();
  const int64_t before = OfThisProcess("status", "VmRSS:") * 1024;
  const int64_t read_before = OfThisProcess("io", "rchar:");
  Weights weights = ReadWeights({dir_, "", 1, true});
  PutWeights(&weights, &params);
  EXPECT_LT(OfThisProcess("io", "rchar:") - read_before, kBytes * 11 / 10);
  if (counts) {
    EXPECT_LT(OfThisProcess("status", "VmHWM:") * 1024 - before,
              kBytes * 13 / 10);
  }
  EXPECT_EQ(drawn, 0);
  EXPECT_EQ(params.Get("toy/w5")[kSize - 1].item<float>(), 25);
  EXPECT_EQ(view[1][0].item<float>(), 21);
  // The mean of two reads both, tensor by tensor.
  const int64_t both_before = OfThisProcess("io", "rchar:");
  weights = ReadWeights({dir_, "", 2, true});
  PutWeights(&weights, &params);
  EXPECT_LT(OfThisProcess("io", "rchar:") - both_before, kBytes * 22 / 10);
  EXPECT_EQ(view[1][0].item<float>(), 16);
}

TEST_F(WeightsTest, MissingAndMismatch) {
  EXPECT_EQ(CodeOf([&] { Read("", 1); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { Read(Path("model.ckpt-7"), 1); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { Read("", 0); }), ExitCode::kUsage);
  CopyModel model(HParams(), ToyInfo(), 0);
  Weights weights;
  weights.files = {"file"};
  try {
    PutWeights(&weights, &model.params());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("toy/strength"));
  }
  weights.tensors["toy/strength"] = at::zeros({2, 3});
  try {
    PutWeights(&weights, &model.params());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("[2, 3]"));
    EXPECT_THAT(error.what(), HasSubstr("vocabulary"));
  }
}

class ModelFolderTest : public WeightsTest {
 protected:
  void SetUp() override {
    Save(10, 20);
    WriteFileAtomically(Path("flags.txt"),
                        "--model=decode_toy_copy\n--hparams_set=decode_toy\n"
                        "--problem=decode_toy_problem\n--data_dir=" +
                            dir_ + "\n--other=1\n");
    WriteFileAtomically(Path("hparams.json"), "{\"hidden_size\": 5}");
    WriteFileAtomically(Path("vocab.toy"), "toy");
    options_.weights.model_dir = dir_;
  }
  LoadModelOptions options_;
};

TEST_F(ModelFolderTest, FlagsTextAndHParams) {
  const LoadedModel loaded = LoadModel(options_);
  EXPECT_EQ(loaded.hparams_set, "decode_toy");
  EXPECT_EQ(loaded.model->hparams().GetInt("hidden_size"), 5);
  options_.hparams = "hidden_size=7";
  EXPECT_EQ(LoadModel(options_).model->hparams().GetInt("hidden_size"), 7);
  options_.hparams = "hidden_sise=7";
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
  options_.hparams = "";
  options_.model = "decode_toy_cpoy";
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
  options_ = LoadModelOptions();
  EXPECT_EQ(CodeOf([&] { LoadModel(options_); }), ExitCode::kUsage);
}

TEST_F(ModelFolderTest, ExportsAndLoadsAgain) {
  const std::string target = Path("exported");
  ExportModel(options_, target);
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, target); }), ExitCode::kUsage);
  RemoveFile(CheckpointPath(dir_, 10));
  RemoveFile(Path("hparams.json"));
  LoadModelOptions exported;
  exported.export_dir = target;
  const LoadedModel loaded = LoadModel(exported);
  EXPECT_EQ(loaded.weights.step, 10);
  EXPECT_EQ(loaded.model->hparams().GetInt("hidden_size"), 5);
  EXPECT_EQ(loaded.model->params().Get("toy/strength").item<float>(), 20);
  RemoveFile(Path("vocab.toy"));
  EXPECT_TRUE(Exists(JoinPath(target, "vocab.toy")));
  EXPECT_EQ(CodeOf([&] {
              LoadModelOptions none;
              none.export_dir = dir_;
              LoadModel(none);
            }),
            ExitCode::kMissing);
}

// A vocabulary of the same size, as two runs of a subword builder make: nothing
// but its bytes tells it from the one the model was trained with.
TEST_F(ModelFolderTest, RefusesAnotherVocabulary) {
  const auto message = [](const LoadModelOptions& options) {
    try {
      LoadModel(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kMismatch);
      return std::string(error.what());
    }
    return std::string();
  };
  LoadModel(options_);  // of before: it does not know its vocabulary
  Checkpoint checkpoint = LoadCheckpoint(CheckpointPath(dir_, 10));
  RunIdentity run =
      MakeRunIdentity("decode_toy_problem", "decode_toy_copy", "decode_toy",
                      MakeProblem("decode_toy_problem")->Info(dir_));
  PutIdentity(run, &checkpoint.meta);
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_EQ(LoadModel(options_).weights.run.problem, "decode_toy_problem");
  const std::string target = Path("exported");
  ExportModel(options_, target);
  LoadModelOptions exported;
  exported.export_dir = target;
  LoadModel(exported);
  for (const auto& [options, path] :
       {std::make_pair(options_, Path("vocab.toy")),
        std::make_pair(exported, JoinPath(target, "vocab.toy"))}) {
    WriteFileAtomically(path, "yot");
    EXPECT_THAT(message(options), HasSubstr(path));
    EXPECT_THAT(message(options), HasSubstr(Sha256("toy")));
    EXPECT_THAT(message(options), HasSubstr(Sha256("yot")));
  }
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, Path("no")); }),
            ExitCode::kMismatch);
  // Nor are checkpoints of both averaged.
  WriteFileAtomically(Path("vocab.toy"), "toy");
  run.vocabularies.at("inputs").sha256 = Sha256("yot");
  checkpoint.step = 20;
  PutIdentity(run, &checkpoint.meta);
  SaveCheckpoint(dir_, checkpoint, 0);
  EXPECT_EQ(CodeOf([&] { Read("", 2); }), ExitCode::kMismatch);
}

// Half a model would decode, to nonsense.
TEST_F(ModelFolderTest, RefusesACheckpointOfALargerModel) {
  Checkpoint checkpoint = LoadCheckpoint(CheckpointPath(dir_, 10));
  checkpoint.tensors["toy/layer_1/strength"] = at::ones({1});
  SaveCheckpoint(dir_, checkpoint, 0);
  try {
    LoadModel(options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("toy/layer_1/strength"));
    EXPECT_THAT(error.what(), HasSubstr("model.ckpt-10"));
  }
  EXPECT_EQ(CodeOf([&] { ExportModel(options_, Path("no")); }),
            ExitCode::kMismatch);
}

TEST_F(ModelFolderTest, DecodesTheDataset) {
  const std::vector<std::string> texts = {"one", "twenty-two", "", "three"};
  for (int shard = 0; shard < 2; ++shard) {
    TfRecordWriter writer(ShardPath(dir_, "toy", "dev", shard, 2));
    for (int i = 0; i < 2; ++i) {
      std::vector<int64_t> ids = ToyEncoder().Encode(texts[shard * 2 + i]);
      ids.push_back(kEosId);
      Example example;
      example.features["inputs"] = ids;
      ids[0] = 'X' + 2;
      example.features["targets"] = ids;
      writer.Write(SerializeExample(example));
    }
    writer.Commit();
  }
  const LoadedModel loaded = LoadModel(options_);
  DatasetDecodeOptions options;
  options.problem = loaded.problem.get();
  options.data_dir = dir_;
  options.output = Path("d.beam4.alpha0.6.decodes");
  TextDecoder decoder(loaded.model.get(), DecodeHParams("log_results=False"),
                      0);
  EXPECT_EQ(DecodeDataset(options, &decoder, nullptr), 4);
  EXPECT_EQ(ReadFile(options.output), "one\ntwenty-two\n\nthree\n");
  EXPECT_EQ(ReadFile(Path("d.beam4.alpha0.6.inputs")),
            "one\ntwenty-two\n\nthree\n");
  EXPECT_EQ(ReadFile(Path("d.beam4.alpha0.6.targets")),
            "Xne\nXwenty-two\nX\nXhree\n");

  options.output = "";
  std::ostringstream echo;
  TextDecoder few(loaded.model.get(),
                  DecodeHParams("log_results=False,num_samples=3"), 0);
  EXPECT_EQ(DecodeDataset(options, &few, &echo), 3);
  EXPECT_EQ(echo.str(), "one\ntwenty-two\n\n");
  std::ostringstream second;
  TextDecoder shard(loaded.model.get(),
                    DecodeHParams("log_results=False,shards=2,shard_id=1"), 0);
  DecodeDataset(options, &shard, &second);
  EXPECT_EQ(second.str(), "\nthree\n");
}

}  // namespace
}  // namespace t2t
