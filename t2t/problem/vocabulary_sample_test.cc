#include "t2t/problem/vocabulary_sample.h"

#include <gtest/gtest.h>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"

namespace t2t {
namespace {

// Lines as those below, so many; the empty ones count as -1.
constexpr int kEmpty = -1;

std::string Line(int i) {
  std::string line = i % 3 == 0 ? " " : "";
  if (i % 11 != 5) {
    line += "Zeile " + std::to_string(i) + " äö";
    for (int j = 0; j < i % 7; ++j) line += " x";
  }
  return line + "\n";
}

std::vector<int> Sample(double budget) {
  const std::string dir = MakeTempDirectory("sample");
  std::vector<SampledText> texts;
  for (const auto& [name, lines] : {std::pair("a", 400), {"b", 90}, {"c", 3}}) {
    std::string text;
    for (int i = 0; i < lines; ++i) text += Line(i);
    const std::string path = JoinPath(dir, name);
    WriteFileAtomically(path, text);
    texts.push_back({static_cast<int64_t>(text.size()), [path] {
                       auto lines = std::make_shared<LineReader>(path);
                       return [lines](std::string* line) {
                         return lines->Next(line);
                       };
                     }});
  }
  VocabularySample sample(texts, budget);
  std::vector<int> numbers;
  for (std::string line; sample.Next(&line);) {
    int64_t number = kEmpty;
    if (!line.empty()) {
      EXPECT_TRUE(ParseInt(Split(line, ' ').at(1), &number)) << line;
    }
    numbers.push_back(static_cast<int>(number));
  }
  RemoveTree(dir);
  return numbers;
}

// Expected: what T2T's generate_lines_for_vocab gives for the same files.
TEST(VocabularySampleTest, TakesT2TsLines) {
  EXPECT_EQ(
      Sample(300),
      (std::vector<int>{12,  25,  -1, 51,  64,  77,  90,  103, 116, 129, 142,
                        155, 168, -1, 194, 207, 220, 233, 246, 259, 2,   -1,
                        8,   11,  14, 17,  20,  23,  26,  29,  32,  35,  -1,
                        41,  44,  47, 50,  53,  56,  59,  62,  0,   1,   2}));
  // Of the first file every fourth line, up to 251; of the second all up to 66;
  // all of the third.
  std::vector<int> expected;
  const auto add = [&](int first, int step, int end) {
    for (int i = first; i < end; i += step) {
      expected.push_back(i % 11 == 5 ? kEmpty : i);
    }
  };
  add(3, 4, 252);
  add(0, 1, 67);
  add(0, 1, 3);
  EXPECT_EQ(Sample(1000), expected);
}

}  // namespace
}  // namespace t2t
