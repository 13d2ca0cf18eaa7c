#include "t2t/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unordered_map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/ngrams.h"

namespace t2t {
namespace {

// Words as numbers.
class Interner {
 public:
  std::vector<int64_t> Ids(const std::vector<std::u32string>& words) {
    std::vector<int64_t> ids;
    ids.reserve(words.size());
    for (const std::u32string& word : words) {
      ids.push_back(
          ids_.emplace(word, static_cast<int64_t>(ids_.size())).first->second);
    }
    return ids;
  }

 private:
  std::unordered_map<std::u32string, int64_t> ids_;
};

std::vector<int64_t> LineIds(const std::string& line, bool lowercase,
                             Tokenizer tokenizer, Interner* interner) {
  std::u32string codes = ToCodePoints(line);
  if (lowercase) codes = LowerCodePoints(codes);
  return interner->Ids(TokenizeLine(tokenizer, std::move(codes)));
}

double BrevityPenalty(int64_t hypothesis_length, int64_t reference_length) {
  if (hypothesis_length >= reference_length) return 1.0;
  if (hypothesis_length == 0) return 0.0;
  return std::exp(1.0 - static_cast<double>(reference_length) /
                            static_cast<double>(hypothesis_length));
}

double SmoothValue(const BleuOptions& options) {
  return options.smooth_value.value_or(
      options.smoothing == BleuSmoothing::kFloor ? 0.1 : 1.0);
}

std::string SmoothName(const BleuOptions& options) {
  switch (options.smoothing) {
    case BleuSmoothing::kExp:
      return "exp";
    case BleuSmoothing::kNone:
      return "none";
    case BleuSmoothing::kFloor:
      return "floor" + Format("[%.2f]", SmoothValue(options));
    case BleuSmoothing::kAddK:
      return "add-k" + Format("[%.2f]", SmoothValue(options));
  }
  return "";
}

double Rounded(double value, int width) {
  return std::strtod(Format("%.*f", width, value).c_str(), nullptr);
}

}  // namespace

void BleuCounts::Add(const BleuCounts& other) {
  hypothesis_length += other.hypothesis_length;
  reference_length += other.reference_length;
  for (size_t n = 0; n < correct.size(); ++n) {
    correct[n] += other.correct[n];
    total[n] += other.total[n];
  }
}

BleuCounts CountBleu(const std::vector<int64_t>& hypothesis,
                     const std::vector<std::vector<int64_t>>& references,
                     int max_order) {
  BleuCounts counts(max_order);
  counts.hypothesis_length = static_cast<int64_t>(hypothesis.size());
  int64_t best = -1;
  for (const std::vector<int64_t>& reference : references) {
    const auto length = static_cast<int64_t>(reference.size());
    const int64_t difference = std::abs(length - counts.hypothesis_length);
    if (best < 0 || difference < best ||
        (difference == best && length < counts.reference_length)) {
      best = difference;
      counts.reference_length = length;
    }
  }
  for (int n = 0; n < max_order; ++n) {
    const auto order = static_cast<size_t>(n) + 1;
    if (hypothesis.size() < order) break;
    counts.total[n] = static_cast<int64_t>(hypothesis.size() - order + 1);
    std::vector<Ngrams> others;
    for (const std::vector<int64_t>& reference : references) {
      others.emplace_back(reference, order);
    }
    counts.correct[n] = Ngrams(hypothesis, order).Matches(others);
  }
  return counts;
}

double BleuOfCounts(const BleuCounts& counts, bool use_bp) {
  const int max_order = static_cast<int>(counts.total.size());
  double smooth = 1.0;
  double log_sum = 0;
  bool any = false;
  for (int n = 0; n < max_order; ++n) {
    if (counts.total[n] == 0) continue;
    const auto total = static_cast<double>(counts.total[n]);
    double precision = static_cast<double>(counts.correct[n]) / total;
    if (counts.correct[n] == 0) {
      smooth *= 2;
      precision = 1.0 / (smooth * total);
    }
    any = true;
    log_sum += std::log(precision);
  }
  double bleu = any ? std::exp(log_sum / max_order) : 0.0;
  if (use_bp) {
    bleu *= BrevityPenalty(counts.hypothesis_length, counts.reference_length);
  }
  return bleu;
}

double ComputeBleu(const std::vector<std::vector<int64_t>>& references,
                   const std::vector<std::vector<int64_t>>& translations,
                   int max_order, bool use_bp) {
  BleuCounts counts(max_order);
  const size_t segments = std::min(references.size(), translations.size());
  for (size_t i = 0; i < segments; ++i) {
    counts.Add(CountBleu(translations[i], {references[i]}, max_order));
  }
  return static_cast<float>(BleuOfCounts(counts, use_bp));
}

void CheckLineCounts(const std::vector<std::string>& hypotheses,
                     const std::vector<std::vector<std::string>>& references) {
  for (const std::vector<std::string>& reference : references) {
    if (reference.size() != hypotheses.size()) {
      throw DataError(
          "the translation has " +
              Count(static_cast<int64_t>(hypotheses.size()), "line") +
              ", the reference " + std::to_string(reference.size()),
          "a translation of each line, in the same order",
          "translate again, or give the reference that belongs to it");
    }
  }
  if (hypotheses.empty() || references.empty()) {
    throw DataError("there are no lines to score", "at least one");
  }
}

double T2TBleu(const std::vector<std::string>& references,
               const std::vector<std::string>& translations,
               bool case_sensitive) {
  CheckLineCounts(translations, {references});
  Interner interner;
  std::vector<std::vector<int64_t>> reference_ids, translation_ids;
  for (size_t i = 0; i < references.size(); ++i) {
    reference_ids.push_back(
        LineIds(references[i], !case_sensitive, Tokenizer::kT2T, &interner));
    translation_ids.push_back(
        LineIds(translations[i], !case_sensitive, Tokenizer::kT2T, &interner));
  }
  return 100.0 * ComputeBleu(reference_ids, translation_ids);
}

BleuSmoothing BleuSmoothingByName(const std::string& name) {
  if (name == "exp") return BleuSmoothing::kExp;
  if (name == "floor") return BleuSmoothing::kFloor;
  if (name == "add-k") return BleuSmoothing::kAddK;
  if (name == "none") return BleuSmoothing::kNone;
  throw UsageError("there is no smoothing '" + name + "'",
                   "exp, floor, add-k or none");
}

namespace {

// In percent, by order; smoothed as sacreBLEU does.
std::vector<double> Precisions(const BleuCounts& counts,
                               const BleuOptions& options) {
  std::vector<double> precisions(options.max_order, 0.0);
  double smooth = 1.0;
  for (int n = 0; n < options.max_order; ++n) {
    auto correct = static_cast<double>(counts.correct[n]);
    auto total = static_cast<double>(counts.total[n]);
    if (options.smoothing == BleuSmoothing::kAddK && n > 0) {
      correct += SmoothValue(options);
      total += SmoothValue(options);
    }
    if (total == 0) break;
    if (correct > 0) {
      precisions[n] = 100.0 * correct / total;
    } else if (options.smoothing == BleuSmoothing::kExp) {
      smooth *= 2;
      precisions[n] = 100.0 / (smooth * total);
    } else if (options.smoothing == BleuSmoothing::kFloor) {
      precisions[n] = 100.0 * SmoothValue(options) / total;
    }
  }
  return precisions;
}

// As sacreBLEU prints them behind the score.
std::string PrecisionsText(const std::vector<double>& precisions, double bp,
                           const BleuCounts& counts) {
  std::string text;
  for (const double precision : precisions) {
    if (!text.empty()) text += "/";
    text += Format("%.1f", precision);
  }
  const double ratio = counts.reference_length == 0
                           ? 0.0
                           : static_cast<double>(counts.hypothesis_length) /
                                 static_cast<double>(counts.reference_length);
  return text + Format(
                    " (BP = %.3f ratio = %.3f hyp_len = %lld "
                    "ref_len = %lld)",
                    bp, ratio, static_cast<long long>(counts.hypothesis_length),
                    static_cast<long long>(counts.reference_length));
}

}  // namespace

MetricScore CorpusBleu(const std::vector<std::string>& hypotheses,
                       const std::vector<std::vector<std::string>>& references,
                       const BleuOptions& options) {
  CheckLineCounts(hypotheses, references);
  Interner interner;
  BleuCounts counts(options.max_order);
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    std::vector<std::vector<int64_t>> segment_references;
    for (const std::vector<std::string>& reference : references) {
      segment_references.push_back(LineIds(reference[i], options.lowercase,
                                           options.tokenizer, &interner));
    }
    counts.Add(CountBleu(
        LineIds(hypotheses[i], options.lowercase, options.tokenizer, &interner),
        segment_references, options.max_order));
  }

  const double bp =
      BrevityPenalty(counts.hypothesis_length, counts.reference_length);
  std::vector<double> precisions(options.max_order, 0.0);
  const bool any = std::any_of(counts.correct.begin(), counts.correct.end(),
                               [](int64_t correct) { return correct > 0; });
  MetricScore result;
  result.name = "BLEU";
  if (any) {
    precisions = Precisions(counts, options);
    double log_sum = 0;
    for (const double precision : precisions) {
      // sacreBLEU's floor of the logarithm of 0.
      log_sum += precision == 0 ? -9999999999.0 : std::log(precision);
    }
    result.score = bp * std::exp(log_sum / options.max_order);
  }
  result.verbose = PrecisionsText(precisions, bp, counts);
  result.signature = "nrefs:" + std::to_string(references.size()) +
                     "|case:" + (options.lowercase ? "lc" : "mixed") +
                     "|eff:no|tok:" + TokenizerName(options.tokenizer) +
                     "|smooth:" + SmoothName(options) +
                     "|version:" + kSacreBleuVersion;
  return result;
}

std::string ScoreText(const MetricScore& score, int width) {
  std::string text = score.name;
  if (!score.signature.empty()) text += "|" + score.signature;
  text += Format(" = %.*f", width, score.score);
  if (!score.verbose.empty()) text += " " + score.verbose;
  return text;
}

std::string ScoreJson(const MetricScore& score, int width) {
  Json json = Json::Object();
  json.Set("name", score.name);
  json.Set("score", Rounded(score.score, width));
  if (!score.signature.empty()) json.Set("signature", score.signature);
  if (!score.verbose.empty()) json.Set("verbose_score", score.verbose);
  if (!score.signature.empty()) {
    for (const std::string& part : Split(score.signature, '|')) {
      const size_t colon = part.find(':');
      json.Set(part.substr(0, colon), part.substr(colon + 1));
    }
  }
  return json.ToString(1);
}

}  // namespace t2t
