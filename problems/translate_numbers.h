#ifndef PROBLEMS_TRANSLATE_NUMBERS_H_
#define PROBLEMS_TRANSLATE_NUMBERS_H_

#include <cstdint>
#include <vector>

#include "t2t/problem/corpus.h"

namespace t2t {

// The problem translate_numbers_ende: lines of one to four number names,
// English to German, made by rule: "seven, three hundred forty-two" to "sieben,
// dreihundertzweiundvierzig". Several to a line, so that BLEU's 4-grams measure
// something. One in ten numbers from 100 up is in no training line; the dev and
// test lines have no others (and each its own). The dev and test text is
// written next to the shards, as <problem>.dev.en and so on.
//
// The vocabulary is not learned from the text but made of the parts that the
// names are made of ("drei", "hundert", "zwei", "und", "vier", "zig_"): cut at
// these, the names are learned in a fraction of the steps.

// The split whose lines may have the number.
DataSplit SplitOfNumber(int64_t number);
// The numbers of line `index` of a split.
std::vector<int64_t> NumbersOfLine(uint64_t seed, DataSplit split,
                                   int64_t index);

}  // namespace t2t

#endif  // PROBLEMS_TRANSLATE_NUMBERS_H_
