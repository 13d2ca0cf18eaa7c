#ifndef T2T_PROBLEM_VOCABULARY_SAMPLE_H_
#define T2T_PROBLEM_VOCABULARY_SAMPLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/formats/text_reader.h"

namespace t2t {

struct SampledFile {
  std::string path;
  int64_t bytes = 0;  // of its text
};

// The lines T2T builds the vocabulary of its translation problems from
// (generate_lines_for_vocab): of each file, in turn, lines spread evenly over
// it until they have about file_budget characters.
class VocabularySample {
 public:
  explicit VocabularySample(std::vector<SampledFile> files,
                            double file_budget = 1e6)
      : files_(std::move(files)), file_budget_(file_budget) {}

  // False at the end.
  bool Next(std::string* line);

 private:
  std::vector<SampledFile> files_;
  double file_budget_;
  size_t next_ = 0;
  std::optional<LineReader> reader_;
  double budget_ = 0;  // what is left of the file's
  int64_t skipped_ = 0;
  int64_t skip_ = 0;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_VOCABULARY_SAMPLE_H_
