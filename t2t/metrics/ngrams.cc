#include "t2t/metrics/ngrams.h"

#include <algorithm>

namespace t2t {

Ngrams::Ngrams(const std::vector<int64_t>& ids, size_t order) : order_(order) {
  std::vector<const int64_t*> starts;
  for (size_t i = 0; i + order <= ids.size(); ++i) {
    starts.push_back(ids.data() + i);
  }
  std::sort(
      starts.begin(), starts.end(),
      [this](const int64_t* a, const int64_t* b) { return Compare(a, b) < 0; });
  for (const int64_t* start : starts) {
    if (!counts_.empty() && Compare(counts_.back().first, start) == 0) {
      ++counts_.back().second;
    } else {
      counts_.emplace_back(start, 1);
    }
  }
}

int64_t Ngrams::Matches(const std::vector<Ngrams>& others) const {
  int64_t matches = 0;
  for (const auto& [ngram, count] : counts_) {
    int64_t most = 0;
    for (const Ngrams& other : others) {
      most = std::max(most, other.Count(ngram));
    }
    matches += std::min(count, most);
  }
  return matches;
}

int64_t Ngrams::DistinctMatches(const Ngrams& other) const {
  return std::count_if(counts_.begin(), counts_.end(), [&](const auto& entry) {
    return other.Count(entry.first) > 0;
  });
}

int Ngrams::Compare(const int64_t* a, const int64_t* b) const {
  for (size_t i = 0; i < order_; ++i) {
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

int64_t Ngrams::Count(const int64_t* ngram) const {
  const auto found = std::lower_bound(
      counts_.begin(), counts_.end(), ngram,
      [this](const std::pair<const int64_t*, int64_t>& entry,
             const int64_t* value) { return Compare(entry.first, value) < 0; });
  if (found == counts_.end() || Compare(found->first, ngram) != 0) return 0;
  return found->second;
}

}  // namespace t2t
