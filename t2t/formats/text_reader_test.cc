#include "t2t/formats/text_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"

namespace t2t {
namespace {

void WriteGzip(const std::string& path, const std::string& contents) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, contents.data(), static_cast<unsigned>(contents.size()));
  gzclose(file);
}

// With a checksum, as the program zstd does.
std::string Zstd(const std::string& text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  bytes.resize(ZSTD_compress2(context, bytes.data(), bytes.size(), text.data(),
                              text.size()));
  ZSTD_freeCCtx(context);
  return bytes;
}

ExitCode CodeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

TEST(TextReaderTest, KeepsEmptyLinesAndBadBytes) {
  const std::string dir = MakeTempDirectory("lines");
  const std::string text = "one\n\n\xff\xfe two\r\n last";
  WriteFileAtomically(dir + "/a", text);
  const std::vector<std::string> expected = {"one", "", "\xff\xfe two\r",
                                             " last"};
  EXPECT_EQ(ReadTextLines(dir + "/a"), expected);
  WriteGzip(dir + "/a.gz", text);
  EXPECT_EQ(ReadTextLines(dir + "/a.gz"), expected);
  EXPECT_EQ(ReadText(dir + "/a.gz"), text);

  for (const char* const name : {"/a", "/a.gz"}) {
    const FileFacts facts = ScanFile(dir + name);
    EXPECT_EQ(facts.lines, 4);
    EXPECT_EQ(facts.bytes, static_cast<int64_t>(text.size()));
    EXPECT_EQ(facts.crc32c, Crc32c(text));
  }
  WriteFileAtomically(dir + "/empty", "");
  EXPECT_TRUE(ReadTextLines(dir + "/empty").empty());
  EXPECT_EQ(ScanFile(dir + "/empty").lines, 0);
  WriteFileAtomically(dir + "/newline", "\n");
  EXPECT_EQ(ReadTextLines(dir + "/newline"), std::vector<std::string>{""});
  EXPECT_EQ(ScanFile(dir + "/newline").lines, 1);
}

TEST(TextReaderTest, LinesLongerThanAPiece) {
  const std::string dir = MakeTempDirectory("lines");
  const std::string longest(700000, 'x');
  WriteFileAtomically(dir + "/a", longest + "\n" + longest + "y\nz\n");
  EXPECT_EQ(ReadTextLines(dir + "/a"),
            (std::vector<std::string>{longest, longest + "y", "z"}));
}

TEST(TextReaderTest, NamesWhatIsWrong) {
  const std::string dir = MakeTempDirectory("lines");
  EXPECT_EQ(CodeOf([&] { ReadTextLines(dir + "/none"); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { ReadTextLines(dir); }), ExitCode::kIo);

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

TEST(TextReaderTest, ZstdAndMembersOfGzip) {
  const std::string dir = MakeTempDirectory("lines");
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string half = text.substr(0, text.size() / 2);
  const std::string rest = text.substr(half.size());

  WriteGzip(dir + "/one.gz", half);
  WriteGzip(dir + "/two.gz", rest);
  WriteFileAtomically(dir + "/members",
                      ReadFile(dir + "/one.gz") + ReadFile(dir + "/two.gz"));
  EXPECT_EQ(ReadText(dir + "/members"), text);
  // As gzip does with what is no member.
  WriteFileAtomically(dir + "/padded",
                      ReadFile(dir + "/one.gz") + std::string(512, '\0'));
  EXPECT_EQ(ReadText(dir + "/padded"), half);

  const std::string whole = Zstd(text);
  WriteFileAtomically(dir + "/text.zst", whole);
  EXPECT_EQ(ReadText(dir + "/text.zst"), text);
  const std::string skippable("\x50\x2a\x4d\x18\x02\0\0\0xy", 10);
  WriteFileAtomically(dir + "/frames", skippable + Zstd(half) + Zstd(rest));
  EXPECT_EQ(ReadText(dir + "/frames"), text);
  WriteFileAtomically(dir + "/empty.zst", Zstd(""));
  EXPECT_EQ(ReadText(dir + "/empty.zst"), "");
  for (const size_t size : {whole.size() - 1, whole.size() / 2, size_t{7}}) {
    WriteFileAtomically(dir + "/cut.zst", whole.substr(0, size));
    EXPECT_EQ(CodeOf([&] { ReadText(dir + "/cut.zst"); }), ExitCode::kBadData);
  }
  std::string flipped = whole;
  flipped[flipped.size() / 2] ^= 0x10;
  WriteFileAtomically(dir + "/flipped.zst", flipped);
  EXPECT_EQ(CodeOf([&] { ReadText(dir + "/flipped.zst"); }),
            ExitCode::kBadData);
}

// Else compressed bytes would be taken for text.
TEST(TextReaderTest, WhatOtherProgramsCompressIsRefused) {
  const std::string path = MakeTempDirectory("lines") + "/a";
  for (const std::string& start :
       {std::string("\xfd\x37zXZ\0\0", 7), std::string("BZh91AY&SY\1\2"),
        std::string("PK\3\4\n"), std::string("7z\xbc\xaf\x27\x1c")}) {
    WriteFileAtomically(path, start);
    EXPECT_EQ(CodeOf([&] { ReadText(path); }), ExitCode::kBadData) << start;
  }
  for (const std::string text :
       {"BZh", "BZhang is here.", "PK", "7z", "\x1f"}) {
    WriteFileAtomically(path, text);
    EXPECT_EQ(ReadText(path), text);
  }
}

TEST(TextReaderTest, TextThatCanBeReadOnceIsKeptForTheNextTime) {
  const std::string dir = MakeTempDirectory("lines");
  const std::string pipe = dir + "/pipe";
  WriteGzip(dir + "/text.gz", "a\nb\n");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer(
      [&] { std::ofstream(pipe) << ReadFile(dir + "/text.gz"); });
  const std::string again = Rereadable(pipe, dir + "/folder");
  writer.join();
  EXPECT_NE(again, pipe);
  EXPECT_EQ(TextName(again), pipe);
  EXPECT_EQ(ReadTextLines(again), (std::vector<std::string>{"a", "b"}));
  LineReader first(again);
  LineReader second(again);
  std::string line;
  EXPECT_TRUE(first.Next(&line));
  EXPECT_TRUE(second.Next(&line));
  EXPECT_EQ(line, "a");
  EXPECT_EQ(Rereadable(pipe, dir), again);
  EXPECT_TRUE(ListDirectory(dir + "/folder").empty());
  // What can be read again stays what it is.
  EXPECT_EQ(Rereadable(dir + "/text.gz", dir), dir + "/text.gz");
  EXPECT_EQ(Rereadable(dir + "/none", dir), dir + "/none");
}

}  // namespace
}  // namespace t2t
