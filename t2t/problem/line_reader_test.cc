#include "t2t/problem/line_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>
#include <string>
#include <vector>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/problem/download.h"

namespace t2t {
namespace {

void WriteGzip(const std::string& path, const std::string& contents) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, contents.data(), static_cast<unsigned>(contents.size()));
  gzclose(file);
}

std::vector<std::string> Lines(const std::string& path) {
  LineReader reader(path);
  std::vector<std::string> lines;
  for (std::string line; reader.Next(&line);) lines.push_back(line);
  return lines;
}

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

TEST(LineReaderTest, KeepsEmptyLinesAndBadBytes) {
  const std::string dir = MakeTempDirectory("lines");
  const std::string text = "one\n\n\xff\xfe two\r\n last";
  WriteFileAtomically(dir + "/a", text);
  const std::vector<std::string> expected = {"one", "", "\xff\xfe two\r",
                                             " last"};
  EXPECT_EQ(Lines(dir + "/a"), expected);
  WriteGzip(dir + "/a.gz", text);
  EXPECT_EQ(Lines(dir + "/a.gz"), expected);
  EXPECT_EQ(ReadUnzipped(dir + "/a.gz"), text);

  for (const char* const name : {"/a", "/a.gz"}) {
    const FileFacts facts = ScanFile(dir + name);
    EXPECT_EQ(facts.lines, 4);
    EXPECT_EQ(facts.bytes, static_cast<int64_t>(text.size()));
    EXPECT_EQ(facts.crc32c, Crc32c(text));
  }
  WriteFileAtomically(dir + "/empty", "");
  EXPECT_TRUE(Lines(dir + "/empty").empty());
  EXPECT_EQ(ScanFile(dir + "/empty").lines, 0);
  WriteFileAtomically(dir + "/newline", "\n");
  EXPECT_EQ(Lines(dir + "/newline"), std::vector<std::string>{""});
  EXPECT_EQ(ScanFile(dir + "/newline").lines, 1);
}

TEST(LineReaderTest, LinesLongerThanAPiece) {
  const std::string dir = MakeTempDirectory("lines");
  const std::string longest(700000, 'x');
  WriteFileAtomically(dir + "/a", longest + "\n" + longest + "y\nz\n");
  EXPECT_EQ(Lines(dir + "/a"),
            (std::vector<std::string>{longest, longest + "y", "z"}));
}

TEST(LineReaderTest, NamesWhatIsWrong) {
  const std::string dir = MakeTempDirectory("lines");
  EXPECT_EQ(CodeOf([&] { Lines(dir + "/none"); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { Lines(dir); }), ExitCode::kIo);

  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919) + "\n";
  WriteGzip(dir + "/whole.gz", text);
  const std::string whole = ReadFile(dir + "/whole.gz");
  WriteFileAtomically(dir + "/cut.gz", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(CodeOf([&] { ScanFile(dir + "/cut.gz"); }), ExitCode::kBadData);
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 0x10;
  WriteFileAtomically(dir + "/flipped.gz", flipped);
  EXPECT_EQ(CodeOf([&] { ScanFile(dir + "/flipped.gz"); }), ExitCode::kBadData);
}

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
