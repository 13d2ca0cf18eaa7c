#ifndef T2T_PROBLEM_DATA_FACTS_H_
#define T2T_PROBLEM_DATA_FACTS_H_

#include <string>

namespace t2t {

// What is known of a problem's data before they are made.
struct DataFacts {
  int train_shards = 0;  // where nothing asks for another number
  int other_shards = 0;  // of dev and test
  // Generate() downloads the text where it isn't in tmp_dir.
  bool downloads = false;
  // Files of text that Generate() leaves next to the shards, to choose a model
  // by: lines to decode and what they should become. "" where there are none.
  std::string dev_inputs, dev_targets;
};

// A problem that knows them.
class HasDataFacts {
 public:
  virtual ~HasDataFacts() = default;
  virtual DataFacts data_facts() const = 0;
};

// By the problem's name, as "_rev" and "_copy" change them; without shards
// where nothing is known. Throws where there is no such problem.
DataFacts DataFactsOf(const std::string& problem);

}  // namespace t2t

#endif  // T2T_PROBLEM_DATA_FACTS_H_
