#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/json_file.h"
#include "t2t/base/plural.h"
#include "t2t/base/range.h"
#include "t2t/base/registry.h"
#include "t2t/base/rng.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/base/terminal.h"

namespace t2t {
namespace {

TEST(StringsTest, SnakeCaseAsT2T) {
  EXPECT_EQ(CamelToSnake("TransformerBase"), "transformer_base");
  EXPECT_EQ(CamelToSnake("TranslateEndeWmt32k"), "translate_ende_wmt32k");
  EXPECT_EQ(CamelToSnake("ImageMnist"), "image_mnist");
  EXPECT_EQ(CamelToSnake("LSTMSeq2seq"), "lstm_seq2seq");
}

TEST(StringsTest, DidYouMean) {
  EXPECT_EQ(DidYouMean("transfromer", {"transformer", "lstm"}),
            "did you mean 'transformer'?");
  EXPECT_EQ(DidYouMean("zzzzzz", {"transformer", "lstm"}), "");
}

TEST(JsonFileTest, EveryErrorNamesTheFile) {
  const std::string path = JoinPath(MakeTempDirectory("json"), "x.json");
  const auto look = [](const Json& json) { return json.At("a").AsInt(); };
  const auto message = [&] {
    try {
      ReadJsonFile(path, look);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(), testing::HasSubstr(path));  // there is none
  for (const char* const damaged : {"", "{\"a\": 1", "{}", "{\"a\": \"b\"}"}) {
    WriteFileAtomically(path, damaged);
    EXPECT_THAT(message(), testing::HasSubstr(path + ": ")) << damaged;
  }
  WriteFileAtomically(path, "{\"a\": 7}");
  EXPECT_EQ(ReadJsonFile(path, look), 7);
}

// FIPS 180-4's examples, and lengths about the end of a block (by Python).
TEST(Sha256Test, KnownValues) {
  EXPECT_EQ(Sha256(""),
            "e3b0c44298fc1c149afbf4c8996fb924"
            "27ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223"
            "b00361a396177a9cb410ff61f20015ad");
  const std::pair<size_t, std::string> repeated[] = {
      {55,
       "9f4390f8d30c2dd92ec9f095b65e2b9a"
       "e9b0a925a5258e241c9f1e910f734318"},
      {56,
       "b35439a4ac6f0948b6d6f9e3c6af0f5f"
       "590ce20f1bde7090ef7970686ec6738a"},
      {63,
       "7d3e74a05d7db15bce4ad9ec0658ea98"
       "e3f06eeecf16b4c6fff2da457ddc2f34"},
      {64,
       "ffe054fe7ae0cb6dc65c3af9b61d5209"
       "f439851db43d0ba5997337df154668eb"},
      {119,
       "31eba51c313a5c08226adf18d4a359cf"
       "dfd8d2e816b13f4af952f7ea6584dcfb"},
      {120,
       "2f3d335432c70b580af0e8e1b3674a7c"
       "020d683aa5f73aaaedfdc55af904c21c"},
      {1000,
       "41edece42d63e8d9bf515a9ba6932e1c"
       "20cbc9f5a5d134645adb5db1b9737ea3"},
  };
  for (const auto& [count, digits] : repeated) {
    EXPECT_EQ(Sha256(std::string(count, 'a')), digits) << count;
  }
}

TEST(JsonTest, RoundTrip) {
  const std::string text =
      R"({"a": [1, 2.5, -3e-05], "b": {"c": null}, "d": "x\n\u00e9\"", "e": true})";
  const Json json = Json::Parse(text);
  EXPECT_EQ(Json::Parse(json.ToString(2)).ToString(), json.ToString());
  EXPECT_EQ(json.At("d").AsString(), "x\n\xC3\xA9\"");
  EXPECT_TRUE(json.At("a").items()[0].is_int());
}

TEST(JsonTest, BadTextIsRefused) {
  for (const char* text : {"", "{", "[1,]", "01", "1.", "\"", "\"\\x\"", "nul",
                           "{} {}", "{\"a\" 1}", "\"\n\"", "-"}) {
    EXPECT_THROW(Json::Parse(text), Error) << text;
  }
  EXPECT_THROW(Json::Parse(std::string(100000, '[')), Error);
}

TEST(FlagsTest, ParsesAllForms) {
  std::string name;
  int64_t steps = 10;
  bool fast = true;
  Flags flags("test", "test --steps=1");
  flags.Add("name", &name, "a name");
  flags.Add("steps", &steps, "steps", Range::AnyInt());
  flags.Add("fast", &fast, "fast");
  const char* argv[] = {"t", "--name=x", "--steps", "-5", "--nofast", "rest"};
  EXPECT_THAT(flags.Parse(6, const_cast<char**>(argv)),
              testing::ElementsAre("rest"));
  EXPECT_EQ(name, "x");
  EXPECT_EQ(steps, -5);
  EXPECT_FALSE(fast);
  flags.AddIgnored("gpu", "there is none");
  const char* ignored[] = {"t", "--gpu", "1", "--steps=7", "rest"};
  EXPECT_THAT(flags.Parse(5, const_cast<char**>(ignored)),
              testing::ElementsAre("rest"));
  EXPECT_EQ(steps, 7);
  const char* bad[] = {"t", "--nam=x"};
  EXPECT_THROW(flags.Parse(2, const_cast<char**>(bad)), Error);
}

TEST(Crc32cTest, KnownValues) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), 0xE3069283U);
  EXPECT_EQ(UnmaskCrc(MaskCrc(12345)), 12345U);
}

TEST(FsTest, AtomicWrite) {
  const std::string folder = MakeTempDirectory("fs");
  const std::string path = JoinPath(folder, "file");
  WriteFileAtomically(path, "one");
  {
    AtomicWriter writer(path);
    writer.Write("two");
  }
  EXPECT_EQ(ReadFile(path), "one");
  EXPECT_EQ(ListDirectory(folder).size(), 1U);
  EXPECT_EQ(MappedFile(path).data(), "one");
  EXPECT_THROW(ReadFile(JoinPath(folder, "none")), Error);
  EXPECT_THROW(ReadFile(folder), Error);
}

TEST(RngTest, SameEverywhere) {
  Rng rng(1);
  const uint64_t first = rng.Next();
  EXPECT_EQ(Rng(1).Next(), first);
  Rng again(1, 1);
  EXPECT_EQ(again.Next(), rng.Next());
  EXPECT_EQ(Rng::Combine(1, "a"), Rng::Combine(1, "a"));
  EXPECT_NE(Rng::Combine(1, "a"), Rng::Combine(1, "b"));
}

TEST(PluralTest, CountsThings) {
  EXPECT_EQ(Count(1, "step"), "1 step");
  EXPECT_EQ(Count(0, "step"), "0 steps");
  EXPECT_EQ(Count(2, "batch"), "2 batches");
  EXPECT_EQ(Count(3, "entry"), "3 entries");
  EXPECT_EQ(Count(3, "key"), "3 keys");
  EXPECT_EQ(Count(2, "loss"), "2 losses");
}

TEST(TerminalTest, ClipsWholeCharacters) {
  EXPECT_EQ(ClipText("step 1", 80), "step 1");
  EXPECT_EQ(ClipText("step 1", 4), "step");
  EXPECT_EQ(ClipText("\u00e4\u00f6\u00fc", 2), "\u00e4\u00f6");
  EXPECT_EQ(ClipText("step", 0), "");
}

TEST(TerminalTest, WrapsHelp) {
  const std::string text =
      "Does what it is told.\n\nexample:\n"
      "  program --one=1 --two=2 --three=3\n\nflags:\n"
      "  --one=1\n      The number of the first thing.\n";
  EXPECT_EQ(WrapHelp(text, 80), text);
  EXPECT_EQ(WrapHelp(text, 24),
            "Does what it is told.\n\nexample:\n"
            "  program --one=1 \\\n      --two=2 --three=3\n\nflags:\n"
            "  --one=1\n      The number of the\n      first thing.\n");
  // What has no blank stays whole.
  EXPECT_EQ(WrapHelp("  --" + std::string(50, 'x') + "\n", 24),
            "  --" + std::string(50, 'x') + "\n");
  EXPECT_EQ(TerminalWidth(-1), 80);
}

TEST(RunMainDeathTest, FullDiskBehindTheStandardOutput) {
  char name[] = "/bin/program";
  char* argv[] = {name, nullptr};
  const auto run = [&](int (*body)(int, char**)) {
    if (std::freopen("/dev/full", "w", stdout) == nullptr) std::exit(99);
    std::exit(RunMain(1, argv, body));
  };
  EXPECT_EXIT(run([](int, char**) { return std::puts("text") < 0 ? 98 : 0; }),
              testing::ExitedWithCode(5),
              "program: can't write to the standard output: No space left");
  EXPECT_EXIT(run([](int, char**) { return 0; }), testing::ExitedWithCode(0),
              "");
}

TEST(RegistryTest, NameTakenTwiceIsAUsageErrorThatNamesBothPlaces) {
  Registry<int()> registry("thing");
  registry.Add("one", [] { return 1; });
  const int first = __LINE__ - 1;
  try {
    registry.Add("one", [] { return 2; });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    const std::string file = __FILE__;
    EXPECT_THAT(
        error.what(),
        testing::HasSubstr("thing 'one' is registered twice: at " + file + ":" +
                           std::to_string(first) + " and at " + file + ":" +
                           std::to_string(first + 3)));
  }
  EXPECT_EQ(registry.Get("one")(), 1);
}

TEST(RegistryTest, AfterStartUpNothingIsAdded) {
  Registry<int()> registry("thing");
  registry.Add("one", [] { return 1; });
  registry.Freeze();
  EXPECT_THROW(registry.Add("two", [] { return 2; }), Error);
  EXPECT_EQ(registry.Names(), std::vector<std::string>{"one"});
}

}  // namespace
}  // namespace t2t
