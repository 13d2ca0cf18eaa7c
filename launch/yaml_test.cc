#include "launch/yaml.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/rng.h"

namespace t2t {
namespace {

std::string Compact(std::string_view yaml) {
  return ParseYaml(yaml).ToString();
}

TEST(YamlTest, WritesBlocksInOrder) {
  const Json value = Json::Parse(
      R"({"kind": "Job", "spec": {"args": ["--a=b", "-x", "1"], "n": 2,
          "empty": {}, "none": [], "deep": [{"a": 1, "b": [{"c": 2}]}]}})");
  EXPECT_EQ(ToYaml(value),
            "kind: Job\n"
            "spec:\n"
            "  args:\n"
            "  - --a=b\n"
            "  - \"-x\"\n"
            "  - \"1\"\n"
            "  \"n\": 2\n"
            "  empty: {}\n"
            "  none: []\n"
            "  deep:\n"
            "  - a: 1\n"
            "    b:\n"
            "    - c: 2\n");
  EXPECT_EQ(Compact(ToYaml(value)), value.ToString());
}

TEST(YamlTest, QuotesWhatSomeReaderTakesForSomethingElse) {
  for (const char* const text :
       {"yes",  "No",  "on",    "OFF",        "y",    "null", "~",
        "1",    "1e5", "0x1F",  "1:30",       ".5",   "-",    "a: b",
        "a #b", "#a",  "[a",    "{a}",        "*a",   "&a",   "!a",
        "%a",   "@a",  "`a",    "a:",         "",     " a",   "a ",
        "'a'",  "\"",  "\\",    "2024-01-01", "---",  "...",  "? a",
        "<<",   "=",   "+.inf", "{{ x }}",    "$(X)", "|",    ">"}) {
    const std::string yaml = YamlScalar(text);
    EXPECT_EQ(yaml[0], '"') << text;
    EXPECT_EQ(ParseYaml(yaml).AsString(), text);
  }
  for (const char* const text :
       {"transformer", "/t2t/data", "--model=transformer", "a.b/c-d_e", "Job",
        "--x=/a:b"}) {
    EXPECT_EQ(YamlScalar(text), text);
    EXPECT_EQ(ParseYaml(text).AsString(), text);
  }
}

TEST(YamlTest, EveryStringComesBack) {
  Rng rng(1);
  const std::vector<std::string> pieces = {"\n",
                                           "\"",
                                           "'",
                                           "\\",
                                           ": ",
                                           " #",
                                           "- ",
                                           "{{",
                                           "}}",
                                           "$(",
                                           ")",
                                           "a",
                                           "b ",
                                           " ",
                                           "\t",
                                           "\r",
                                           "---",
                                           "|",
                                           "\xC3\xA4",
                                           "\xE2\x80\xA8",
                                           "\xF0\x9F\x98\x80",
                                           std::string(1, '\0'),
                                           "\x7F",
                                           "\xC2\x85",
                                           "\xEF\xBB\xBF",
                                           "%",
                                           "&",
                                           "key: value\n",
                                           "\n  - x\n",
                                           "\n---\n",
                                           "0"};
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (uint64_t n = rng.Below(8); n > 0; --n) {
      text += pieces[rng.Below(pieces.size())];
    }
    Json inner = Json::Object();
    inner.Set("text", Json(text));
    inner.Set(text, Json("after"));
    Json items = Json::Array();
    items.Append(Json(text));
    items.Append(inner);
    Json value = Json::Object();
    value.Set("items", items);
    value.Set("last", Json(text));
    const std::string yaml = ToYaml(value);
    ASSERT_EQ(ParseYaml(yaml).ToString(), value.ToString()) << yaml;
    ASSERT_EQ(ToYaml(ParseYaml(yaml)), yaml);
  }
}

TEST(YamlTest, AMegabyteStaysOneString) {
  std::string text;
  while (text.size() < (1 << 20)) text += "x\"\n'{{ }} $(A) \\ ";
  Json value = Json::Object();
  value.Set("env", Json(text));
  EXPECT_EQ(ParseYaml(ToYaml(value)).At("env").AsString(), text);
}

TEST(YamlTest, ScriptsAreLiteralBlocks) {
  Json value = Json::Object();
  value.Set("script", Json("set -e\n\n  run\nend\n"));
  value.Set("bare", Json("a\nb"));
  EXPECT_EQ(ToYaml(value),
            "script: |\n  set -e\n\n    run\n  end\nbare: |-\n  a\n  b\n");
  EXPECT_EQ(ParseYaml(ToYaml(value)).ToString(), value.ToString());
}

TEST(YamlTest, Numbers) {
  Json value = Json::Array();
  for (const double number : {1e-9, 0.5, 2.0, 1e22, -3.25e-7}) {
    value.Append(Json(number));
  }
  EXPECT_EQ(ToYaml(value), "- 1.0e-09\n- 0.5\n- 2.0\n- 1.0e+22\n- -3.25e-07\n");
  EXPECT_EQ(ParseYaml(ToYaml(value)).ToString(), value.ToString());
}

TEST(YamlTest, ReadsWhatHandsWrite) {
  EXPECT_EQ(Compact("# a comment\n"
                    "name: ende   # another\n"
                    "\n"
                    "params:\n"
                    "  workers: 8\n"
                    "  hparams: 'a=1,b=[2]'\n"
                    "  list: [a, \"b c\", 3]\n"
                    "  map: {x: 1, y: {z: [ ]},}\n"
                    "  wide: [a,\n"
                    "    b]  # end\n"
                    "  items:\n"
                    "    - one\n"
                    "    -   two: 2\n"
                    "        three: 3\n"
                    "    -\n"
                    "      four\n"
                    "  url: http://x/y\n"
                    "  none:\n"
                    "  it: 'isn''t'\n"
                    "  folded: >-\n"
                    "    a\n"
                    "    b\n"
                    "\n"
                    "    c\n"
                    "last: yes\r\n"),
            R"({"name": "ende", "params": {"workers": 8, )"
            R"("hparams": "a=1,b=[2]", "list": ["a", "b c", 3], )"
            R"("map": {"x": 1, "y": {"z": []}}, "wide": ["a", "b"], )"
            R"("items": ["one", {"two": 2, "three": 3}, "four"], )"
            R"("url": "http://x/y", "none": null, "it": "isn't", )"
            R"("folded": "a b\nc"}, "last": "yes"})");
  EXPECT_EQ(Compact(R"({"a": [1, 2.5, true, null], "b": "\ud83d\ude00"})"),
            "{\"a\": [1, 2.5, true, null], \"b\": \"\xF0\x9F\x98\x80\"}");
  EXPECT_TRUE(ParseYaml("").is_null());
  EXPECT_TRUE(ParseYaml("# nothing\n").is_null());
}

TEST(YamlTest, Streams) {
  const std::vector<Json> documents =
      ParseYamlStream("---\na: 1\n---\n- b\n- c\n---\n\"x\"\n...\n");
  ASSERT_EQ(documents.size(), 3);
  EXPECT_EQ(documents[1].ToString(), R"(["b", "c"])");
  EXPECT_EQ(ToYamlStream(documents), "a: 1\n---\n- b\n- c\n---\nx\n");
  EXPECT_THROW(ParseYaml("a: 1\n---\nb: 2\n"), Error);
}

TEST(YamlTest, RefusesAndNamesTheLine) {
  const auto message = [](std::string_view yaml) -> std::string {
    try {
      return "read as " + ParseYaml(yaml).ToString();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      return error.what();
    }
  };
  const auto line = [&](std::string_view yaml, int number) {
    const std::string text = message(yaml);
    EXPECT_NE(text.find("line " + std::to_string(number) + ":"),
              std::string::npos)
        << yaml << "\n"
        << text;
  };
  line("a: 1\na: 2\n", 2);
  line("a: 1\n b: 2\n", 2);
  line("a:\n  b: 1\n c: 2\n", 3);
  line("a:\n\tb: 1\n", 2);
  line("a: &x 1\n", 1);
  line("a: !!str 1\n", 1);
  line("a: [1, 2\n", 1);
  line("a: \"x\n", 1);
  line("a: b: c\n", 1);
  line("a: b\n  c\n", 2);
  line("a: 0755\n", 1);
  line("- a\nb: 1\n", 2);
  line("a: 1\njust text\n", 2);
  line("a: \"\\q\"\n", 1);
  line("a: \"x\" y\n", 1);
  line(std::string(300, '['), 1);
  EXPECT_NE(message("a: \xFF\n").find("UTF-8"), std::string::npos);
  EXPECT_THROW(ToYaml(Json("\xC3")), Error);
  EXPECT_THROW(ToYaml(Json("\xED\xA0\x80")), Error);
}

}  // namespace
}  // namespace t2t
