#include "t2t/base/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/settings.h"

namespace t2t {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ParseAll(Flags* flags,
                                  std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return flags->Parse(static_cast<int>(pointers.size()), pointers.data());
}

std::string MessageOf(Flags* flags, std::vector<std::string> arguments) {
  try {
    ParseAll(flags, std::move(arguments));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

struct Values {
  std::string hparams;
  std::string problems;
  std::string schedule = "train";
  std::string profile;
  int64_t threads = 0;
  double decay = 0;
  bool fast = false;
  Flags flags{"usage", "example"};

  Values() {
    flags.Add("hparams", &hparams, "settings", Flags::Kind::kSettings);
    flags.AddPrefix("hp_", "hparams");
    flags.Add("problem", &problems, "a list", Flags::Kind::kList);
    flags.AddAlias("problems", "problem");
    flags.AddChoice("schedule", &schedule, {"train", "evaluate"}, "what to do");
    flags.Add("profile", &profile, "a file", Flags::Kind::kOptional);
    flags.Add("threads", &threads, "threads", Range::Between(0, 1024));
    flags.Add("decay", &decay, "a share", Range::FromZeroBelow(1));
    flags.Add("fast", &fast, "a bool");
    flags.AddIgnored("use_tpu", "there is none");
    flags.AddRefused("checkpoints", "use --n");
  }
};

// tensorflow/tensor2tensor#546: the first of two --hparams was dropped.
TEST(FlagsTest, AllSettingsCountInOrder) {
  Values v;
  ParseAll(&v.flags, {"--hparams=a=1,b=[2,3]", "--hp_c=4", "--hparams", "a=5",
                      "--hp_d", "-6", "--hparams="});
  EXPECT_EQ(v.hparams, "b=[2,3],c=4,a=5,d=-6");
  EXPECT_TRUE(v.flags.WasGiven("hparams"));
  EXPECT_THAT(v.flags.ToText(), HasSubstr("--hparams=b=[2,3],c=4,a=5,d=-6\n"));
}

TEST(FlagsTest, ListsAreJoinedUnderEachOfTheirNames) {
  Values v;
  ParseAll(&v.flags, {"--problem=a,b", "--problems=c"});
  EXPECT_EQ(v.problems, "a,b,c");
  EXPECT_TRUE(v.flags.WasGiven("problems"));
}

TEST(FlagsTest, ADefaultIsNoPartOfAList) {
  std::string list = "default";
  Flags flags("usage", "example");
  flags.Add("list", &list, "a list", Flags::Kind::kList);
  ParseAll(&flags, {"--list=a", "--list=b"});
  EXPECT_EQ(list, "a,b");
}

TEST(FlagsTest, OfOtherFlagsTheLastCountsAndANoteSaysSo) {
  Values v;
  testing::internal::CaptureStderr();
  ParseAll(&v.flags, {"--threads=2", "--threads=3", "--fast", "--fast"});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "note: --threads is given several times, and the last one counts: "
            "3, not 2\n");
  EXPECT_EQ(v.threads, 3);
}

TEST(FlagsTest, ARankOfOurLauncherRepeatsNoNote) {
  ::setenv("T2T_LAUNCHED", "1", 1);
  Values v;
  testing::internal::CaptureStderr();
  ParseAll(&v.flags, {"--threads=2", "--threads=3"});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(v.threads, 3);
  ::unsetenv("T2T_LAUNCHED");
}

TEST(FlagsTest, ValuesOutOfTheirRangeAreRefused) {
  for (const char* bad :
       {"--threads=-1", "--threads=1025", "--threads=1.5",
        "--threads=99999999999999999999", "--decay=1", "--decay=-0.1",
        "--decay=nan", "--decay=inf", "--decay=x", "--fast=perhaps"}) {
    Values v;
    EXPECT_NE(MessageOf(&v.flags, {bad}), "") << bad;
  }
  Values v;
  EXPECT_THAT(
      MessageOf(&v.flags, {"--threads=5000"}),
      testing::AllOf(HasSubstr("--threads=5000"), HasSubstr("0 to 1024")));
  EXPECT_THAT(MessageOf(&v.flags, {"--decay=1"}),
              HasSubstr("0 or more and below 1"));
  EXPECT_THAT(MessageOf(&v.flags, {"--schedule=trian"}),
              testing::AllOf(HasSubstr("did you mean 'train'?"),
                             HasSubstr("train or evaluate")));
  ParseAll(&v.flags, {"--threads=1024", "--decay=0.999"});
}

TEST(FlagsTest, AnOptionalValue) {
  Values v;
  ParseAll(&v.flags, {"--profile", "--fast"});
  EXPECT_EQ(v.profile, "true");
  EXPECT_TRUE(v.fast);
  ParseAll(&v.flags, {"--profile", "file"});
  EXPECT_EQ(v.profile, "file");
  ParseAll(&v.flags, {"--noprofile"});
  EXPECT_EQ(v.profile, "false");
}

TEST(FlagsTest, WhatHasNoEffectSaysWhyAndDropsItsValue) {
  Values v;
  testing::internal::CaptureStderr();
  EXPECT_THAT(ParseAll(&v.flags, {"--use_tpu", "-1", "--nouse_tpu", "rest"}),
              ElementsAre("rest"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("--use_tpu has no effect here: there is none"));
  EXPECT_THAT(MessageOf(&v.flags, {"--checkpoints=a"}), HasSubstr("use --n"));
}

TEST(FlagsTest, HelpNamesFlagsWithoutEffectOnlyInFull) {
  Values v;
  EXPECT_EQ(v.flags.HelpText().find("use_tpu"), std::string::npos);
  EXPECT_THAT(v.flags.HelpText(), HasSubstr("--helpfull"));
  const std::string full = v.flags.HelpText(/*full=*/true);
  EXPECT_THAT(full, HasSubstr("--use_tpu\n      no effect: there is none"));
  EXPECT_THAT(full, HasSubstr("--problems\n      the same as --problem"));
  EXPECT_THAT(full, HasSubstr("--checkpoints\n      refused: use --n"));
}

TEST(SettingsTest, SplitsWhereANameFollows) {
  const std::vector<Setting> settings =
      SplitSettings("a=1, b=[2,c=3],d=0,1,e.f=x=y,g[0]=1,?");
  std::vector<std::string> texts;
  for (const Setting& setting : settings) texts.push_back(setting.text);
  EXPECT_THAT(texts,
              ElementsAre("a=1", " b=[2,c=3]", "d=0,1", "e.f=x=y", "g[0]=1,?"));
  EXPECT_EQ(settings[1].name, "b");
  EXPECT_EQ(settings[4].name, "g");
  EXPECT_TRUE(SplitSettings(" ").empty());
}

TEST(SettingsTest, TheLaterOfTwoCounts) {
  EXPECT_EQ(JoinSettings("a=1,b=2", "b=3"), "a=1,b=3");
  EXPECT_EQ(JoinSettings("a=1", "a=2"), "a=2");
  EXPECT_EQ(JoinSettings("", "a=2"), "a=2");
  EXPECT_EQ(JoinSettings("a=2", ""), "a=2");
  EXPECT_EQ(JoinSettings("nothing", "a=2"), "nothing,a=2");
}

}  // namespace
}  // namespace t2t
