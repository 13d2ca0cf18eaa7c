#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "problems/problem_testing.h"

namespace t2t {
namespace {

const char kSource[] = "the cat sat\n\n  the \xff\xfe dog \nno\n";
const char kTarget[] = "die Katze saß\nx\nder Hund\nnein\n";

class TextTmpdirTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = MakeTempDirectory("tmpdir");
    options_.tmp_dir = dir_ + "/tmp";
    options_.data_dir = dir_ + "/data";
    options_.num_shards = 4;  // quicker than the problems' own 100
    MakeDirectories(options_.tmp_dir);
    Put("inputs.train.txt", kSource);
    Put("targets.train.txt", kTarget);
    Put("inputs.eval.txt", "the dog\n");
    Put("targets.eval.txt", "der Hund\n");
  }

  void Put(const std::string& name, const std::string& contents) {
    WriteFileAtomically(JoinPath(options_.tmp_dir, name), contents);
  }

  void ExpectNothingWritten() {
    EXPECT_TRUE(!Exists(options_.data_dir) ||
                ListDirectory(options_.data_dir).empty());
  }

  std::string dir_;
  GenerateOptions options_;
};

TEST_F(TextTmpdirTest, TextToText) {
  const auto problem = MakeProblem("text2text_tmpdir");
  options_.num_shards = 0;
  GenerateData(*problem, options_);
  EXPECT_EQ(WrongDataFacts("text2text_tmpdir", options_.data_dir), "");
  EXPECT_FALSE(DataFactsOf("text2text_tmpdir").downloads);
  EXPECT_TRUE(
      Exists(options_.data_dir + "/vocab.text2text_tmpdir.32768.subwords"));
  EXPECT_EQ(problem->DataFiles(options_.data_dir, DataSplit::kTrain).size(),
            100u);
  const ProblemInfo info = problem->Info(options_.data_dir);
  const TextEncoder& encoder = *info.features.at("inputs").encoder;
  const std::vector<Example> train =
      ReadExamples(*problem, options_.data_dir, DataSplit::kTrain);
  // One example a shard, so in the order of the lines.
  ASSERT_EQ(train.size(), 4u);
  EXPECT_EQ(TextOf(train[0], "inputs", encoder), "the cat sat");
  EXPECT_EQ(TextOf(train[0], "targets", encoder), "die Katze saß");
  // An empty line is EOS alone; bytes that are not UTF-8 stay.
  EXPECT_EQ(train[1].Ints("inputs"), std::vector<int64_t>{kEosId});
  EXPECT_EQ(TextOf(train[1], "targets", encoder), "x");
  EXPECT_EQ(TextOf(train[2], "inputs", encoder), "the \xff\xfe dog");
  const std::vector<Example> dev =
      ReadExamples(*problem, options_.data_dir, DataSplit::kDev);
  ASSERT_EQ(dev.size(), 1u);
  EXPECT_EQ(TextOf(dev[0], "targets", encoder), "der Hund");
  EXPECT_EQ(problem->metrics.size(), 7u);
  EXPECT_THROW(problem->DataFiles(options_.data_dir, DataSplit::kTest), Error);
}

TEST_F(TextTmpdirTest, FlagsNameAnyFiles) {
  WriteFileAtomically(dir_ + "/a", "one\ntwo\n");
  WriteFileAtomically(dir_ + "/b", "eins\nzwei\n");
  options_.train_src = dir_ + "/a";
  options_.train_tgt = dir_ + "/b";
  options_.dev_src = dir_ + "/a";
  options_.dev_tgt = dir_ + "/b";
  options_.tmp_dir = dir_ + "/nowhere";
  const auto problem = MakeProblem("text2text_tmpdir");
  EXPECT_TRUE(problem->takes_text_files);
  GenerateData(*problem, options_);
  EXPECT_EQ(ReadExamples(*problem, options_.data_dir, DataSplit::kDev).size(),
            2u);

  options_.dev_tgt.clear();
  EXPECT_EQ(ErrorOf([&] { GenerateData(*problem, options_); }).first,
            ExitCode::kUsage);
}

TEST_F(TextTmpdirTest, OtherTextNeedsOverwrite) {
  const auto problem = MakeProblem("text2text_tmpdir");
  GenerateData(*problem, options_);
  const auto before = Contents(options_.data_dir);
  GenerateData(*problem, options_);
  EXPECT_EQ(Contents(options_.data_dir), before);
  Put("inputs.train.txt", "a cat\n\nthe dog\nno\n");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*problem, options_); });
  EXPECT_EQ(code, ExitCode::kUsage);
  EXPECT_NE(message.find("--overwrite"), std::string::npos) << message;
  EXPECT_EQ(Contents(options_.data_dir), before);
  options_.overwrite = true;
  GenerateData(*problem, options_);
  EXPECT_NE(Contents(options_.data_dir), before);
  // The text may be gone once the data are whole.
  options_.overwrite = false;
  options_.tmp_dir = dir_ + "/nowhere";
  GenerateData(*problem, options_);
}

TEST_F(TextTmpdirTest, LostVocabularyMakesTheShardsAnew) {
  const auto problem = MakeProblem("text2text_tmpdir");
  GenerateData(*problem, options_);
  const auto before = Contents(options_.data_dir);
  RemoveFile(options_.data_dir + "/vocab.text2text_tmpdir.32768.subwords");
  EXPECT_EQ(ErrorOf([&] { problem->Info(options_.data_dir); }).first,
            ExitCode::kMissing);
  WriteFileAtomically(problem->DataFiles(options_.data_dir, DataSplit::kDev)[0],
                      "");
  GenerateData(*problem, options_);
  EXPECT_EQ(Contents(options_.data_dir), before);
}

TEST_F(TextTmpdirTest, DifferentLengthsAreNamed) {
  for (const std::string split : {"train", "eval"}) {
    SetUp();
    Put("targets." + split + ".txt", "one\ntwo\n");
    for (const char* const name : {"text2text_tmpdir", "text2class_tmpdir"}) {
      const auto [code, message] =
          ErrorOf([&] { GenerateData(*MakeProblem(name), options_); });
      EXPECT_EQ(code, ExitCode::kBadData);
      EXPECT_NE(message.find("targets." + split + ".txt has 2 lines"),
                std::string::npos)
          << message;
      ExpectNothingWritten();
    }
  }
}

TEST_F(TextTmpdirTest, MissingAndEmptyFilesAreNamed) {
  for (const char* const name : {"inputs.train.txt", "targets.train.txt",
                                 "inputs.eval.txt", "targets.eval.txt"}) {
    SetUp();
    RemoveFile(options_.tmp_dir + "/" + name);
    const auto [code, message] = ErrorOf(
        [&] { GenerateData(*MakeProblem("text2text_tmpdir"), options_); });
    EXPECT_EQ(code, ExitCode::kMissing);
    EXPECT_NE(message.find(name), std::string::npos) << message;
    ExpectNothingWritten();
  }
  SetUp();
  Put("inputs.train.txt", "");
  Put("targets.train.txt", "");
  EXPECT_EQ(ErrorOf([&] {
              GenerateData(*MakeProblem("text2text_tmpdir"), options_);
            }).first,
            ExitCode::kBadData);
}

TEST_F(TextTmpdirTest, Tokens) {
  const auto problem = MakeProblem("text2text_tmpdir_tokens");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*problem, options_); });
  EXPECT_EQ(code, ExitCode::kMissing);
  EXPECT_NE(message.find("vocab.txt"), std::string::npos) << message;

  Put("vocab.txt", "the\n<EOS>\ncat\n\ndie\nKatze\nthe\n");
  GenerateData(*problem, options_);
  // T2T gives every line an id, empty ones and repeated ones too.
  EXPECT_EQ(
      ReadFile(options_.data_dir + "/vocab.text2text_tmpdir_tokens.tokens"),
      "<pad>\n<EOS>\n<UNK>\nthe\ncat\n\ndie\nKatze\nthe\n");
  const std::vector<Example> train =
      ReadExamples(*problem, options_.data_dir, DataSplit::kTrain);
  EXPECT_EQ(train[0].Ints("inputs"), (std::vector<int64_t>{8, 4, 2, 1}));
  EXPECT_EQ(train[0].Ints("targets"), (std::vector<int64_t>{6, 7, 2, 1}));
  EXPECT_EQ(train[1].Ints("inputs"), std::vector<int64_t>{1});

  // Named outright.
  options_.data_dir = dir_ + "/named";
  options_.vocab = dir_ + "/tokens";
  WriteFileAtomically(options_.vocab, "sat\n");
  GenerateData(*problem, options_);
  EXPECT_EQ(problem->Info(options_.data_dir).features.at("inputs").vocab_size,
            4);
  GenerateData(*problem, options_);
  WriteFileAtomically(options_.vocab, "sat\nmat\n");
  EXPECT_EQ(ErrorOf([&] { GenerateData(*problem, options_); }).first,
            ExitCode::kUsage);
}

// T2T keeps an <UNK> that vocab.txt lists itself beside the one it puts first,
// and takes the later one for unknown words.
TEST_F(TextTmpdirTest, AVocabularyThatListsTheUnknownTokenItself) {
  Put("vocab.txt", "the\na\n<UNK>\nb\n");
  const auto problem = MakeProblem("text2text_tmpdir_tokens");
  GenerateData(*problem, options_);
  const FeatureInfo info =
      problem->Info(options_.data_dir).features.at("inputs");
  EXPECT_EQ(info.vocab_size, 7);
  EXPECT_EQ(info.encoder->Encode("the b what"),
            (std::vector<int64_t>{3, 6, 5}));

  // A vocabulary file that is there already stays as it is.
  GenerateOptions other = options_;
  other.vocab = options_.data_dir + "/vocab.text2text_tmpdir_tokens.tokens";
  other.data_dir = dir_ + "/other";
  GenerateData(*problem, other);
  EXPECT_EQ(ReadFile(other.data_dir + "/vocab.text2text_tmpdir_tokens.tokens"),
            ReadFile(other.vocab));
}

TEST_F(TextTmpdirTest, TextOutOfPipesIsAsOutOfFiles) {
  const auto problem = MakeProblem("text2text_tmpdir");
  GenerateData(*problem, options_);
  GenerateOptions piped = options_;
  piped.data_dir = dir_ + "/piped";
  std::string* const names[] = {&piped.train_src, &piped.train_tgt,
                                &piped.dev_src, &piped.dev_tgt};
  std::vector<std::ofstream> pipes(4);
  std::vector<std::string> texts;
  for (size_t i = 0; i < 4; ++i) {
    *names[i] = dir_ + "/pipe" + std::to_string(i);
    ASSERT_EQ(::mkfifo(names[i]->c_str(), 0600), 0);
    texts.push_back(ReadFile(JoinPath(
        options_.tmp_dir, (i % 2 == 0 ? "inputs." : "targets.") +
                              std::string(i < 2 ? "train" : "eval") + ".txt")));
  }
  // One program writes them all at once, a little at a time.
  std::thread writer([&] {
    for (size_t i = 0; i < 4; ++i) pipes[i].open(*names[i]);
    for (size_t at = 0; at < texts[0].size(); ++at) {
      for (size_t i = 0; i < 4; ++i) {
        if (at < texts[i].size()) pipes[i].put(texts[i][at]).flush();
      }
    }
    for (size_t i = 0; i < 4; ++i) {
      if (texts[i].size() > texts[0].size()) {
        pipes[i] << texts[i].substr(texts[0].size());
      }
      pipes[i].close();
    }
  });
  GenerateData(*problem, piped);
  writer.join();
  for (const std::string& name : ListDirectory(options_.data_dir)) {
    EXPECT_EQ(ReadFile(JoinPath(piped.data_dir, name)),
              ReadFile(JoinPath(options_.data_dir, name)))
        << name;
  }
}

TEST_F(TextTmpdirTest, WhatFailsLeavesNothingThatALaterRunTakes) {
  const auto problem = MakeProblem("text2text_tmpdir");
  const std::string text =
      ReadFile(JoinPath(options_.tmp_dir, "inputs.train.txt"));
  Put("inputs.train.txt", " \n\n \n\n");
  Put("targets.train.txt", "\n \n\n \n");
  EXPECT_EQ(ErrorOf([&] { GenerateData(*problem, options_); }).first,
            ExitCode::kBadData);
  EXPECT_TRUE(ListDirectory(options_.data_dir).empty());
  Put("inputs.train.txt", text);
  Put("targets.train.txt", text);
  GenerateData(*problem, options_);
  EXPECT_GT(problem->Info(options_.data_dir).features.at("inputs").vocab_size,
            20);
}

TEST_F(TextTmpdirTest, GivenSubwords) {
  const auto problem = MakeProblem("text2text_tmpdir");
  GenerateData(*problem, options_);
  const std::string vocab =
      options_.data_dir + "/vocab.text2text_tmpdir.32768.subwords";
  GenerateOptions other = options_;
  other.data_dir = dir_ + "/other";
  other.vocab = vocab;
  GenerateData(*problem, other);
  EXPECT_EQ(ReadFile(other.data_dir + "/vocab.text2text_tmpdir.32768.subwords"),
            ReadFile(vocab));
}

TEST_F(TextTmpdirTest, TextToClass) {
  const auto problem = MakeProblem("text2class_tmpdir");
  Put("targets.train.txt", "10\n9\n10\n-1\n");
  Put("targets.eval.txt", "9\n");
  GenerateData(*problem, options_);
  const ProblemInfo info = problem->Info(options_.data_dir);
  EXPECT_EQ(info.features.at("inputs").modality, "symbol");
  const FeatureInfo& targets = info.features.at("targets");
  EXPECT_EQ(targets.modality, "class_label");
  EXPECT_EQ(targets.vocab_size, 3);
  EXPECT_EQ(targets.encoder->DecodeList({0, 1, 2}),
            (std::vector<std::string>{"-1", "9", "10"}));
  const std::vector<Example> train =
      ReadExamples(*problem, options_.data_dir, DataSplit::kTrain);
  ASSERT_EQ(train.size(), 4u);
  EXPECT_EQ(TextOf(train[0], "inputs", *info.features.at("inputs").encoder),
            "the cat sat");
  EXPECT_EQ(train[0].Ints("targets"), std::vector<int64_t>{2});
  EXPECT_EQ(train[3].Ints("targets"), std::vector<int64_t>{0});

  // The order may be given.
  options_.data_dir = dir_ + "/ordered";
  Put("labels.txt", "10\n9\n-1\n8\n");
  GenerateData(*problem, options_);
  EXPECT_EQ(problem->Info(options_.data_dir).features.at("targets").vocab_size,
            4);
  EXPECT_EQ(
      ReadExamples(*problem, options_.data_dir, DataSplit::kTrain)[0].Ints(
          "targets"),
      std::vector<int64_t>{0});
}

TEST_F(TextTmpdirTest, UnknownLabel) {
  const auto problem = MakeProblem("text2class_tmpdir");
  Put("targets.train.txt", "a\nb\na\nb\n");
  Put("targets.eval.txt", "c\n");
  const auto [code, message] =
      ErrorOf([&] { GenerateData(*problem, options_); });
  EXPECT_EQ(code, ExitCode::kBadData);
  EXPECT_NE(message.find("'c'"), std::string::npos) << message;

  Put("targets.train.txt", "a\n\na\nb\n");
  options_.data_dir = dir_ + "/empty_label";
  EXPECT_EQ(ErrorOf([&] { GenerateData(*problem, options_); }).first,
            ExitCode::kBadData);
}

}  // namespace
}  // namespace t2t
