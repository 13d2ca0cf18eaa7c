#ifndef T2T_DECODE_BLOCKWISE_SEARCH_H_
#define T2T_DECODE_BLOCKWISE_SEARCH_H_

#include <vector>

#include "t2t/decode/search.h"
#include "t2t/model/block_proposer.h"

namespace t2t {

// GreedySearch() in fewer steps of the model: Stern, Shazeer and Uszkoreit
// 2018, "Blockwise Parallel Decoding", arXiv:1811.03115. Each step feeds the
// last symbol that is known with the guesses behind it, goes along them as long
// as each is what greedy decoding takes there, takes the symbol behind the last
// one from the same step, and guesses anew from there. At least one symbol is
// known more after each step, and all of them are greedy decoding's: whether a
// guess stands is decided by the logits that greedy decoding would see. (With
// options.accept_top_k above 1 a guess stands where it is among the likeliest
// so many, and the result is another.)
//
// proposer: the same model. A step feeds min(options.block_size,
// proposer->block_size()) symbols; 0: as many as the latter.
std::vector<std::vector<Hypothesis>> BlockwiseSearch(
    Model* model, BlockProposer* proposer, const Features& features,
    const std::vector<SearchRow>& rows, const SearchOptions& options);

}  // namespace t2t

#endif  // T2T_DECODE_BLOCKWISE_SEARCH_H_
