#ifndef T2T_PROBLEM_DESCRIBE_H_
#define T2T_PROBLEM_DESCRIBE_H_

#include <string>

#include "t2t/base/json.h"
#include "t2t/problem/problem.h"

namespace t2t {

// What a problem's row says of it, for people: no data is looked at.

// One feature: "text, 8192 subwords", "image 28 x 28 x 1", "one of 10 labels".
std::string DescribeFeature(const FeatureSpec& feature);

// A line without its end: "text, bytes -> one of 2 labels; imdb".
std::string DescribeProblem(const Problem& problem);

// {"data", "features": {"inputs": {"modality", "vocabulary", "size", "file",
// "shape"}}, "packed_length", "splits": {"train": 10}, "metrics", "corpora":
// [{"name", "addresses", "bytes", "home"}]}. What does not apply is absent.
Json ProblemFacts(const Problem& problem);

}  // namespace t2t

#endif  // T2T_PROBLEM_DESCRIBE_H_
