#ifndef PROBLEMS_NUMBER_NAMES_H_
#define PROBLEMS_NUMBER_NAMES_H_

#include <cstdint>
#include <string>

namespace t2t {

inline constexpr int64_t kLargestNamedNumber = 1000000;

// The names of 0 to one million: 342 is "three hundred forty-two" and
// "dreihundertzweiundvierzig". Throw a usage error for other numbers.
std::string EnglishNumberName(int64_t number);
// "ein" is left out before a "hundert" or "tausend" that begins the name, as
// people say it: 1101 is "tausendeinhunderteins".
std::string GermanNumberName(int64_t number);

}  // namespace t2t

#endif  // PROBLEMS_NUMBER_NAMES_H_
