#ifndef T2T_PROBLEM_CLEAN_PAIRS_H_
#define T2T_PROBLEM_CLEAN_PAIRS_H_

#include <string>
#include <utility>
#include <vector>

namespace t2t {

// T2T's cleaner_en_xx: what is left of a pair of an English text and its
// translation. None where the English doesn't look like a sentence (no capital
// first, no full stop last, quotes that don't match, a copyright line, ...);
// several where both sides are as many sentences, of which those that look like
// one are kept; none where they are not as many.
std::vector<std::pair<std::string, std::string>> CleanPairs(
    const std::string& english, const std::string& other);

}  // namespace t2t

#endif  // T2T_PROBLEM_CLEAN_PAIRS_H_
