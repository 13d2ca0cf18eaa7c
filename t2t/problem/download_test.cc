#include "t2t/problem/download.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/fs.h"

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

}  // namespace
}  // namespace t2t
