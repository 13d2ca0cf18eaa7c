#ifndef T2T_PROBLEM_LINE_SAMPLES_H_
#define T2T_PROBLEM_LINE_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/problem/source.h"

namespace t2t {

struct FileLine {
  std::string text;  // stripped as Python's str.strip() does it
  std::string path;
  int64_t number = 0;  // the first is 1
};

// A DataError about the line.
Error BadLine(const FileLine& line, const std::string& what,
              const std::string& expected);
// Its columns with tabs between them, as the table has them (not stripped).
// Throws where there are fewer.
std::vector<std::string> Columns(const FileLine& line, size_t at_least);
// The place of a column's label. Throws where it is none of them.
int64_t LabelIndex(const FileLine& line, const std::string& label,
                   const std::vector<std::string>& labels);

// Adds what a line becomes: no sample, one, or more.
using MakeOfLine =
    std::function<void(const FileLine& line, std::vector<Example>* samples)>;
// Of the lines of files, one file after another.
NextExample SamplesOfLines(std::vector<std::string> paths, MakeOfLine make);

// Adds what a whole file becomes.
using MakeOfFile =
    std::function<void(const std::string& path, std::vector<Example>* samples)>;
NextExample SamplesOfFiles(std::vector<std::string> paths, MakeOfFile make);

// Samples that are made, a group at a time: more(&samples) adds the next ones;
// false: there are no more.
NextExample SamplesOfGroups(
    std::function<bool(std::vector<Example>* samples)> more);

// Words with one space between them.
std::string OneSpaced(const std::string& text);

}  // namespace t2t

#endif  // T2T_PROBLEM_LINE_SAMPLES_H_
