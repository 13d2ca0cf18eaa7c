#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/rng.h"
#include "t2t/formats/example.h"
#include "t2t/formats/example_lengths.h"
#include "t2t/formats/shards.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/text/sentencepiece.h"

namespace t2t {
namespace {

// From TensorFlow itself (tools/golden/data.py).
const char kFolder[] = "tests/golden/data";

ExitCode CodeOf(const std::function<void()>& body,
                std::string* message = nullptr) {
  try {
    body();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return error.code();
  }
  return ExitCode::kOk;
}

std::vector<std::string> GoldenExamples() {
  std::vector<std::string> examples;
  const Json golden = Json::Parse(ReadFile(JoinPath(kFolder, "golden.json")));
  for (const Json& item : golden.At("examples").items()) {
    const std::string& hex = item.AsString();
    examples.emplace_back();
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
      examples.back().push_back(
          static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
  }
  return examples;
}

std::vector<std::string> ReadAll(const std::vector<std::string>& paths) {
  std::vector<std::string> records;
  std::string record;
  for (const std::string& path : paths) {
    TfRecordReader reader(path);
    while (reader.Next(&record)) records.push_back(record);
  }
  return records;
}

TEST(Example, AsTensorFlow) {
  for (const std::string& bytes : GoldenExamples()) {
    EXPECT_EQ(SerializeExample(ParseExample(bytes)), bytes);
  }
  const Example numbers = ParseExample(GoldenExamples()[1]);
  EXPECT_EQ(numbers.Ints("inputs"),
            (std::vector<int64_t>{1, 2, 3, 300, int64_t{1} << 40, -1, INT64_MIN,
                                  INT64_MAX}));
  const Example mixed = ParseExample(GoldenExamples()[2]);
  EXPECT_EQ(mixed.Floats("z"), (std::vector<float>{1.5F, -0.0F, 3.4e38F}));
  EXPECT_EQ(mixed.Strings("a"),
            (std::vector<std::string>{"", std::string("\xff\0text", 6)}));
  EXPECT_EQ(CodeOf([&] { mixed.Ints("z"); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { mixed.Ints("nothing"); }), ExitCode::kBadData);
  EXPECT_TRUE(mixed.Has("m"));
  EXPECT_TRUE(ParseExample("").features.empty());
}

TEST(Example, BytesAreWrittenAsIntegers) {
  Example bytes;
  bytes.features["x"] = std::vector<uint8_t>{0, 200, 255};
  Example ints;
  ints.features["x"] = std::vector<int64_t>{0, 200, 255};
  EXPECT_EQ(SerializeExample(bytes), SerializeExample(ints));
  EXPECT_EQ(IntegersOf(bytes.features.at("x")), ints.Ints("x"));
  EXPECT_TRUE(IntegersOf(std::vector<float>{1}).empty());
  EXPECT_EQ(CodeOf([&] { bytes.Ints("x"); }), ExitCode::kBadData);
}

// A length-delimited field.
std::string Field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2),
                     static_cast<char>(bytes.size())} +
         bytes;
}

TEST(Example, TakesWhatProtobufTakes) {
  const auto with_feature = [](const std::string& feature) {
    return Field(1, Field(1, Field(1, "x") + Field(2, feature)));
  };
  // Numbers one by one, and packed in two parts.
  const std::string unpacked("\x08\x05\x08\x96\x01", 5);
  EXPECT_EQ(
      ParseExample(with_feature(Field(3, unpacked + Field(1, "\x07\x08"))))
          .Ints("x"),
      (std::vector<int64_t>{5, 150, 7, 8}));
  const std::string one_float("\x0d\x00\x00\xc0\x3f", 5);
  EXPECT_EQ(ParseExample(with_feature(Field(2, one_float))).Floats("x"),
            std::vector<float>{1.5F});
  // Unknown fields of every kind are skipped.
  const std::string unknown =
      std::string("\x50\x01", 2) + std::string("\x51", 1) +
      std::string(8, 'x') + Field(10, "skipped") + std::string("\x55", 1) +
      std::string(4, 'x') + std::string("\x53\x50\x01\x5b\x5c\x54", 6);
  EXPECT_EQ(ParseExample(unknown + with_feature(unknown + Field(3, unpacked)) +
                         unknown)
                .Ints("x"),
            (std::vector<int64_t>{5, 150}));
  // The last kind of list counts, and the last feature of a name.
  EXPECT_EQ(ParseExample(with_feature(Field(1, "") + Field(3, unpacked)))
                .Ints("x")
                .size(),
            2u);
  EXPECT_TRUE(ParseExample(with_feature(Field(3, unpacked)) +
                           with_feature(Field(3, "")))
                  .Ints("x")
                  .empty());
  // A known field's number with a type that is not its own is unknown, too.
  EXPECT_TRUE(ParseExample("\x08\x01").features.empty());
  // A feature without a list is not there.
  EXPECT_FALSE(ParseExample(with_feature("")).Has("x"));
}

// That the lengths alone are those of the whole.
void ExpectLengths(const std::string& bytes) {
  using Kind = FeatureLength::Kind;
  const Example example = ParseExample(bytes);
  ExampleLengths lengths;
  lengths.Read(bytes);
  EXPECT_EQ(lengths.features().size(), example.features.size());
  for (const auto& [name, feature] : example.features) {
    const FeatureLength* const length = lengths.Find(name);
    ASSERT_NE(length, nullptr) << name;
    EXPECT_EQ(length->kind, (std::vector{Kind::kIntegers, Kind::kFloats,
                                         Kind::kStrings})[feature.index()]);
    EXPECT_EQ(length->count, std::visit(
                                 [](const auto& values) {
                                   return static_cast<int64_t>(values.size());
                                 },
                                 feature))
        << name;
  }
}

TEST(ExampleLengths, ThoseOfTheWhole) {
  for (const std::string& bytes : GoldenExamples()) ExpectLengths(bytes);
  ExpectLengths("");
  const auto with = [](const std::string& name, const std::string& feature) {
    return Field(1, Field(1, Field(1, name) + Field(2, feature)));
  };
  const std::string unpacked("\x08\x05\x08\x96\x01", 5);
  const std::string packed = Field(1, std::string("\x07\x80\x01\x08", 4));
  const std::string float_twice =
      std::string("\x0d\x00\x00\xc0\x3f", 5) + Field(1, "abcdefgh");
  const std::string unknown =
      std::string("\x50\x01", 2) + std::string("\x51", 1) +
      std::string(8, 'x') + Field(10, "skipped") + std::string("\x55", 1) +
      std::string(4, 'x') + std::string("\x53\x50\x01\x5b\x5c\x54", 6);
  ExpectLengths(with("x", Field(3, unpacked + packed)));
  ExpectLengths(with("x", Field(3, unpacked) + Field(3, packed)));
  ExpectLengths(with("x", Field(3, "")));
  ExpectLengths(with("x", Field(2, float_twice)) + with("y", ""));
  ExpectLengths(unknown + with("x", unknown + Field(3, unknown + packed)) +
                unknown);
  // The last kind of list counts, and the last feature of a name.
  ExpectLengths(with("x", Field(1, Field(1, "a")) + Field(3, unpacked)));
  ExpectLengths(with("x", Field(3, unpacked)) + with("x", Field(1, "")));
  ExpectLengths(with("x", Field(3, unpacked)) + with("x", ""));
  ExpectLengths("\x08\x01");
}

TEST(ExampleLengths, EveryCutIsFound) {
  ExampleLengths lengths;
  for (const std::string& bytes : GoldenExamples()) {
    for (size_t size = 1; size < bytes.size(); ++size) {
      EXPECT_EQ(CodeOf([&] { lengths.Read(bytes.substr(0, size)); }),
                ExitCode::kBadData)
          << size;
    }
  }
}

// libsentencepiece.so has another version of Protobuf in it, and exports it.
TEST(Example, IsReadAndWrittenBesideSentencePiece) {
  const std::string bytes = GoldenExamples()[2];
  EXPECT_EQ(SerializeExample(ParseExample(bytes)), bytes);
  const auto encoder =
      SentencePieceTextEncoder::Load(JoinPath(kFolder, "spm_t2t.model"));
  const std::vector<int64_t> ids = encoder->Encode("a man");
  EXPECT_EQ(encoder->Decode(ids), "a man");
  EXPECT_EQ(SerializeExample(ParseExample(bytes)), bytes);
  EXPECT_EQ(encoder->Encode("a man"), ids);
}

TEST(Example, EveryCutIsFound) {
  // A cut between whole fields is a shorter message, which protobuf allows at
  // the top alone; inside the one top field any cut shows.
  for (const std::string& bytes : GoldenExamples()) {
    for (size_t size = 1; size < bytes.size(); ++size) {
      EXPECT_EQ(CodeOf([&] { ParseExample(bytes.substr(0, size)); }),
                ExitCode::kBadData)
          << size;
    }
  }
}

TEST(Example, BadBytes) {
  const std::vector<std::string> bad = {
      std::string("\x00\x00", 2),  // field number 0
      "\x0f",                      // wire type 7
      "\x0c",                      // a group's end alone
      "\x53\x54\x5c",              // group 10 ended as 11
      "\x50\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
      std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),
      Field(1, Field(1, Field(2, Field(2, Field(1, "abc"))))),  // 3/4 float
      Field(1, Field(1, Field(2, Field(3, Field(1, "\x80"))))),
      std::string(1000, '\x53'),  // groups in groups
  };
  for (const std::string& bytes : bad) {
    EXPECT_EQ(CodeOf([&] { ParseExample(bytes); }), ExitCode::kBadData)
        << testing::PrintToString(bytes);
  }
}

TEST(TfRecord, AsTensorFlow) {
  const std::string path = JoinPath(kFolder, "five.tfrecord");
  EXPECT_EQ(ReadAll({path}), GoldenExamples());
  const std::string copy = JoinPath(MakeTempDirectory("record"), "copy");
  TfRecordWriter writer(copy);
  std::string appended;
  for (const std::string& record : GoldenExamples()) {
    writer.Write(record);
    AppendTfRecord(record, &appended);
  }
  EXPECT_FALSE(Exists(copy));
  writer.Commit();
  EXPECT_EQ(writer.count(), 5);
  EXPECT_EQ(ReadFile(copy), ReadFile(path));
  EXPECT_EQ(appended, ReadFile(path));
}

TEST(TfRecord, SeeksAndSkips) {
  TfRecordReader reader(JoinPath(kFolder, "five.tfrecord"));
  const std::vector<std::string> records = GoldenExamples();
  std::string record;
  ASSERT_TRUE(reader.Next(&record));
  ASSERT_TRUE(reader.Skip());
  const int64_t third = reader.offset();
  ASSERT_TRUE(reader.Next(&record));
  EXPECT_EQ(record, records[2]);
  ASSERT_TRUE(reader.Skip());
  ASSERT_TRUE(reader.Skip());
  EXPECT_FALSE(reader.Next(&record));
  EXPECT_FALSE(reader.Skip());
  reader.Seek(third);
  ASSERT_TRUE(reader.Next(&record));
  EXPECT_EQ(record, records[2]);
  EXPECT_EQ(CodeOf([&] { reader.Seek(1 << 30); }), ExitCode::kBadData);
  EXPECT_EQ(CodeOf([&] { reader.Seek(-1); }), ExitCode::kBadData);
}

TEST(TfRecord, EveryCutAndEveryFlippedBitIsFound) {
  std::string bytes;
  std::vector<size_t> ends = {0};
  for (const std::string record : {"first", "", "the third record"}) {
    AppendTfRecord(record, &bytes);
    ends.push_back(bytes.size());
  }
  const std::string path = JoinPath(MakeTempDirectory("damage"), "records");
  const auto read_file = [&](const std::string& contents) {
    std::ofstream(path, std::ios::binary) << contents;
    return ReadAll({path}).size();
  };
  const auto read_bytes = [&](const std::string& contents) {
    size_t offset = 0;
    size_t count = 0;
    std::string_view record;
    while (NextTfRecord(contents, &offset, path, &record)) ++count;
    return count;
  };
  EXPECT_EQ(read_file(bytes), 3u);
  EXPECT_EQ(read_bytes(bytes), 3u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    if (std::count(ends.begin(), ends.end(), size) > 0) {
      EXPECT_LT(read_file(cut), 3u);
      continue;
    }
    std::string message;
    EXPECT_EQ(CodeOf([&] { read_file(cut); }, &message), ExitCode::kBadData);
    EXPECT_NE(message.find(path), std::string::npos);
    const size_t start =
        *(std::upper_bound(ends.begin(), ends.end(), size) - 1);
    EXPECT_NE(message.find("byte " + std::to_string(start) + " "),
              std::string::npos)
        << message;
    std::string same;
    EXPECT_EQ(CodeOf([&] { read_bytes(cut); }, &same), ExitCode::kBadData);
    EXPECT_EQ(message, same);
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(CodeOf([&] { read_bytes(flipped); }), ExitCode::kBadData) << bit;
    if (bit % 7 == 0) {
      EXPECT_EQ(CodeOf([&] { read_file(flipped); }), ExitCode::kBadData);
    }
  }
}

TEST(TfRecord, MissingFile) {
  EXPECT_EQ(CodeOf([] { TfRecordReader("/no/such/file"); }),
            ExitCode::kMissing);
  EXPECT_EQ(CodeOf([] { TfRecordReader("/tmp"); }), ExitCode::kIo);
  EXPECT_EQ(CodeOf([] { TfRecordWriter("/no/such/folder/file"); }),
            ExitCode::kMissing);
}

TEST(Shards, Names) {
  EXPECT_EQ(ShardPath("/data", "translate_x", "train", 7, 100),
            "/data/translate_x-train-00007-of-00100");
  EXPECT_EQ(ShardPaths("", "p", "dev", 1),
            std::vector<std::string>{"p-dev-00000-of-00001"});
}

TEST(Shards, Find) {
  const std::string dir = MakeTempDirectory("find");
  EXPECT_EQ(CodeOf([&] { FindShards(dir, "p", "train"); }), ExitCode::kMissing);
  EXPECT_EQ(CodeOf([&] { FindShards(dir + "/no", "p", "train"); }),
            ExitCode::kMissing);
  const std::vector<std::string> paths = ShardPaths(dir, "p", "train", 3);
  for (const std::string& path : paths) WriteFileAtomically(path, "");
  // Other problems, splits and unfinished files do not count.
  WriteFileAtomically(JoinPath(dir, "p2-train-00000-of-00009"), "");
  WriteFileAtomically(JoinPath(dir, "p-train-00003-of-00004.tmp-12"), "");
  WriteFileAtomically(JoinPath(dir, "p-trainer-00000-of-00001"), "");
  EXPECT_EQ(FindShards(dir, "p", "train"), paths);
  EXPECT_EQ(CodeOf([&] { FindShards(dir, "p", "dev"); }), ExitCode::kMissing);
  std::string message;
  RemoveFile(paths[1]);
  EXPECT_EQ(CodeOf([&] { FindShards(dir, "p", "train"); }, &message),
            ExitCode::kBadData);
  EXPECT_NE(message.find("p-train-00001-of-00003"), std::string::npos);
  WriteFileAtomically(paths[1], "");
  RemoveFile(paths[2]);
  EXPECT_EQ(CodeOf([&] { FindShards(dir, "p", "train"); }), ExitCode::kBadData);
  WriteFileAtomically(paths[2], "");
  WriteFileAtomically(ShardPath(dir, "p", "train", 0, 2), "");
  EXPECT_EQ(CodeOf([&] { FindShards(dir, "p", "train"); }), ExitCode::kBadData);
}

TEST(ShardedWriter, DealsInTurn) {
  const std::string dir = MakeTempDirectory("deal");
  const std::vector<std::string> paths = ShardPaths(dir, "p", "train", 2);
  {
    ShardedWriter dropped(paths);
    dropped.Write("x");
  }
  EXPECT_TRUE(ListDirectory(dir).empty());
  ShardedWriter writer(paths, 2);
  for (int i = 0; i < 7; ++i) writer.Write(std::to_string(i));
  writer.Commit();
  EXPECT_EQ(writer.count(), 7);
  EXPECT_EQ(ReadAll({paths[0]}),
            (std::vector<std::string>{"0", "1", "4", "5"}));
  EXPECT_EQ(ReadAll({paths[1]}), (std::vector<std::string>{"2", "3", "6"}));
  EXPECT_EQ(CodeOf([] { ShardedWriter({}); }), ExitCode::kUsage);
}

TEST(ShuffledShardWriter, SameOrderWhateverTheMemory) {
  const std::string dir = MakeTempDirectory("shuffle");
  std::vector<std::string> written;
  for (int i = 0; i < 1000; ++i) written.push_back(std::to_string(i));
  const auto shuffled = [&](uint64_t seed, int64_t memory) {
    const std::vector<std::string> paths = ShardPaths(dir, "p", "train", 3);
    ShuffledShardWriter writer(paths, seed, memory);
    for (const std::string& record : written) writer.Write(record);
    writer.Commit();
    EXPECT_EQ(writer.count(), 1000);
    return ReadAll(paths);
  };
  std::vector<std::string> first = shuffled(1, 1 << 20);
  EXPECT_EQ(first, shuffled(1, 5000));
  EXPECT_EQ(first, shuffled(1, 200));
  EXPECT_NE(first, shuffled(2, 5000));
  EXPECT_NE(first, written);
  // Nothing temporary stays.
  EXPECT_EQ(ListDirectory(dir).size(), 3u);

  // And the same through files.
  const std::string from = JoinPath(dir, "from");
  TfRecordWriter writer(from);
  for (const std::string& record : written) writer.Write(record);
  writer.Commit();
  const std::vector<std::string> to = ShardPaths(dir, "q", "dev", 3);
  ShuffleShards({from}, to, 1, 4000);
  EXPECT_EQ(ReadAll(to), first);

  std::sort(first.begin(), first.end());
  std::sort(written.begin(), written.end());
  EXPECT_EQ(first, written);
}

TEST(ShuffledShardWriter, LeavesNothingWithoutCommit) {
  const std::string dir = MakeTempDirectory("dropped");
  {
    ShuffledShardWriter writer(ShardPaths(dir, "p", "train", 2), 1, 100);
    for (int i = 0; i < 50; ++i) writer.Write("record");
    // What waits has no name: a killed process leaves nothing either.
    EXPECT_TRUE(ListDirectory(dir).empty());
  }
  EXPECT_TRUE(ListDirectory(dir).empty());
}

}  // namespace
}  // namespace t2t
