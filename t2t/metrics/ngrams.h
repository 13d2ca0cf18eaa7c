#ifndef T2T_METRICS_NGRAMS_H_
#define T2T_METRICS_NGRAMS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace t2t {

// The n-grams of one order in a sequence, sorted, each with its count. The
// sequence must outlive it.
class Ngrams {
 public:
  Ngrams(const std::vector<int64_t>& ids, size_t order);

  // How many n-grams of this are in one of the others, each counted as often
  // as in the one that has most of it.
  int64_t Matches(const std::vector<Ngrams>& others) const;
  // How many different ones there are, and how many of them are in the other.
  int64_t Distinct() const { return static_cast<int64_t>(counts_.size()); }
  int64_t DistinctMatches(const Ngrams& other) const;

 private:
  int Compare(const int64_t* a, const int64_t* b) const;
  int64_t Count(const int64_t* ngram) const;

  size_t order_;
  std::vector<std::pair<const int64_t*, int64_t>> counts_;
};

}  // namespace t2t

#endif  // T2T_METRICS_NGRAMS_H_
