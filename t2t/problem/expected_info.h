#ifndef T2T_PROBLEM_EXPECTED_INFO_H_
#define T2T_PROBLEM_EXPECTED_INFO_H_

#include "t2t/problem/problem.h"

namespace t2t {

// A problem's info where its data may not be made yet.
struct ExpectedInfo {
  ProblemInfo info;
  // Whether the vocabularies were read, or need no file. Else the sizes are
  // about what they will be (T2T's approx_vocab_size), and there are no
  // encoders.
  bool vocabulary_known = false;
};

// data_dir: where the vocabularies are, if they are anywhere; "": nowhere.
// Throws a MissingError where they are not there and the problem's row does not
// say how large one will be (the labels of a text), and what Problem::Info()
// does where one is there and can't be read.
ExpectedInfo ExpectInfo(const Problem& problem, const std::string& data_dir);

}  // namespace t2t

#endif  // T2T_PROBLEM_EXPECTED_INFO_H_
