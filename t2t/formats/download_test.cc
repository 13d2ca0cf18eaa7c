#include "t2t/formats/download.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/raw_files.h"

namespace t2t {
namespace {

TEST(DownloadTest, WholeOrNotThere) {
  const std::string dir = MakeTempDirectory("download");
  WriteFileAtomically(dir + "/from", "contents");
  std::string why;
  EXPECT_TRUE(Download("file://" + dir + "/from", dir + "/to", &why)) << why;
  EXPECT_EQ(ReadFile(dir + "/to"), "contents");
  EXPECT_FALSE(Download("file://" + dir + "/none", dir + "/other", &why));
  EXPECT_NE(why, "");
  EXPECT_EQ(ListDirectory(dir), (std::vector<std::string>{"from", "to"}));
}

TEST(DownloadTest, WhatIsNotAsKnownGetsNoName) {
  const std::string dir = MakeTempDirectory("download");
  WriteFileAtomically(dir + "/from", "abc");
  std::string why;
  const auto check = [](const std::string& path) -> std::string {
    return FileSha256(path) ==
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9"
                   "cb410ff61f20015ad"
               ? ""
               : "another";
  };
  EXPECT_TRUE(Download("file://" + dir + "/from", dir + "/to", &why, check));
  WriteFileAtomically(dir + "/from", "abd");
  EXPECT_FALSE(Download("file://" + dir + "/from", dir + "/no", &why, check));
  EXPECT_EQ(why, "another");
  EXPECT_EQ(ListDirectory(dir), (std::vector<std::string>{"from", "to"}));
}

TEST(DownloadTest, AnArchiveGivesPlainFilesAlone) {
  const std::string dir = MakeTempDirectory("download");
  MakeDirectories(dir + "/from/sub");
  WriteFileAtomically(dir + "/from/sub/text", "abc");
  ASSERT_EQ(::symlink("/etc/passwd", (dir + "/from/link").c_str()), 0);
  ASSERT_EQ(
      std::system(("tar czf " + dir + "/a.tgz -C " + dir + "/from .").c_str()),
      0);
  std::string why;
  EXPECT_TRUE(Unpack(dir + "/a.tgz", {"sub/text"}, dir + "/to", &why)) << why;
  EXPECT_EQ(ReadFile(dir + "/to/sub/text"), "abc");
  EXPECT_FALSE(Unpack(dir + "/a.tgz", {"link"}, dir + "/to", &why));
  EXPECT_FALSE(Unpack(dir + "/a.tgz", {"none"}, dir + "/to", &why));
  EXPECT_EQ(ListDirectory(dir + "/to"), std::vector<std::string>{"sub"});
}

TEST(RawFilesTest, InAFolderOfAllUsersOnlyOwnFilesCount) {
  const std::string dir = MakeTempDirectory("raw");
  WriteFileAtomically(dir + "/mine", "x");
  ASSERT_EQ(::symlink("mine", (dir + "/link").c_str()), 0);
  CheckRawFile(dir + "/link", false);  // a folder of one's own
  MakeRawFolder(dir);
  ASSERT_EQ(::chmod(dir.c_str(), 01777), 0);
  CheckRawFile(dir + "/mine", false);
  CheckRawFile(dir + "/none", false);
  EXPECT_THROW(CheckRawFile(dir + "/link", false), Error);
  CheckRawFile(dir + "/link", true);
  MakeRawFolder(dir);
  ASSERT_EQ(::chmod(dir.c_str(), 0777), 0);
  EXPECT_THROW(MakeRawFolder(dir), Error);
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chown((dir + "/mine").c_str(), 12345, 12345), 0);
  EXPECT_THROW(CheckRawFile(dir + "/mine", false), Error);
  // A folder that another user has made in /tmp before this one.
  ASSERT_EQ(::chmod(dir.c_str(), 01777), 0);
  MakeDirectories(dir + "/t2t_datagen");
  WriteFileAtomically(dir + "/t2t_datagen/text", "x");
  CheckRawFile(dir + "/t2t_datagen/text", false);
  for (const char* const name : {"/t2t_datagen", "/t2t_datagen/text"}) {
    ASSERT_EQ(::chown((dir + name).c_str(), 12345, 12345), 0);
  }
  EXPECT_THROW(CheckRawFile(dir + "/t2t_datagen/text", false), Error);
  EXPECT_THROW(MakeRawFolder(dir + "/t2t_datagen"), Error);
}

}  // namespace
}  // namespace t2t
