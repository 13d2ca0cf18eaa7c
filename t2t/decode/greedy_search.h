#ifndef T2T_DECODE_GREEDY_SEARCH_H_
#define T2T_DECODE_GREEDY_SEARCH_H_

#include <vector>

#include "t2t/decode/search.h"

namespace t2t {

// Search() with a beam of one: the likeliest symbol of each step, or one drawn
// where options.temperature is more than 0.
std::vector<std::vector<Hypothesis>> GreedySearch(
    Model* model, const Features& features, const std::vector<SearchRow>& rows,
    const SearchOptions& options);

}  // namespace t2t

#endif  // T2T_DECODE_GREEDY_SEARCH_H_
