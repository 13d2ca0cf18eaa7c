#ifndef T2T_PROBLEM_VOCABULARY_SAMPLE_H_
#define T2T_PROBLEM_VOCABULARY_SAMPLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace t2t {

struct SampledText {
  int64_t bytes = 0;
  // Its lines from the first one on, one a call until it returns false.
  std::function<std::function<bool(std::string*)>()> open;
};

// The lines T2T builds the vocabulary of its translation problems from
// (generate_lines_for_vocab): of each file, in turn, lines spread evenly over
// it until they have about file_budget characters.
class VocabularySample {
 public:
  explicit VocabularySample(std::vector<SampledText> texts,
                            double file_budget = 1e6)
      : texts_(std::move(texts)), file_budget_(file_budget) {}

  // False at the end.
  bool Next(std::string* line);

 private:
  std::vector<SampledText> texts_;
  double file_budget_;
  size_t next_ = 0;
  std::function<bool(std::string*)> lines_;
  double budget_ = 0;  // what is left of the file's
  int64_t skipped_ = 0;
  int64_t skip_ = 0;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_VOCABULARY_SAMPLE_H_
