#ifndef T2T_METRICS_SEQUENCE_H_
#define T2T_METRICS_SEQUENCE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// T2T's metrics on sequences of ids: `predictions` are the argmax, `labels`
// the targets, each row padded with 0 as it comes out of the model. (For
// approx_bleu_score see ComputeBleu().)
using IdRows = std::vector<std::vector<int64_t>>;

// A metric's value and the weight it has among other batches'.
struct WeightedMetric {
  double value = 0;
  double weight = 1;
};

// rouge_L_fscore and rouge_2_fscore: means over the rows, padding and all.
double RougeL(const IdRows& predictions, const IdRows& labels);
double RougeN(const IdRows& predictions, const IdRows& labels, int n = 2);

// Insertions, deletions and substitutions.
int64_t EditDistance(const std::vector<int64_t>& a,
                     const std::vector<int64_t>& b);

// edit_distance: over the ids that are not 0, by the labels' length (weight).
WeightedMetric SequenceEditDistance(const IdRows& predictions,
                                    const IdRows& labels);

// word_error_rate. tokens: the text of each id, with "_" for a space; null:
// ids are bytes + 2.
WeightedMetric WordErrorRate(const IdRows& predictions, const IdRows& labels,
                             const std::vector<std::string>* tokens = nullptr);

// prefix_accuracy: right ids before the first wrong one, by the label's
// length; mean over rows.
double PrefixAccuracy(const IdRows& predictions, const IdRows& labels);

}  // namespace t2t

#endif  // T2T_METRICS_SEQUENCE_H_
