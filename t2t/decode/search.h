#ifndef T2T_DECODE_SEARCH_H_
#define T2T_DECODE_SEARCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "t2t/model/model.h"

namespace t2t {

// What searches cost: in how many steps of the decoder, counted for each row
// that needs one, how many symbols were found. Step by step both are equal, but
// for the steps of a prefix.
struct SearchCount {
  int64_t row_steps = 0;
  int64_t symbols = 0;
  bool in_blocks = false;  // a step may have found several
};

struct SearchOptions {
  // 1: greedy, or sampling where temperature > 0; more: beam search.
  int64_t beam_size = 4;
  // How many of the beams to return. With 1 the search stops as soon as the
  // best hypothesis can't be beaten any more.
  int64_t top_beams = 1;
  // Length penalty ((5 + length) / 6) ^ alpha.
  double alpha = 0.6;
  // Taken off the end symbol's log probability at every step.
  double eos_penalty = 0.0;
  // Greedy and sampling go on behind the end symbol to the full length.
  bool force_decode_length = false;
  // Sampling: 0 is greedy; keep_top_k -1 keeps the whole vocabulary.
  double temperature = 0.0;
  int64_t keep_top_k = -1;
  // Greedy, of a model that guesses symbols ahead (t2t/model/block_proposer.h):
  // how many symbols a step looks at. 0: as many as the model guesses, where it
  // is of that kind; 1: one.
  int64_t block_size = 0;
  // A guess is taken where it is among so many likeliest symbols. With 1 the
  // result is greedy decoding's.
  int64_t accept_top_k = 1;
  uint64_t seed = 0;
  // A beam search that needs more bytes than these on the CPU is refused; 0: as
  // many as this process can have.
  int64_t memory_limit = 0;
  // Asked before every step: a row that nobody waits for any more leaves the
  // batch, without hypotheses that count. Empty: all are waited for.
  std::function<bool(size_t row)> is_gone;
  // Where it is not null a greedy search adds to it.
  SearchCount* count = nullptr;
};

// What one row of the batch asks for.
struct SearchRow {
  // Steps at most (the prefix's included).
  int64_t decode_length = 0;
  // The end symbol isn't taken before this many steps.
  int64_t min_length = 0;
  // The output is made to start with these ids; they cost nothing and aren't
  // returned.
  std::vector<int64_t> prefix;
  // Names the row's random numbers, so that a row's sample doesn't depend on
  // what it is batched with.
  uint64_t stream = 0;
};

struct Hypothesis {
  std::vector<int64_t> ids;  // with the end symbol where it was reached
  // Beam search: log probability over length penalty (the bare log probability
  // where no beam of the row came to an end, as in T2T). Else the log
  // probability up to the end symbol.
  float score = 0;
};

// For each row the best hypotheses, best first: top_beams of them in beam
// search, else one, and one of a model that makes all symbols at once
// (t2t/model/at_once_decoder.h), whatever the beams are. A row's result doesn't depend on the other rows. Throws
// where the model's logits are not numbers, and a UsageError where the beams
// can't fit into memory, before they are made.
std::vector<std::vector<Hypothesis>> Search(Model* model,
                                            const Features& features,
                                            const std::vector<SearchRow>& rows,
                                            const SearchOptions& options);

}  // namespace t2t

#endif  // T2T_DECODE_SEARCH_H_
