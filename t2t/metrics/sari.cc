#include "t2t/metrics/sari.h"

#include <algorithm>
#include <map>

namespace t2t {
namespace {

constexpr size_t kMostIds = 4;

// An n-gram to how much of it there is, above 0.
using Weights = std::map<std::vector<int64_t>, double>;

// Each n-gram once.
Weights NgramsOf(const std::vector<int64_t>& ids, size_t n) {
  std::vector<int64_t> symbols;
  for (const int64_t id : ids) {
    if (id != 0) symbols.push_back(id);
  }
  Weights ngrams;
  for (auto begin = symbols.begin();
       static_cast<size_t>(symbols.end() - begin) >= n; ++begin) {
    ngrams[{begin, begin + static_cast<std::ptrdiff_t>(n)}] = 1;
  }
  return ngrams;
}

double Of(const Weights& weights, const std::vector<int64_t>& ngram) {
  const auto found = weights.find(ngram);
  return found == weights.end() ? 0 : found->second;
}

// As Python's Counter: what is left of `a` without `b`, and what both have.
Weights Without(const Weights& a, const Weights& b) {
  Weights left;
  for (const auto& [ngram, weight] : a) {
    if (const double rest = weight - Of(b, ngram); rest > 0) left[ngram] = rest;
  }
  return left;
}

Weights Both(const Weights& a, const Weights& b) {
  Weights both;
  for (const auto& [ngram, weight] : a) {
    if (const double least = std::min(weight, Of(b, ngram)); least > 0) {
      both[ngram] = least;
    }
  }
  return both;
}

double Sum(const Weights& weights) {
  double sum = 0;
  for (const auto& [ngram, weight] : weights) sum += weight;
  return sum;
}

double FMeasure(double right, double selected, double relevant, double beta) {
  const double precision = selected > 0 ? right / selected : 1;
  if (beta == 0) return precision;
  const double recall = relevant > 0 ? right / relevant : 1;
  if (precision <= 0 || recall <= 0) return 0;
  const double square = beta * beta;
  return (1 + square) * precision * recall / (square * precision + recall);
}

// The F-measure of n-grams that were chosen against those that were to be.
double Score(const Weights& chosen, const Weights& wanted, double beta) {
  return FMeasure(Sum(Both(chosen, wanted)), Sum(chosen), Sum(wanted), beta);
}

}  // namespace

SariScore Sari(const std::vector<int64_t>& source,
               const std::vector<int64_t>& prediction,
               const std::vector<std::vector<int64_t>>& targets, double beta) {
  SariScore sari;
  for (size_t n = 1; n <= kMostIds; ++n) {
    const Weights before = NgramsOf(source, n);
    const Weights after = NgramsOf(prediction, n);
    // In any target; and the share of targets that have it.
    Weights any, share;
    double whole = 0;
    for (const std::vector<int64_t>& target : targets) {
      const Weights ngrams = NgramsOf(target, n);
      if (ngrams.empty()) continue;
      ++whole;
      for (const auto& [ngram, one] : ngrams) {
        any[ngram] = 1;
        share[ngram] += 1;
      }
    }
    for (auto& [ngram, weight] : share) weight /= whole;
    sari.keep += Score(Both(before, after), Both(before, share), 1) / kMostIds;
    sari.deletion +=
        Score(Without(before, after), Without(before, share), beta) / kMostIds;
    // (What was added counts as right where a target has it, in the source or
    // not.)
    const Weights added = Without(after, before);
    sari.addition += FMeasure(Sum(Both(added, any)), Sum(added),
                              Sum(Without(any, before)), 1) /
                     kMostIds;
  }
  sari.score = (sari.keep + sari.addition + sari.deletion) / 3;
  return sari;
}

}  // namespace t2t
