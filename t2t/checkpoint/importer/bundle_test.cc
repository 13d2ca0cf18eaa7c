#include "t2t/checkpoint/importer/bundle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/importer/table.h"

namespace t2t {
namespace {

const char kGolden[] = "tests/golden/importer/";
const char kIndex[] = ".index";
const char kData[] = ".data-00002-of-00003";
const char* const kFiles[] = {kIndex, ".data-00000-of-00003",
                              ".data-00001-of-00003", kData};

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) text += Format("%02x", static_cast<uint8_t>(c));
  return text;
}

// A copy of the golden checkpoint, one file of which is changed.
class Copy {
 public:
  Copy() : folder_(MakeTempDirectory("bundle")) {
    for (const char* file : kFiles) {
      contents_[file] = ReadFile(std::string(kGolden) + "bundle.ckpt-7" + file);
      Write(file, contents_[file]);
    }
  }
  ~Copy() { RemoveTree(folder_); }

  std::string prefix() const { return JoinPath(folder_, "x"); }
  const std::string& contents(const std::string& file) {
    return contents_[file];
  }
  void Write(const std::string& file, const std::string& contents) const {
    std::ofstream(prefix() + file, std::ios::binary) << contents;
  }
  // In place, since rewriting a file thousands of times is slow.
  void Cut(const std::string& file, size_t size) const {
    ASSERT_EQ(::truncate((prefix() + file).c_str(), static_cast<off_t>(size)),
              0);
  }
  void FlipBit(const std::string& file, size_t bit) {
    std::fstream stream(prefix() + file,
                        std::ios::in | std::ios::out | std::ios::binary);
    char& byte = contents_[file][bit / 8];
    byte ^= static_cast<char>(1 << (bit % 8));
    stream.seekp(static_cast<std::streamoff>(bit / 8));
    stream.put(byte);
  }

 private:
  std::string folder_;
  std::map<std::string, std::string> contents_;
};

// The exit code of reading everything; kOk where nothing was found wrong.
ExitCode Read(const std::string& prefix) {
  try {
    BundleReader(prefix).Verify();
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kOk;
}

TEST(BundleTest, ReadsWhatTensorFlowReads) {
  const Json expected =
      Json::Parse(ReadFile(std::string(kGolden) + "bundle.json"));
  BundleReader reader(std::string(kGolden) + "bundle.ckpt-7");
  EXPECT_EQ(reader.entries().size(), expected.members().size());
  for (const auto& [name, want] : expected.members()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(reader.Has(name));
    const BundleEntry& entry = reader.Get(name);
    EXPECT_EQ(BundleTypeName(entry.type), want.At("dtype").AsString());
    std::vector<int64_t> shape;
    for (const Json& size : want.At("shape").items()) {
      shape.push_back(size.AsInt());
    }
    EXPECT_EQ(entry.shape, shape);
    if (entry.type == BundleType::kString) {
      std::vector<std::string> strings;
      for (const Json& text : want.At("strings").items()) {
        strings.push_back(text.AsString());
      }
      EXPECT_EQ(reader.ReadStrings(name), strings);
      EXPECT_THROW(reader.ReadBytes(name), Error);
    } else {
      EXPECT_EQ(Hex(reader.ReadBytes(name)), want.At("hex").AsString());
      EXPECT_THROW(reader.ReadStrings(name), Error);
    }
  }
  EXPECT_FALSE(reader.Get("wide").slices.empty());
  EXPECT_THROW(reader.Get("no/such"), Error);
  reader.Verify();
}

TEST(BundleTest, RefusesACutFile) {
  Copy copy;
  for (const char* file : kFiles) {
    const std::string& whole = copy.contents(file);
    for (size_t size = whole.size(); size-- > 0;) {
      copy.Cut(file, size);
      ASSERT_EQ(Read(copy.prefix()), ExitCode::kBadData) << file << " " << size;
    }
    copy.Write(file, whole);
  }
  EXPECT_EQ(Read(copy.prefix()), ExitCode::kOk);
}

// All that a checkpoint holds, as one text.
std::string Contents(const std::string& prefix) {
  BundleReader reader(prefix);
  std::string text;
  for (const auto& [name, entry] : reader.entries()) {
    text += name + "=" + BundleTypeName(entry.type);
    for (const int64_t size : entry.shape) text += "," + std::to_string(size);
    if (entry.type == BundleType::kString) {
      text += ":" + Join(reader.ReadStrings(name), "|") + "\n";
    } else {
      text += ":" + Hex(reader.ReadBytes(name)) + "\n";
    }
  }
  return text;
}

// What the index has that nothing is read from (its footer's padding, the
// block of filters) may differ; what is read is right or refused.
TEST(BundleTest, RefusesAFlippedBit) {
  Copy copy;
  const std::string whole = Contents(copy.prefix());
  int harmless = 0;
  const auto check = [&](const char* file, size_t bit) {
    copy.FlipBit(file, bit);
    const ExitCode code = Read(copy.prefix());
    if (file == kIndex && code == ExitCode::kOk) {
      ++harmless;
      ASSERT_EQ(Contents(copy.prefix()), whole) << file << " " << bit;
    } else {
      ASSERT_EQ(code, ExitCode::kBadData) << file << " " << bit;
    }
    copy.FlipBit(file, bit);
  };
  for (const char* file : kFiles) {
    for (size_t i = 0; i < copy.contents(file).size(); ++i) {
      check(file, i * 8 + i * 5 % 8);
    }
  }
  // Nothing but the place of its blocks guards the footer: every bit of it.
  const size_t end = copy.contents(kIndex).size() * 8;
  for (size_t bit = end - 48 * 8; bit < end; ++bit) check(kIndex, bit);
  EXPECT_LT(harmless, 48 * 8);
  EXPECT_EQ(Read(copy.prefix()), ExitCode::kOk);
}

TEST(BundleTest, NamesTheFileThatIsMissing) {
  Copy copy;
  RemoveFile(copy.prefix() + kData);
  EXPECT_EQ(Read(copy.prefix()), ExitCode::kMissing);
  EXPECT_EQ(Read(copy.prefix() + "y"), ExitCode::kMissing);
}

// --- indexes that a checksum does not refuse

void AppendVarint(std::string* text, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    text->push_back(static_cast<char>(value | 0x80));
  }
  text->push_back(static_cast<char>(value));
}

void AppendFixed(std::string* text, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    text->push_back(static_cast<char>(value >> (8 * i)));
  }
}

using Rows = std::vector<std::pair<std::string, std::string>>;

// Writes a block and its trailer; returns its handle.
std::string AppendBlock(const Rows& rows, char type, std::string* file) {
  std::string block;
  for (const auto& [key, value] : rows) {
    AppendVarint(&block, 0);
    AppendVarint(&block, key.size());
    AppendVarint(&block, value.size());
    block += key + value;
  }
  AppendFixed(&block, 0, 4);
  AppendFixed(&block, 1, 4);
  std::string handle;
  AppendVarint(&handle, file->size());
  AppendVarint(&handle, block.size());
  block.push_back(type);
  *file += block;
  AppendFixed(file, MaskCrc(Crc32c(block)), 4);
  return handle;
}

// A table of one block for every item of blocks.
std::string MakeTable(const std::vector<Rows>& blocks, char type = 0) {
  std::string file;
  Rows index;
  for (const Rows& rows : blocks) {
    index.emplace_back(rows.back().first, AppendBlock(rows, type, &file));
  }
  std::string footer = AppendBlock({}, 0, &file);
  footer += AppendBlock(index, 0, &file);
  footer.resize(40);
  AppendFixed(&footer, 0xDB4775248B80FB57ULL, 8);
  return file + footer;
}

std::string Field(int number, uint64_t value) {
  std::string text;
  AppendVarint(&text, static_cast<uint64_t>(number) << 3);
  AppendVarint(&text, value);
  return text;
}

std::string Field(int number, const std::string& message) {
  std::string text;
  AppendVarint(&text, static_cast<uint64_t>(number) << 3 | 2);
  AppendVarint(&text, message.size());
  return text + message;
}

struct Spec {
  std::vector<uint64_t> shape;
  uint64_t size = 0;
  std::string values;  // for the checksum
  std::vector<std::vector<std::pair<uint64_t, uint64_t>>> slices = {};
  uint64_t offset = 0;
  uint64_t type = 1;
};

std::string EntryText(const Spec& spec) {
  std::string text = Field(1, spec.type);
  std::string shape;
  for (const uint64_t size : spec.shape) shape += Field(2, Field(1, size));
  text += Field(2, shape) + Field(4, spec.offset) + Field(5, spec.size);
  AppendVarint(&text, 6 << 3 | 5);
  AppendFixed(&text, MaskCrc(Crc32c(spec.values)), 4);
  for (const auto& slice : spec.slices) {
    std::string extents;
    for (const auto& [start, length] : slice) {
      extents += Field(1, Field(1, start) + Field(2, length));
    }
    text += Field(7, extents);
  }
  return text;
}

class HandMadeTest : public ::testing::Test {
 protected:
  HandMadeTest() : folder_(MakeTempDirectory("bundle")) {
    WriteFileAtomically(prefix() + ".data-00000-of-00001", kValues);
  }
  ~HandMadeTest() override { RemoveTree(folder_); }

  std::string prefix() const { return JoinPath(folder_, "x"); }
  ExitCode ReadIndex(const std::string& index) const {
    WriteFileAtomically(prefix() + ".index", index);
    return Read(prefix());
  }
  ExitCode ReadEntries(const std::map<std::string, Spec>& entries) const {
    Rows rows = {{"", Field(1, 1)}};
    for (const auto& [name, spec] : entries) {
      rows.emplace_back(name, EntryText(spec));
    }
    return ReadIndex(MakeTable({rows}));
  }

  const std::string kValues = std::string(64, 'v');
  std::string folder_;
};

TEST_F(HandMadeTest, SeveralBlocks) {
  const std::string value = kValues.substr(0, 8);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", Field(1, 1)}},
                                 {{"a", EntryText({{2}, 8, value})}},
                                 {{"b", EntryText({{1, 2}, 8, value})}}})),
            ExitCode::kOk);
}

TEST_F(HandMadeTest, RefusesWhatIsNoTable) {
  const std::string header = Field(1, 1);
  EXPECT_EQ(ReadIndex(""), ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"a", header}}})), ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({})), ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", header}}}, 1)), ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", header}, {"b", ""}, {"a", ""}}})),
            ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", Field(1, 0)}}})), ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", header + Field(2, 1)}}})),
            ExitCode::kBadData);
  EXPECT_EQ(ReadIndex(MakeTable({{{"", header}, {"a", "\x08"}}})),
            ExitCode::kBadData);
}

// With right checksums: LevelDB itself would read beyond the block.
TEST_F(HandMadeTest, RefusesLengthsThatDoNotFit) {
  const auto index = [&](const std::string& entries, uint32_t first_restart,
                         uint32_t restarts, uint64_t size_of_block) {
    std::string block = entries;
    AppendFixed(&block, first_restart, 4);
    AppendFixed(&block, restarts, 4);
    std::string handle;
    AppendVarint(&handle, 0);
    AppendVarint(&handle, size_of_block == 0 ? block.size() : size_of_block);
    block.push_back('\0');
    std::string file = block;
    AppendFixed(&file, MaskCrc(Crc32c(block)), 4);
    std::string footer = AppendBlock({}, 0, &file);
    footer += AppendBlock({{"\xFF", handle}}, 0, &file);
    footer.resize(40);
    AppendFixed(&footer, 0xDB4775248B80FB57ULL, 8);
    return ReadIndex(file + footer);
  };
  const auto entry = [](uint64_t shared, uint64_t fresh, uint64_t length,
                        const std::string& bytes) {
    std::string text;
    AppendVarint(&text, shared);
    AppendVarint(&text, fresh);
    AppendVarint(&text, length);
    return text + bytes;
  };
  const std::string header = Field(1, 1);
  const std::string good = entry(0, 0, header.size(), header);
  EXPECT_EQ(index(good, 0, 1, 0), ExitCode::kOk);
  // Their sum is 1 in 32 bits.
  EXPECT_EQ(index(good + entry(0, 0xFFFFFFFFU, 2, "a"), 0, 1, 0),
            ExitCode::kBadData);
  EXPECT_EQ(index(good + entry(0, 2, 0, "a"), 0, 1, 0), ExitCode::kBadData);
  EXPECT_EQ(index(good + entry(9, 1, 0, "a"), 0, 1, 0), ExitCode::kBadData);
  EXPECT_EQ(index(good, 1, 1, 0), ExitCode::kBadData);
  EXPECT_EQ(index(good, 0, 0, 0), ExitCode::kBadData);
  EXPECT_EQ(index(good, 0, 1 << 30, 0), ExitCode::kBadData);
  EXPECT_EQ(index(good, 0, 1, ~0ULL - 2), ExitCode::kBadData);
  EXPECT_EQ(index(good, 0, 1, 1ULL << 62), ExitCode::kBadData);
}

TEST_F(HandMadeTest, RefusesImpossibleEntries) {
  const std::string value = kValues.substr(0, 8);
  EXPECT_EQ(ReadEntries({{"a", {{2}, 8, value}}}), ExitCode::kOk);
  // Size and shape disagree; products that overflow; negative sizes.
  EXPECT_EQ(ReadEntries({{"a", {{3}, 8, value}}}), ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{1ULL << 62, 16}, 8, value}}}),
            ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{1ULL << 62}, 8, value}}}), ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{~0ULL}, 8, value}}}), ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{2}, ~0ULL, value}}}), ExitCode::kBadData);
  // Beyond the file's end.
  EXPECT_EQ(ReadEntries({{"a", {{2}, 8, value, {}, 57}}}), ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{2}, 8, value, {}, (1ULL << 63) - 4}}}),
            ExitCode::kBadData);
  // A type that is not known.
  EXPECT_EQ(ReadEntries({{"a", {{2}, 8, value, {}, 0, 20}}}),
            ExitCode::kBadData);
}

TEST_F(HandMadeTest, RefusesPartsThatDoNotFit) {
  const std::string value = kValues.substr(0, 8);
  const std::string first = EncodeSliceKey("a", {{0}, {2}});
  const std::string second = EncodeSliceKey("a", {{2}, {2}});
  const Spec part = {{2}, 8, value};
  EXPECT_EQ(ReadEntries({{"a", {{4}, 0, "", {{{0, 2}}, {{2, 2}}}}},
                         {first, part},
                         {second, part}}),
            ExitCode::kOk);
  // One is missing, of another shape, twice there, outside, or leaves a gap.
  EXPECT_EQ(
      ReadEntries({{"a", {{4}, 0, "", {{{0, 2}}, {{2, 2}}}}}, {first, part}}),
      ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{4}, 0, "", {{{0, 2}}, {{2, 2}}}}},
                         {first, part},
                         {second, {{1}, 4, value.substr(4)}}}),
            ExitCode::kBadData);
  EXPECT_EQ(
      ReadEntries({{"a", {{4}, 0, "", {{{0, 2}}, {{0, 2}}}}}, {first, part}}),
      ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{3}, 0, "", {{{0, 2}}, {{2, 2}}}}},
                         {first, part},
                         {second, part}}),
            ExitCode::kBadData);
  EXPECT_EQ(ReadEntries({{"a", {{4}, 0, "", {{{0, 2}}}}}, {first, part}}),
            ExitCode::kBadData);
  EXPECT_EQ(
      ReadEntries({{"a", {{1ULL << 50}, 0, "", {{{0, 2}}}}}, {first, part}}),
      ExitCode::kBadData);
}

TEST(LatestBundlePrefixTest, FindsItWhereItWasMovedTo) {
  const std::string folder = MakeTempDirectory("latest");
  EXPECT_THROW(LatestBundlePrefix(folder), Error);
  const std::string state = JoinPath(folder, "checkpoint");
  WriteFileAtomically(JoinPath(folder, "model.ckpt-3.index"), "");
  WriteFileAtomically(state, "model_checkpoint_path: \"model.ckpt-3\"\n");
  EXPECT_EQ(LatestBundlePrefix(folder), JoinPath(folder, "model.ckpt-3"));
  WriteFileAtomically(state,
                      "model_checkpoint_path: \"/gone/model.ckpt-3\"\n"
                      "all_model_checkpoint_paths: \"/gone/model.ckpt-3\"\n");
  EXPECT_EQ(LatestBundlePrefix(folder), JoinPath(folder, "model.ckpt-3"));
  WriteFileAtomically(state, "nothing\n");
  EXPECT_THROW(LatestBundlePrefix(folder), Error);
  RemoveTree(folder);
}

}  // namespace
}  // namespace t2t
