#include "launch/render/yaml.h"

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
  // A backslash before an escape is no part of it.
  EXPECT_EQ(Compact(R"(["\\ud83d", "\\\ud83d\ude00"])"),
            "[\"\\\\ud83d\", \"\\\\\xF0\x9F\x98\x80\"]");
  EXPECT_EQ(Compact("- what?\n- is: a?\n"), "[\"what?\", {\"is\": \"a?\"}]");
  EXPECT_TRUE(ParseYaml("").is_null());
  EXPECT_TRUE(ParseYaml("# nothing\n").is_null());
}

// The examples are those of the YAML 1.2 specification, by their numbers.
TEST(YamlTest, QuotedTextGoesOverSeveralLines) {
  const auto text = [](std::string_view yaml) {
    return ParseYaml(yaml).AsString();
  };
  // 7.5
  EXPECT_EQ(text("\"folded \nto a space,\t\n \nto a line feed, or \t\\\n"
                 " \\ \tnon-content\"\n"),
            "folded to a space,\nto a line feed, or \t \tnon-content");
  // 7.6, 7.9
  const std::string lines =
      " 1st non-empty\n\n 2nd non-empty \n\t3rd non-empty ";
  const std::string read = " 1st non-empty\n2nd non-empty 3rd non-empty ";
  EXPECT_EQ(text('"' + lines + "\"\n"), read);
  EXPECT_EQ(text('\'' + lines + "'\n"), read);
  EXPECT_EQ(text("\"a\\\n\n\n  b\""), "a\n\nb");
  EXPECT_EQ(text("\"  \n  a\n  \""), " a ");
  EXPECT_EQ(text("\"a\\ \r\n\r\n b\""), "a \nb");
  EXPECT_EQ(text("'\\\n ''\n'"), "\\ ' ");
  // 5.13's
  EXPECT_EQ(text("\"\\N\\_\\L\\P\\\t\\x41\""),
            "\xC2\x85\xC2\xA0\xE2\x80\xA8\xE2\x80\xA9\tA");
  EXPECT_EQ(Compact("- \"a\n  b\" # c\n- 'it''s\n\n  three'\n- k: \"d\n\n"
                    "\n    e\"\n  l: 1\n"),
            R"(["a b", "it's\nthree", {"k": "d\n\ne", "l": 1}])");
  EXPECT_EQ(Compact("'it''s': x\n\"a\\\"b\" : y\n"),
            R"({"it's": "x", "a\"b": "y"})");
}

TEST(YamlTest, PlainTextGoesOverSeveralLines) {
  // 7.12
  EXPECT_EQ(ParseYaml("1st non-empty\n\n 2nd non-empty \n\t3rd non-empty\n")
                .AsString(),
            "1st non-empty\n2nd non-empty 3rd non-empty");
  EXPECT_EQ(Compact("a: plain text that\n"
                    "  goes on\n"
                    "\n"
                    "\n"
                    "   - and on#1 #\n"
                    "# a comment\n"
                    "b:\n"
                    "    further in\n"
                    "  and less\n"
                    "c: 1\n"
                    "  2\n"
                    "d:\n"
                    "- x y\n"
                    "  'z'\n"
                    "-\n"
                    "   http://a\n"
                    " b:c\n"
                    "- - p\n"
                    "   q # end\n"
                    "- k: v\n"
                    "   w\n"
                    "e: last\n"),
            R"({"a": "plain text that goes on\n\n- and on#1", )"
            R"("b": "further in and less", "c": "1 2", )"
            R"("d": ["x y 'z'", "http://a b:c", ["p q"], {"k": "v w"}], )"
            R"("e": "last"})");
  const std::vector<Json> documents =
      ParseYamlStream("--- a\nb\n---\nc\n\nd\n...\n");
  ASSERT_EQ(documents.size(), 2);
  EXPECT_EQ(documents[0].AsString(), "a b");
  EXPECT_EQ(documents[1].AsString(), "c\nd");
}

TEST(YamlTest, FlowCollectionsHoldTextOverSeveralLines) {
  EXPECT_EQ(Compact("a: {x: plain\n"
                    "  flow\n"
                    "\n"
                    "  text, y: 'goes\n"
                    "     on', multi word key: [p # c\n"
                    "  , q\n"
                    "  r,http://s:1/t], \"k\":1,\n"
                    "  n : \"e\\\n"
                    "  f\"}\n"
                    "b: 2\n"),
            R"({"a": {"x": "plain flow\ntext", "y": "goes on", )"
            R"("multi word key": ["p", "q r", "http://s:1/t"], "k": 1, )"
            R"("n": "ef"}, "b": 2})");
}

TEST(YamlTest, BlocksKeepTheirIndentationAndEnds) {
  // 8.2
  EXPECT_EQ(Compact("- |\n detected\n- >\n \n  \n  # detected\n- |1\n"
                    "  explicit\n"),
            R"(["detected\n", "\n\n# detected\n", " explicit\n"])");
  // 8.4, 8.5, 8.6
  EXPECT_EQ(Compact("strip: |-\n  text\nclip: |\n  text\nkeep: |+\n  text\n"),
            R"({"strip": "text", "clip": "text\n", "keep": "text\n"})");
  EXPECT_EQ(Compact(" # Strip\n  # Comments:\nstrip: |-\n  # text\n  \n"
                    " # Clip\n  # comments:\n\nclip: |\n  # text\n \n"
                    " # Keep\n  # comments:\n\nkeep: |+\n  # text\n\n"
                    " # Trail\n  # comments.\n"),
            R"({"strip": "# text", "clip": "# text\n", )"
            R"("keep": "# text\n\n"})");
  EXPECT_EQ(Compact("strip: >-\n\nclip: >\n\nkeep: |+\n\n"),
            R"({"strip": "", "clip": "", "keep": "\n"})");
  // 8.10 to 8.12
  EXPECT_EQ(ParseYaml(">\n\n folded\n line\n\n next\n line\n   * bullet\n\n"
                      "   * list\n   * lines\n\n last\n line\n\n# Comment\n")
                .AsString(),
            "\nfolded line\nnext line\n  * bullet\n\n  * list\n  * lines\n"
            "\nlast line\n");
  EXPECT_EQ(Compact("a: |2-\n    x\nb: >-2 # c\n    x\nc:\n  |\n x\n"
                    "d: |+\n  x\n\n"),
            R"({"a": "  x", "b": "  x", "c": "x\n", "d": "x\n\n"})");
  EXPECT_EQ(ParseYaml("--- |\n a\n \tb\n...\n").AsString(), "a\n\tb\n");
  EXPECT_EQ(ParseYaml("\xEF\xBB\xBF"
                      "a: |\n b")
                .At("a")
                .AsString(),
            "b");
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
  line("\u00e4: 1\nb: \x01\n", 2);
  line("a: &x 1\nb: *x\n", 1);
  line("%YAML 1.2\n---\na: 1\n", 1);
  line("\u00e4: 1\n? b\n: 2\n", 2);
  line("a: {? b : 2}\n", 1);
  line("a: {\"b\": 1, \"b\": \"\\ud83d\\ude00\"}\n", 1);
  line("{\"a\": \"\\ud83d\"}\n", 1);
  line("a: [1, 2\n", 1);
  line("a: \"x\n", 1);
  line("a: b: c\n", 1);
  line("a: b\n  c: d\n", 2);
  line("a: b # c\n  d\n", 2);
  line("a: b\n  # c\n  d\n", 3);
  line("a: b\n\tc\n", 2);
  line("a: 'b\n---\n c'\n", 1);
  line("a: \"b\n  c\" d\n", 2);
  line("a: |-+\n  b\n", 1);
  line("a: |0\n  b\n", 1);
  line("a: |22\n  b\n", 1);
  line("a: |x\n  b\n", 1);
  line("a: |\n    \n  b\n", 3);
  line("a: 1\n... b\n", 2);
  line("a: {b:1}\n", 1);
  line("a: {b: [c\n---\nd]}\n", 1);
  line("-\ta: 1\n", 1);
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
