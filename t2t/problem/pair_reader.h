#ifndef T2T_PROBLEM_PAIR_READER_H_
#define T2T_PROBLEM_PAIR_READER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "t2t/problem/corpus.h"
#include "t2t/problem/source.h"

namespace t2t {

struct TextSample {
  std::string inputs;
  std::string targets;
};

// Gives pairs of texts, in order, until it returns false.
using NextSample = std::function<bool(TextSample*)>;

// Two files, line n of one to line n of the other; or one that has both sides,
// twice.
struct TextFiles {
  std::string inputs;
  std::string targets;
  CorpusReader reader = CorpusReader::kLines;
  int source_column = 0, target_column = 1;  // of kTsv
  bool clean = false;
};

// The texts of one side, stripped as Python's str.strip() does it. Throws a
// DataError that names the line where a table has too few columns.
NextText OpenSide(const TextFiles& files, bool targets);

// Those of a corpus' files in paths.
std::vector<TextFiles> FilesOf(const FoundCorpus& corpus);

// The samples of pairs of files, one pair after another.
class PairReader {
 public:
  // drop_empty: leaves out those of which either side is empty.
  PairReader(std::vector<TextFiles> files, bool drop_empty)
      : files_(std::move(files)), drop_empty_(drop_empty) {}

  bool Next(TextSample* sample);

 private:
  std::vector<TextFiles> files_;
  bool drop_empty_;
  size_t next_ = 0;
  NextText inputs_, targets_;
  std::deque<TextSample> cleaned_;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_PAIR_READER_H_
