#include "t2t/metrics/sequence.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/metrics/ngrams.h"

namespace t2t {
namespace {

void CheckRows(const IdRows& predictions, const IdRows& labels) {
  if (predictions.size() != labels.size()) {
    throw DataError(std::to_string(predictions.size()) + " predictions for " +
                        std::to_string(labels.size()) + " labels",
                    "as many of both");
  }
}

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

int64_t LongestCommonSubsequence(const std::vector<int64_t>& a,
                                 const std::vector<int64_t>& b) {
  std::vector<int64_t> row(b.size() + 1, 0);
  for (const int64_t x : a) {
    int64_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t above = row[j];
      row[j] = x == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::vector<int64_t> NonZero(std::vector<int64_t> ids) {
  std::erase(ids, 0);
  return ids;
}

WeightedMetric ByLength(int64_t distance, int64_t length) {
  const auto weight = static_cast<double>(length);
  return {length == 0 ? 0.0 : static_cast<double>(distance) / weight, weight};
}

std::string RowText(const std::vector<int64_t>& ids,
                    const std::vector<std::string>* tokens) {
  std::string text;
  if (tokens == nullptr) {
    for (const int64_t id : ids) {
      const auto byte = static_cast<char>(std::clamp<int64_t>(id - 2, 0, 255));
      if (byte != 0) text += byte;
    }
    return text;
  }
  for (const int64_t id : ids) {
    if (id < 0 || id >= static_cast<int64_t>(tokens->size())) {
      throw DataError("id " + std::to_string(id) + " is outside the vocabulary",
                      "0 to " + std::to_string(tokens->size()) + " (excluded)");
    }
    text += (*tokens)[id];
  }
  for (size_t at; (at = text.find("<EOS>")) != std::string::npos;) {
    text.erase(at, text.find('\n', at) - at);
  }
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

}  // namespace

double RougeL(const IdRows& predictions, const IdRows& labels) {
  CheckRows(predictions, labels);
  std::vector<double> scores;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].empty() || predictions[i].empty()) {
      scores.push_back(0);
      continue;
    }
    const auto common = static_cast<double>(
        LongestCommonSubsequence(predictions[i], labels[i]));
    const double recall = common / static_cast<double>(labels[i].size());
    const double precision =
        common / static_cast<double>(predictions[i].size());
    const double beta = precision / (recall + 1e-12);
    scores.push_back((1 + beta * beta) * recall * precision /
                     (recall + beta * beta * precision + 1e-12));
  }
  return Mean(scores);
}

double RougeN(const IdRows& predictions, const IdRows& labels, int n) {
  CheckRows(predictions, labels);
  std::vector<double> scores;
  for (size_t i = 0; i < labels.size(); ++i) {
    const Ngrams predicted(predictions[i], static_cast<size_t>(n));
    const Ngrams expected(labels[i], static_cast<size_t>(n));
    const auto common =
        static_cast<double>(predicted.DistinctMatches(expected));
    const double precision =
        common / std::max(1.0, static_cast<double>(predicted.Distinct()));
    const double recall =
        common / std::max(1.0, static_cast<double>(expected.Distinct()));
    scores.push_back(2.0 * precision * recall / (precision + recall + 1e-8));
  }
  return Mean(scores);
}

int64_t EditDistance(const std::vector<int64_t>& a,
                     const std::vector<int64_t>& b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t substitute = diagonal + (a[i] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

WeightedMetric SequenceEditDistance(const IdRows& predictions,
                                    const IdRows& labels) {
  CheckRows(predictions, labels);
  int64_t distance = 0;
  int64_t length = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::vector<int64_t> label = NonZero(labels[i]);
    distance += EditDistance(NonZero(predictions[i]), label);
    length += static_cast<int64_t>(label.size());
  }
  return ByLength(distance, length);
}

WeightedMetric WordErrorRate(const IdRows& predictions, const IdRows& labels,
                             const std::vector<std::string>* tokens) {
  CheckRows(predictions, labels);
  std::map<std::string, int64_t> ids;
  const auto words = [&](const std::vector<int64_t>& row) {
    std::vector<int64_t> found;
    for (std::string& word : Split(RowText(row, tokens), ' ')) {
      if (word.empty()) continue;
      found.push_back(
          ids.emplace(std::move(word), static_cast<int64_t>(ids.size()))
              .first->second);
    }
    return found;
  };
  int64_t distance = 0;
  int64_t length = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::vector<int64_t> label = words(labels[i]);
    distance += EditDistance(words(predictions[i]), label);
    length += static_cast<int64_t>(label.size());
  }
  return ByLength(distance, length);
}

double PrefixAccuracy(const IdRows& predictions, const IdRows& labels) {
  CheckRows(predictions, labels);
  std::vector<double> scores;
  for (size_t i = 0; i < labels.size(); ++i) {
    const size_t width = std::min(predictions[i].size(), labels[i].size());
    size_t prefix = 0;
    while (prefix < width && predictions[i][prefix] == labels[i][prefix]) {
      ++prefix;
    }
    const auto length = static_cast<double>(NonZero(labels[i]).size());
    scores.push_back(length == 0 ? 0 : static_cast<double>(prefix) / length);
  }
  return Mean(scores);
}

}  // namespace t2t
