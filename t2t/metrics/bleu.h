#ifndef T2T_METRICS_BLEU_H_
#define T2T_METRICS_BLEU_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/metrics/text.h"

namespace t2t {

// What BLEU is made of, summed over segments.
struct BleuCounts {
  explicit BleuCounts(int max_order = 4)
      : correct(max_order, 0), total(max_order, 0) {}

  int64_t hypothesis_length = 0;
  int64_t reference_length = 0;
  std::vector<int64_t> correct;  // by n-gram order, clipped by the references
  std::vector<int64_t> total;

  void Add(const BleuCounts& other);
};

// Of one segment, as ids of words. The reference length is that of the
// reference nearest in length, the shorter of two.
BleuCounts CountBleu(const std::vector<int64_t>& hypothesis,
                     const std::vector<std::vector<int64_t>>& references,
                     int max_order = 4);

// T2T's compute_bleu out of what was counted, in [0, 1].
double BleuOfCounts(const BleuCounts& counts, bool use_bp = true);

// The same of whole texts, rounded to a float as T2T rounds it: for
// approx_bleu_score give it the rows of the labels and of the argmax, padding
// and all.
double ComputeBleu(const std::vector<std::vector<int64_t>>& references,
                   const std::vector<std::vector<int64_t>>& translations,
                   int max_order = 4, bool use_bp = true);

// T2T's bleu_wrapper times 100: BLEU_cased or BLEU_uncased of lines. Throws a
// DataError where the numbers of lines differ.
double T2TBleu(const std::vector<std::string>& references,
               const std::vector<std::string>& translations,
               bool case_sensitive);

enum class BleuSmoothing { kExp, kFloor, kAddK, kNone };
BleuSmoothing BleuSmoothingByName(const std::string& name);

struct BleuOptions {
  Tokenizer tokenizer = Tokenizer::k13a;
  bool lowercase = false;
  BleuSmoothing smoothing = BleuSmoothing::kExp;
  std::optional<double> smooth_value;  // of floor (0.1) and add-k (1)
  int max_order = 4;
};

// A score as sacreBLEU reports it.
struct MetricScore {
  std::string name;       // "BLEU", "chrF2", "chrF2++"
  double score = 0;       // of 100
  std::string signature;  // "nrefs:1|case:mixed|..."
  std::string verbose;    // BLEU's precisions and lengths, or empty
};

// sacreBLEU's corpus_score. references: one list of lines (as many as there
// are hypotheses) each. Throws a DataError where the numbers differ.
MetricScore CorpusBleu(const std::vector<std::string>& hypotheses,
                       const std::vector<std::vector<std::string>>& references,
                       const BleuOptions& options = {});

// sacreBLEU's line "BLEU|nrefs:1|... = 41.0 72.1/47.3/... (BP = ...)" and its
// JSON text; width: digits after the point.
std::string ScoreText(const MetricScore& score, int width);
std::string ScoreJson(const MetricScore& score, int width);

// The version of sacreBLEU whose numbers these are; in the signatures.
inline constexpr char kSacreBleuVersion[] = "2.6.0";

// Throws a DataError unless all have as many lines, and some.
void CheckLineCounts(const std::vector<std::string>& hypotheses,
                     const std::vector<std::vector<std::string>>& references);

}  // namespace t2t

#endif  // T2T_METRICS_BLEU_H_
