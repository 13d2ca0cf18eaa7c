#ifndef T2T_METRICS_CHRF_H_
#define T2T_METRICS_CHRF_H_

#include <string>
#include <vector>

#include "t2t/metrics/bleu.h"

namespace t2t {

struct ChrfOptions {
  int char_order = 6;
  int word_order = 0;  // 2: chrF++
  int beta = 2;
  bool lowercase = false;
  bool whitespace = false;  // keep white space in the character n-grams
};

// sacreBLEU's chrF. references as in CorpusBleu(); of several, each segment
// takes the one with the best score.
MetricScore CorpusChrf(const std::vector<std::string>& hypotheses,
                       const std::vector<std::vector<std::string>>& references,
                       const ChrfOptions& options = {});

}  // namespace t2t

#endif  // T2T_METRICS_CHRF_H_
