#include "t2t/checkpoint/importer/import.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/hparams/hparams.h"
#include "t2t/model/model.h"

namespace t2t {
namespace {

const char kGolden[] = "tests/golden/importer/";

at::Tensor Ids(const Json& rows) {
  std::vector<at::Tensor> tensors;
  for (const Json& row : rows.items()) {
    std::vector<int64_t> ids;
    for (const Json& id : row.items()) ids.push_back(id.AsInt());
    tensors.push_back(at::tensor(ids, at::kLong));
  }
  return at::stack(tensors);
}

class ImportTest : public ::testing::Test {
 protected:
  ImportTest() : folder_(MakeTempDirectory("import")) {
    options_.t2t_dir = std::string(kGolden) + "t2t";
    options_.output_dir = JoinPath(folder_, "out");
  }
  ~ImportTest() override { RemoveTree(folder_); }

  ExitCode CodeOf(const ImportOptions& options) {
    try {
      Import(options);
    } catch (const Error& error) {
      message_ = error.what();
      return error.code();
    }
    return ExitCode::kOk;
  }

  // A copy of the golden directory, to change.
  std::string CopyOfGolden() const {
    const std::string to = JoinPath(folder_, "t2t");
    MakeDirectories(to);
    for (const std::string& name : ListDirectory(options_.t2t_dir)) {
      WriteFileAtomically(JoinPath(to, name),
                          ReadFile(JoinPath(options_.t2t_dir, name)));
    }
    return to;
  }

  std::string folder_;
  ImportOptions options_;
  std::string message_;
};

TEST_F(ImportTest, GivesT2TsLogitsAndLoss) {
  const ImportReport report = Import(options_);
  EXPECT_EQ(report.step, 5);
  EXPECT_EQ(report.model, "transformer");
  EXPECT_TRUE(report.variables.unused.empty());
  EXPECT_TRUE(report.variables.has_optimizer);
  EXPECT_EQ(report.written, CheckpointPath(options_.output_dir, 5));

  const Checkpoint checkpoint = LoadCheckpoint(report.written);
  EXPECT_EQ(checkpoint.step, 5);
  HParams hparams = HParamsSets().Get(report.hparams_set)();
  hparams.MergeJson(
      Json::Parse(ReadFile(JoinPath(options_.output_dir, "hparams.json"))));
  EXPECT_EQ(hparams.GetInt("hidden_size"), 8);
  ProblemInfo info;
  for (const char* feature : {"inputs", "targets"}) {
    info.features[feature].vocab_size = 33;
  }
  const Json golden =
      Json::Parse(ReadFile(std::string(kGolden) + "model.json"));
  info.target_space_id = golden.At("target_space_id").AsInt();
  const std::unique_ptr<Model> model =
      Models().Get(report.model)(hparams, info, 0);
  for (const ParamStore::Entry& entry : model->params().entries()) {
    ASSERT_EQ(checkpoint.tensors.count(entry.name), 1U) << entry.name;
    entry.tensor.detach().copy_(checkpoint.tensors.at(entry.name));
    EXPECT_EQ(checkpoint.tensors.count("optimizer/adam_m/" + entry.name), 1U);
    EXPECT_EQ(checkpoint.tensors.count("optimizer/adam_v/" + entry.name), 1U);
  }

  const Features features = {{"inputs", Ids(golden.At("inputs"))},
                             {"targets", Ids(golden.At("targets"))}};
  std::vector<double> values;
  for (const Json& value : golden.At("logits").items()) {
    values.push_back(value.AsDouble());
  }
  const at::Tensor want =
      at::tensor(values, at::kDouble).to(at::kFloat).reshape({3, 5, 33});
  const at::Tensor logits = model->Logits(features, Mode::kEval).detach();
  EXPECT_LT((logits - want).abs().max().item<float>(), 1e-5);
  EXPECT_NEAR(model->Loss(features, Mode::kEval).Total().item<float>(),
              golden.At("loss").AsDouble(), 1e-5);
}

TEST_F(ImportTest, LeavesAUsableDirectory) {
  Import(options_);
  const std::string flags =
      ReadFile(JoinPath(options_.output_dir, "flags.txt"));
  EXPECT_NE(flags.find("--model=transformer\n"), std::string::npos);
  EXPECT_NE(flags.find("--problem=someones_own_problem\n"), std::string::npos);
  EXPECT_EQ(flags.find("output_dir"), std::string::npos);
  EXPECT_TRUE(LoadLatestCheckpoint(options_.output_dir).has_value());
  // A second time nothing is lost.
  EXPECT_EQ(CodeOf(options_), ExitCode::kUsage);
  EXPECT_NE(message_.find("holds checkpoints already"), std::string::npos);
}

TEST_F(ImportTest, TakesACheckpointByItsPath) {
  for (const char* path : {"", "/model.ckpt-5", "/model.ckpt-5.index"}) {
    options_.checkpoint_path = options_.t2t_dir + path;
    options_.output_dir = MakeTempDirectory("out");
    EXPECT_EQ(Import(options_).step, 5);
    RemoveTree(options_.output_dir);
  }
  options_.checkpoint_path = options_.t2t_dir + "/model.ckpt-6";
  EXPECT_EQ(CodeOf(options_), ExitCode::kMissing);
}

TEST_F(ImportTest, CopiesTheVocabulary) {
  const std::string t2t = CopyOfGolden();
  const std::string data = JoinPath(folder_, "data");
  MakeDirectories(data);
  const std::string name = "vocab.text2text_tmpdir_tokens.tokens";
  const auto write_vocabulary = [&](int words) {
    std::string tokens = "<pad>\n<EOS>\n<UNK>\n";
    for (int i = 3; i < words; ++i) tokens += "t" + std::to_string(i) + "\n";
    WriteFileAtomically(JoinPath(data, name), tokens);
  };
  write_vocabulary(33);
  WriteFileAtomically(JoinPath(data, "vocab.other_problem.tokens"), "x\n");
  options_.t2t_dir = t2t;
  options_.data_dir = data;
  options_.problem = "text2text_tmpdir_tokens";
  EXPECT_EQ(Import(options_).vocabulary, std::vector<std::string>{name});
  EXPECT_EQ(ReadFile(JoinPath(options_.output_dir, name)),
            ReadFile(JoinPath(data, name)));
  EXPECT_NE(ReadFile(JoinPath(options_.output_dir, "flags.txt"))
                .find("--data_dir=" + options_.output_dir + "\n"),
            std::string::npos);

  // One of another size does not fit the checkpoint.
  options_.output_dir = JoinPath(folder_, "out2");
  write_vocabulary(40);
  EXPECT_EQ(CodeOf(options_), ExitCode::kMismatch);
  EXPECT_FALSE(Exists(options_.output_dir));
  // Where there is none, the checkpoint tells the size.
  options_.data_dir = folder_;
  EXPECT_TRUE(Import(options_).vocabulary.empty());
}

TEST_F(ImportTest, RefusesWhatDoesNotFitAndWritesNothing) {
  options_.hparams = "hidden_size=16";
  EXPECT_EQ(CodeOf(options_), ExitCode::kMismatch);
  options_.hparams = "num_hidden_layers=2";
  EXPECT_EQ(CodeOf(options_), ExitCode::kMismatch);
  EXPECT_NE(message_.find("layer_1"), std::string::npos) << message_;
  options_.hparams = "no_such_hparam=1";
  EXPECT_EQ(CodeOf(options_), ExitCode::kUsage);
  options_.hparams = "";
  options_.model = "transfomer";
  EXPECT_EQ(CodeOf(options_), ExitCode::kUsage);
  options_.model = "";
  options_.hparams_set = "transformer_tset";
  EXPECT_EQ(CodeOf(options_), ExitCode::kUsage);
  options_.hparams_set = "";
  options_.t2t_dir = JoinPath(folder_, "none");
  EXPECT_EQ(CodeOf(options_), ExitCode::kMissing);
  EXPECT_FALSE(Exists(options_.output_dir));
}

TEST_F(ImportTest, RefusesADamagedCheckpoint) {
  options_.t2t_dir = CopyOfGolden();
  // In Adam's slots too, which decoding would never read.
  const std::string data =
      JoinPath(options_.t2t_dir, "model.ckpt-5.data-00000-of-00001");
  std::string bytes = ReadFile(data);
  for (const size_t place : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
    bytes[place] ^= 4;
    WriteFileAtomically(data, bytes);
    EXPECT_EQ(CodeOf(options_), ExitCode::kBadData);
    bytes[place] ^= 4;
  }
  WriteFileAtomically(data, bytes);
  WriteFileAtomically(JoinPath(options_.t2t_dir, "hparams.json"), "{\"a\":");
  EXPECT_EQ(CodeOf(options_), ExitCode::kBadData);
  EXPECT_FALSE(Exists(options_.output_dir));
}

}  // namespace
}  // namespace t2t
