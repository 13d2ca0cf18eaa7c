// t2t-inspect over what t2t-datagen made.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "problems/synthetic_mnist.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/subprocess.h"
#include "t2t/formats/png.h"

namespace t2t {
namespace {

class InspectTest : public testing::Test {
 protected:
  void SetUp() override { dir_ = MakeTempDirectory("inspect"); }

  std::string Dir(const std::string& name) const {
    return JoinPath(dir_, name);
  }

  void Datagen(std::vector<std::string> flags) const {
    flags.insert(flags.begin(),
                 {"t2t/bin/datagen/t2t-datagen", "--data_dir=" + Dir("data"),
                  "--tmp_dir=" + Dir("tmp")});
    const RunResult run = RunProgram(flags);
    ASSERT_EQ(run.code, 0) << run.output;
  }

  RunResult Inspect(std::vector<std::string> flags) const {
    flags.insert(flags.begin(),
                 {"t2t/bin/inspect/t2t-inspect", "--data_dir=" + Dir("data")});
    return RunProgram(flags);
  }

  std::string dir_;
};

void ExpectSays(const RunResult& run, int code,
                const std::vector<std::string>& texts) {
  EXPECT_EQ(run.code, code) << run.output;
  for (const std::string& text : texts) {
    EXPECT_NE(run.output.find(text), std::string::npos) << text << "\n"
                                                        << run.output;
  }
}

TEST_F(InspectTest, TextIsDecodedAndCounted) {
  Datagen({"--problem=translate_numbers_ende", "--max_cases=200"});
  const RunResult text = Inspect({"--problem=translate_numbers_ende"});
  ExpectSays(text, 0,
             {"record 0 of translate_numbers_ende-", "inputs",
              "cut in training: 0 of "});
  const RunResult run = Inspect(
      {"--problem=translate_numbers_ende", "--split=train", "--records=2",
       "--json", "--hparams_set=transformer_base", "--hparams=max_length=4"});
  ASSERT_EQ(run.code, 0) << run.output;
  const Json json = Json::Parse(run.output);
  const int64_t records = json.At("records").AsInt();
  EXPECT_EQ(records, 200);
  ASSERT_EQ(json.At("shown").items().size(), 2U);
  const Json& inputs = json.At("shown").items()[0].At("features").At("inputs");
  EXPECT_FALSE(inputs.At("text").AsString().empty());
  const Json& counts = json.At("features").At("inputs");
  int64_t in_histogram = 0;
  for (const Json& bar : counts.At("histogram").items()) {
    in_histogram += bar.At("records").AsInt();
  }
  EXPECT_EQ(in_histogram, records);
  EXPECT_GE(counts.At("most").AsInt(), counts.At("median").AsInt());
  // Of 4 ids with EOS: some are longer, and not all are.
  EXPECT_GT(json.At("left_out").AsInt(), 0);
  EXPECT_LT(json.At("left_out").AsInt(), records);
}

TEST_F(InspectTest, ImagesAreWrittenAsPng) {
  WriteSyntheticMnist(Dir("tmp"), 30, 10, 1);
  Datagen({"--problem=image_mnist"});
  const RunResult run = Inspect(
      {"--problem=image_mnist", "--records=3", "--png_dir=" + Dir("png")});
  ExpectSays(run, 0, {"3 images written into ", "targets"});
  ASSERT_EQ(ListDirectory(Dir("png")).size(), 3U);
  for (const std::string& file : ListDirectory(Dir("png"))) {
    const Image image = DecodePng(ReadFile(JoinPath(Dir("png"), file)), 1);
    EXPECT_EQ(image.height, 28);
    EXPECT_EQ(image.width, 28);
  }
}

TEST_F(InspectTest, WhatIsWrongIsNamed) {
  ExpectSays(Inspect({"--problem=translate_numbers_ende"}), 4, {"t2t-datagen"});
  ExpectSays(Inspect({"--problem=translate_number_ende"}), 2,
             {"translate_numbers_ende"});
  ExpectSays(Inspect({}), 2, {"--problem is missing"});
  ExpectSays(Inspect({"--problem=languagemodel_multi_wiki_translate"}), 2,
             {"is a mixture", "translate_ende_wmt_"});
  Datagen({"--problem=translate_numbers_ende", "--max_cases=50"});
  for (const std::string& file : ListDirectory(Dir("data"))) {
    if (file.find("-dev-") == std::string::npos) continue;
    const std::string path = JoinPath(Dir("data"), file);
    const std::string bytes = ReadFile(path);
    WriteFileAtomically(path, bytes.substr(0, bytes.size() - 3));
  }
  ExpectSays(Inspect({"--problem=translate_numbers_ende"}), 3, {"-dev-"});
}

}  // namespace
}  // namespace t2t
