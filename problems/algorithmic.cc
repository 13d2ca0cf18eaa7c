// The problems of T2T's data_generators/algorithmic.py and cipher.py. The
// examples are drawn
// from the same distributions as T2T's, with our own generator: example i of a
// split is a function of the seed, the problem, the split and i.
//
// Two symbols of T2T's are beyond its own vocabulary, and one problem has no
// reserved ids; here
// - the separator of addition and multiplication has its own id in the
//   vocabulary;
// - the "nlplike" symbols are 0 to n - 1, not 1 to n;
// - tiny_algo's symbols are shifted by the reserved ids and end in EOS.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/rng.h"
#include "t2t/problem/source.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using Symbols = std::vector<int64_t>;

struct Case {
  Symbols inputs;
  Symbols targets;
};

// Makes one case out of what the rng draws.
using MakeCase = std::function<Case(int64_t max_length, Rng* rng)>;

int64_t Below(int64_t bound, Rng* rng) {
  return static_cast<int64_t>(rng->Below(static_cast<uint64_t>(bound)));
}

// 1 to max_length symbols below `bound`.
Symbols DrawSymbols(int64_t max_length, int64_t bound, Rng* rng) {
  Symbols symbols(Below(max_length, rng) + 1);
  for (int64_t& symbol : symbols) symbol = Below(bound, rng);
  return symbols;
}

Symbols Reversed(const Symbols& symbols) {
  return {symbols.rbegin(), symbols.rend()};
}

MakeCase Identity(int64_t num_symbols) {
  return [=](int64_t max_length, Rng* rng) -> Case {
    const Symbols inputs = DrawSymbols(max_length, num_symbols, rng);
    return {inputs, inputs};
  };
}

MakeCase Shift(int64_t num_symbols) {
  return [=](int64_t max_length, Rng* rng) {
    constexpr int64_t kShift = 10;
    Case made;
    made.inputs = DrawSymbols(max_length, num_symbols - kShift, rng);
    made.targets = made.inputs;
    for (int64_t& symbol : made.targets) symbol += kShift;
    return made;
  };
}

MakeCase Reverse(int64_t num_symbols) {
  return [=](int64_t max_length, Rng* rng) -> Case {
    const Symbols inputs = DrawSymbols(max_length, num_symbols, rng);
    return {inputs, Reversed(inputs)};
  };
}

// A symbol with a share of that of all that cumulative[symbol] ends with.
int64_t DrawByShare(const std::vector<double>& cumulative, Rng* rng) {
  return std::min<int64_t>(
      std::upper_bound(cumulative.begin(), cumulative.end(),
                       rng->Uniform() * cumulative.back()) -
          cumulative.begin(),
      static_cast<int64_t>(cumulative.size()) - 1);
}

// Lengths around the middle, symbols by Zipf's law.
MakeCase ReverseNlplike(int64_t num_symbols, double alpha) {
  std::vector<double> cumulative;
  double sum = 0;
  for (int64_t rank = 1; rank <= num_symbols; ++rank) {
    sum += std::pow(static_cast<double>(rank), -alpha);
    cumulative.push_back(sum);
  }
  return [cumulative](int64_t max_length, Rng* rng) -> Case {
    constexpr double kDeviations = 10;
    const auto length = static_cast<double>(max_length);
    // Box and Muller; 1 - u is never 0.
    const double normal = std::sqrt(-2 * std::log(1 - rng->Uniform())) *
                          std::cos(2 * std::numbers::pi * rng->Uniform());
    Symbols inputs(static_cast<size_t>(
        std::abs(length / 2 + normal * length / kDeviations) + 1));
    for (int64_t& symbol : inputs) {
      symbol = DrawByShare(cumulative, rng);
    }
    return {inputs, Reversed(inputs)};
  };
}

// Digits from the lowest; the highest is 0 only in "0".
Symbols DrawNumber(int64_t length, int64_t base, Rng* rng) {
  Symbols digits(length);
  for (int64_t& digit : digits) digit = Below(base, rng);
  if (length > 1) digits.back() = Below(base - 1, rng) + 1;
  return digits;
}

void Carry(int64_t base, Symbols* digits) {
  int64_t carry = 0;
  for (int64_t& digit : *digits) {
    digit += carry;
    carry = digit / base;
    digit %= base;
  }
  while (digits->size() > 1 && digits->back() == 0) digits->pop_back();
}

MakeCase Arithmetic(int64_t base, bool multiply) {
  return [=](int64_t max_length, Rng* rng) {
    const int64_t first = Below(max_length / 2, rng) + 1;
    const int64_t second = Below(max_length - first - 1, rng) + 1;
    const Symbols a = DrawNumber(first, base, rng);
    const Symbols b = DrawNumber(second, base, rng);
    Case made;
    made.inputs = a;
    made.inputs.push_back(base);
    made.inputs.insert(made.inputs.end(), b.begin(), b.end());
    if (multiply) {
      made.targets.assign(a.size() + b.size(), 0);
      for (size_t i = 0; i < a.size(); ++i) {
        for (size_t j = 0; j < b.size(); ++j) {
          made.targets[i + j] += a[i] * b[j];
        }
      }
    } else {
      made.targets.assign(std::max(a.size(), b.size()) + 1, 0);
      for (size_t i = 0; i < a.size(); ++i) made.targets[i] += a[i];
      for (size_t i = 0; i < b.size(); ++i) made.targets[i] += b[i];
    }
    Carry(base, &made.targets);
    return made;
  };
}

MakeCase Sort(int64_t num_symbols) {
  return [=](int64_t max_length, Rng* rng) {
    Case made;
    made.inputs = DrawSymbols(max_length, num_symbols, rng);
    made.targets = made.inputs;
    std::sort(made.targets.begin(), made.targets.end());
    return made;
  };
}

// The symbols' shares: those of five, or of `num_symbols` the more of a symbol
// the greater it is.
std::vector<double> PlainTextShares(int64_t num_symbols) {
  if (num_symbols == 5) return {0.4, 0.3, 0.2, 0.08, 0.02};
  std::vector<double> shares;
  for (int64_t symbol = 0; symbol < num_symbols; ++symbol) {
    shares.push_back(static_cast<double>(symbol));
  }
  return shares;
}

// Texts of max_length symbols; symbol i is encrypted by the key's i-th number
// (in turn), which many symbols back from it in the alphabet. A key of one
// number is Caesar's cipher, of several Vigenere's.
MakeCase Cipher(int64_t num_symbols, const Symbols& key) {
  std::vector<double> cumulative = PlainTextShares(num_symbols);
  std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
  return [=](int64_t max_length, Rng* rng) {
    Case made;
    made.inputs.resize(max_length);
    for (int64_t& symbol : made.inputs) {
      symbol = DrawByShare(cumulative, rng);
    }
    made.targets = made.inputs;
    for (size_t i = 0; i < made.targets.size(); ++i) {
      made.targets[i] =
          (made.targets[i] + num_symbols - key[i % key.size()]) % num_symbols;
    }
    return made;
  };
}

struct Sizes {
  int64_t train_length = 40;
  int64_t dev_length = 400;
  int64_t train_size = 100000;
  int64_t dev_size = 10000;
  int num_shards = 10;
};

struct AlgorithmicRow {
  const char* name;
  int64_t vocabulary;  // all symbols, the reserved ones not counted
  Sizes sizes;
  MakeCase make;
  std::vector<std::string> more_metrics;
};

class Cases : public ExampleSource {
 public:
  Cases(MakeCase make, int64_t max_length, uint64_t seed)
      : make_(std::move(make)), max_length_(max_length), seed_(seed) {}

  size_t Read(size_t count) override {
    first_ = end_;
    end_ += count;
    return count;
  }

  Example Make(size_t i) const override {
    Rng rng(Rng::Combine(seed_, static_cast<uint64_t>(first_ + i)));
    Case made = make_(max_length_, &rng);
    Example example;
    example.features["inputs"] = ToIds(std::move(made.inputs));
    example.features["targets"] = ToIds(std::move(made.targets));
    return example;
  }

 private:
  static Symbols ToIds(Symbols symbols) {
    for (int64_t& symbol : symbols) symbol += kNumReservedTokens;
    symbols.push_back(kEosId);
    return symbols;
  }

  MakeCase make_;
  int64_t max_length_;
  uint64_t seed_;
  size_t first_ = 0;
  size_t end_ = 0;
};

class CaseSource : public Source {
 public:
  CaseSource(AlgorithmicRow row, int64_t seed)
      : row_(std::move(row)), seed_(static_cast<uint64_t>(seed)) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? row_.sizes.train_size
                                      : row_.sizes.dev_size;
  }

  std::unique_ptr<ExampleSource> Open(DataSplit split) const override {
    return std::make_unique<Cases>(
        row_.make,
        split == DataSplit::kTrain ? row_.sizes.train_length
                                   : row_.sizes.dev_length,
        Rng::Combine(Rng::Combine(seed_, row_.name), SplitName(split)));
  }

 private:
  AlgorithmicRow row_;
  uint64_t seed_;
};

Problem MakeAlgorithmic(const AlgorithmicRow& row) {
  Problem problem;
  problem.name = row.name;
  problem.data_name = row.name;
  problem.open = [row](const SourceContext& context) {
    return std::make_unique<CaseSource>(row, context.options.seed);
  };
  FeatureSpec feature;
  feature.vocabulary.kind = Vocabulary::Kind::kInts;
  feature.vocabulary.size = row.vocabulary;
  feature.space_id = 10;  // DIGIT_0
  problem.features["inputs"] = feature;
  feature.space_id = 11;  // DIGIT_1
  problem.features["targets"] = feature;
  problem.steps = {CropAndPrepend()};
  problem.metrics = DefaultEvalMetrics();
  problem.metrics.insert(problem.metrics.end(), row.more_metrics.begin(),
                         row.more_metrics.end());
  // Drawn at random already.
  problem.splits = {{DataSplit::kTrain, row.sizes.num_shards, false},
                    {DataSplit::kDev, 1, false}};
  return problem;
}

std::vector<AlgorithmicRow> Rows() {
  const Sizes usual;
  return {
      {"algorithmic_identity_binary40", 2, usual, Identity(2), {}},
      {"algorithmic_identity_decimal40", 10, usual, Identity(10), {}},
      {"algorithmic_identity_vocab95_train20_eval30",
       95,
       {20, 30, 1000000},
       Identity(95),
       {}},
      {"algorithmic_shift_decimal40", 20, {40, 80}, Shift(20), {}},
      {"algorithmic_reverse_binary40", 2, usual, Reverse(2), {}},
      {"algorithmic_reverse_decimal40", 10, usual, Reverse(10), {}},
      {"algorithmic_reverse_binary40_test",
       2,
       {10, 10, 1000, 100, 1},
       Reverse(2),
       {}},
      {"algorithmic_reverse_nlplike8k",
       8000,
       {70, 70},
       ReverseNlplike(8000, 1.3),
       {}},
      {"algorithmic_reverse_nlplike32k",
       32000,
       {70, 70},
       ReverseNlplike(32000, 1.05),
       {}},
      // One symbol more: what stands between the two numbers.
      {"algorithmic_addition_binary40", 3, usual, Arithmetic(2, false), {}},
      {"algorithmic_addition_decimal40", 11, usual, Arithmetic(10, false), {}},
      {"algorithmic_multiplication_binary40",
       3,
       usual,
       Arithmetic(2, true),
       {}},
      {"algorithmic_multiplication_decimal40",
       11,
       usual,
       Arithmetic(10, true),
       {}},
      {"tiny_algo", 2, {40, 400, 100, 100, 1}, Identity(2), {}},
      {"algorithmic_sort_problem", 20, {10, 20}, Sort(20), {"edit_distance"}},
      {"algorithmic_cipher_shift5", 5, {100, 100}, Cipher(5, {1}), {}},
      {"algorithmic_cipher_shift200", 200, {100, 100}, Cipher(200, {1}), {}},
      {"algorithmic_cipher_vigenere5", 5, {200, 200}, Cipher(5, {1, 3}), {}},
      {"algorithmic_cipher_vigenere200",
       200,
       {200, 200},
       Cipher(200, {1, 3}),
       {}},
  };
}

}  // namespace

void RegisterAlgorithmic(ProblemRegistry& problems) {
  for (const AlgorithmicRow& row : Rows()) {
    problems.Add(row.name, [row] { return MakeAlgorithmic(row); });
  }
}

}  // namespace t2t
