#include "t2t/metrics/chrf.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "t2t/metrics/text.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

// Of one n-gram order.
struct Counts {
  int64_t hypothesis = 0;
  int64_t reference = 0;
  int64_t match = 0;
};

// N-grams sorted, with repeats.
template <typename Gram>
int64_t CountMatches(const std::vector<Gram>& a, const std::vector<Gram>& b) {
  int64_t matches = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] < b[j]) {
      ++i;
    } else if (b[j] < a[i]) {
      ++j;
    } else {
      ++matches;
      ++i;
      ++j;
    }
  }
  return matches;
}

// A line's n-grams of characters and words, by order. The former look into
// text, so it can't be copied.
struct Segment {
  Segment() = default;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  std::u32string text;
  std::vector<std::vector<std::u32string_view>> characters;
  std::vector<std::vector<std::u32string>> words;
};

bool IsAsciiPunctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// Punctuation off the end, or else off the start, of each word.
std::vector<std::u32string> SplitWords(const std::u32string& line) {
  std::vector<std::u32string> words;
  for (std::u32string& word : SplitCodePoints(line)) {
    if (word.size() > 1 && IsAsciiPunctuation(word.back())) {
      words.push_back(word.substr(0, word.size() - 1));
      words.push_back(word.substr(word.size() - 1));
    } else if (word.size() > 1 && IsAsciiPunctuation(word.front())) {
      words.push_back(word.substr(0, 1));
      words.push_back(word.substr(1));
    } else {
      words.push_back(std::move(word));
    }
  }
  return words;
}

void MakeSegment(const std::string& line, const ChrfOptions& options,
                 Segment* segment) {
  std::u32string text = ToCodePoints(line);
  if (options.lowercase) text = LowerCodePoints(text);
  const std::vector<std::u32string> words =
      options.word_order > 0 ? SplitWords(text) : std::vector<std::u32string>();
  if (!options.whitespace) std::erase_if(text, IsPythonSpace);
  segment->text = std::move(text);
  const std::u32string_view view = segment->text;
  for (size_t n = 1; n <= static_cast<size_t>(options.char_order); ++n) {
    auto& grams = segment->characters.emplace_back();
    for (size_t i = 0; i + n <= view.size(); ++i) {
      grams.push_back(view.substr(i, n));
    }
    std::sort(grams.begin(), grams.end());
  }
  for (size_t n = 1; n <= static_cast<size_t>(options.word_order); ++n) {
    auto& grams = segment->words.emplace_back();
    for (size_t i = 0; i + n <= words.size(); ++i) {
      std::u32string gram = words[i];
      for (size_t k = 1; k < n; ++k) gram += U" " + words[i + k];
      grams.push_back(std::move(gram));
    }
    std::sort(grams.begin(), grams.end());
  }
}

template <typename Gram>
Counts Compare(const std::vector<Gram>& hypothesis,
               const std::vector<Gram>& reference) {
  // What the reference has none of at all is not held against it.
  return {reference.empty() ? 0 : static_cast<int64_t>(hypothesis.size()),
          static_cast<int64_t>(reference.size()),
          CountMatches(hypothesis, reference)};
}

std::vector<Counts> Compare(const Segment& hypothesis,
                            const Segment& reference) {
  std::vector<Counts> counts;
  for (size_t n = 0; n < hypothesis.characters.size(); ++n) {
    counts.push_back(
        Compare(hypothesis.characters[n], reference.characters[n]));
  }
  for (size_t n = 0; n < hypothesis.words.size(); ++n) {
    counts.push_back(Compare(hypothesis.words[n], reference.words[n]));
  }
  return counts;
}

double FScore(const std::vector<Counts>& counts, int beta) {
  const double factor = static_cast<double>(beta) * beta;
  double precision = 0;
  double recall = 0;
  int orders = 0;
  for (const Counts& count : counts) {
    if (count.hypothesis == 0 || count.reference == 0) continue;
    const auto match = static_cast<double>(count.match);
    precision += match / static_cast<double>(count.hypothesis);
    recall += match / static_cast<double>(count.reference);
    ++orders;
  }
  if (orders == 0) return 0;
  precision /= orders;
  recall /= orders;
  if (precision + recall == 0) return 0;
  return 100 * (1 + factor) * precision * recall /
         (factor * precision + recall);
}

}  // namespace

MetricScore CorpusChrf(const std::vector<std::string>& hypotheses,
                       const std::vector<std::vector<std::string>>& references,
                       const ChrfOptions& options) {
  CheckLineCounts(hypotheses, references);
  std::vector<Counts> sum(options.char_order + options.word_order);
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    Segment hypothesis;
    MakeSegment(hypotheses[i], options, &hypothesis);
    std::vector<Counts> best;
    double best_score = -1;
    for (const std::vector<std::string>& lines : references) {
      Segment reference;
      MakeSegment(lines[i], options, &reference);
      std::vector<Counts> counts = Compare(hypothesis, reference);
      const double score = FScore(counts, options.beta);
      if (score > best_score) {
        best_score = score;
        best = std::move(counts);
      }
    }
    for (size_t n = 0; n < sum.size(); ++n) {
      sum[n].hypothesis += best[n].hypothesis;
      sum[n].reference += best[n].reference;
      sum[n].match += best[n].match;
    }
  }
  MetricScore result;
  result.name = "chrF" + std::to_string(options.beta) +
                std::string(options.word_order, '+');
  result.score = FScore(sum, options.beta);
  result.signature = "nrefs:" + std::to_string(references.size()) +
                     "|case:" + (options.lowercase ? "lc" : "mixed") +
                     "|eff:yes|nc:" + std::to_string(options.char_order) +
                     "|nw:" + std::to_string(options.word_order) +
                     "|space:" + (options.whitespace ? "yes" : "no") +
                     "|version:" + kSacreBleuVersion;
  return result;
}

}  // namespace t2t
