#ifndef PROBLEMS_REVISION_TEXT_H_
#define PROBLEMS_REVISION_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "t2t/base/rng.h"

namespace t2t {

// What T2T's wiki_revision makes of the revisions of an article (Lichtarge et
// al. 2018, arXiv:1811.01710).

// Whether revision n is one of those that are taken: their numbers grow by
// about `factor`, since an article of many revisions is long, too.
bool TakesRevision(int64_t n, double factor);

// Of Wikipedia's text what is mostly prose: without templates, references,
// links and bold type, and without lines that don't begin with a letter or a
// quote.
std::string ProseOf(std::string_view text);

// Misspells a text, a character in 1/rate: leaves it out, puts another of the
// text's before or in place of it, exchanges it with the next, or puts a mark
// in place of up to 8.
std::string Misspelled(std::string_view text, double rate, Rng* rng);

// A run of a sequence that is the same in another, or that differs from it:
// a[a_begin, a_end) beside b[b_begin, b_end).
struct Match {
  bool equal = false;
  size_t a_begin = 0, a_end = 0, b_begin = 0, b_end = 0;

  bool operator==(const Match&) const = default;
};

// The runs of two sequences in order, the longest equal ones first looked for
// (T2T's fast_match_sequences).
std::vector<Match> MatchSequences(const std::vector<int64_t>& a,
                                  const std::vector<int64_t>& b);

// Cuts an older and a newer text at some of the places where they are equal, so
// that each piece of the one becomes the other's: no empty ones. most: ids of a
// piece, about, which says how often is cut.
using RevisionPieces =
    std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>>;
RevisionPieces CutRevisions(const std::vector<int64_t>& older,
                            const std::vector<int64_t>& newer, int64_t most,
                            Rng* rng);

}  // namespace t2t

#endif  // PROBLEMS_REVISION_TEXT_H_
