#ifndef T2T_DECODE_AT_ONCE_SEARCH_H_
#define T2T_DECODE_AT_ONCE_SEARCH_H_

#include <vector>

#include "t2t/decode/search.h"
#include "t2t/model/at_once_decoder.h"

namespace t2t {

// The likeliest symbol of each position, of a model that makes all of them at
// once; there are no beams. Rows are decoded with those whose inputs are as
// long as theirs. The output goes as far as the model makes it, and no further
// than the row's decode_length.
std::vector<std::vector<Hypothesis>> AtOnceSearch(
    AtOnceDecoder* decoder, const Features& features,
    const std::vector<SearchRow>& rows, const SearchOptions& options);

}  // namespace t2t

#endif  // T2T_DECODE_AT_ONCE_SEARCH_H_
