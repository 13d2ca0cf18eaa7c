#ifndef T2T_PROBLEM_DATA_FACTS_H_
#define T2T_PROBLEM_DATA_FACTS_H_

#include <string>

namespace t2t {

// What is known of a problem's data before they are made.
struct DataFacts {
  int train_shards = 0;  // where nothing asks for another number
  int other_shards = 0;  // of dev and test
  // Datagen downloads what they are made of where it isn't in tmp_dir.
  bool downloads = false;
  // Files of text that datagen leaves next to the shards, to choose a model by:
  // lines to decode and what they should become. "" where there are none.
  std::string dev_inputs, dev_targets;
};

// By the problem's name, as "_rev" and "_copy" change them. Throws where there
// is no such problem.
DataFacts DataFactsOf(const std::string& problem);

}  // namespace t2t

#endif  // T2T_PROBLEM_DATA_FACTS_H_
