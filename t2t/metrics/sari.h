#ifndef T2T_METRICS_SARI_H_
#define T2T_METRICS_SARI_H_

#include <cstdint>
#include <vector>

namespace t2t {

// How well a text was simplified (Xu et al. 2016, "Optimizing Statistical
// Machine Translation for Text Simplification"): which n-grams of the source
// were kept and deleted, and which were added, as the targets have it. Each is
// the mean over n-grams of 1 to 4 ids; the score is the mean of the three.
struct SariScore {
  double score = 0;
  double keep = 0, addition = 0, deletion = 0;
};

// T2T's get_sari_score: ids of 0 are padding. beta: of the deletions'
// F-measure; 0, the paper's, is their precision.
SariScore Sari(const std::vector<int64_t>& source,
               const std::vector<int64_t>& prediction,
               const std::vector<std::vector<int64_t>>& targets,
               double beta = 0);

}  // namespace t2t

#endif  // T2T_METRICS_SARI_H_
