// The problems of T2T's data_generators/algorithmic.py. The examples are drawn
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
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/rng.h"
#include "t2t/formats/shards.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/generate.h"
#include "t2t/problem/problem.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using Symbols = std::vector<int64_t>;

struct Case {
  Symbols inputs;
  Symbols targets;
};

// What makes the cases of a problem.
class CaseMaker {
 public:
  virtual ~CaseMaker() = default;
  virtual Case Make(int64_t max_length, Rng* rng) const = 0;
};

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

class Identity : public CaseMaker {
 public:
  explicit Identity(int64_t num_symbols) : num_symbols_(num_symbols) {}

  Case Make(int64_t max_length, Rng* rng) const override {
    const Symbols inputs = DrawSymbols(max_length, num_symbols_, rng);
    return {inputs, inputs};
  }

 private:
  int64_t num_symbols_;
};

class Shift : public CaseMaker {
 public:
  explicit Shift(int64_t num_symbols) : num_symbols_(num_symbols) {}

  Case Make(int64_t max_length, Rng* rng) const override {
    constexpr int64_t kShift = 10;
    Case made;
    made.inputs = DrawSymbols(max_length, num_symbols_ - kShift, rng);
    made.targets = made.inputs;
    for (int64_t& symbol : made.targets) symbol += kShift;
    return made;
  }

 private:
  int64_t num_symbols_;
};

class Reverse : public CaseMaker {
 public:
  explicit Reverse(int64_t num_symbols) : num_symbols_(num_symbols) {}

  Case Make(int64_t max_length, Rng* rng) const override {
    const Symbols inputs = DrawSymbols(max_length, num_symbols_, rng);
    return {inputs, Reversed(inputs)};
  }

 private:
  int64_t num_symbols_;
};

// Lengths around the middle, symbols by Zipf's law.
class ReverseNlplike : public CaseMaker {
 public:
  ReverseNlplike(int64_t num_symbols, double alpha) {
    double sum = 0;
    for (int64_t rank = 1; rank <= num_symbols; ++rank) {
      sum += std::pow(static_cast<double>(rank), -alpha);
      cumulative_.push_back(sum);
    }
  }

  Case Make(int64_t max_length, Rng* rng) const override {
    constexpr double kDeviations = 10;
    const auto length = static_cast<double>(max_length);
    // Box and Muller; 1 - u is never 0.
    const double normal = std::sqrt(-2 * std::log(1 - rng->Uniform())) *
                          std::cos(2 * std::numbers::pi * rng->Uniform());
    Symbols inputs(static_cast<size_t>(
        std::abs(length / 2 + normal * length / kDeviations) + 1));
    for (int64_t& symbol : inputs) {
      symbol = std::min<int64_t>(
          std::upper_bound(cumulative_.begin(), cumulative_.end(),
                           rng->Uniform() * cumulative_.back()) -
              cumulative_.begin(),
          static_cast<int64_t>(cumulative_.size()) - 1);
    }
    return {inputs, Reversed(inputs)};
  }

 private:
  std::vector<double> cumulative_;
};

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

class Arithmetic : public CaseMaker {
 public:
  Arithmetic(int64_t base, bool multiply) : base_(base), multiply_(multiply) {}

  Case Make(int64_t max_length, Rng* rng) const override {
    const int64_t first = Below(max_length / 2, rng) + 1;
    const int64_t second = Below(max_length - first - 1, rng) + 1;
    const Symbols a = DrawNumber(first, base_, rng);
    const Symbols b = DrawNumber(second, base_, rng);
    Case made;
    made.inputs = a;
    made.inputs.push_back(base_);
    made.inputs.insert(made.inputs.end(), b.begin(), b.end());
    if (multiply_) {
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
    Carry(base_, &made.targets);
    return made;
  }

 private:
  int64_t base_;
  bool multiply_;
};

class Sort : public CaseMaker {
 public:
  explicit Sort(int64_t num_symbols) : num_symbols_(num_symbols) {}

  Case Make(int64_t max_length, Rng* rng) const override {
    Case made;
    made.inputs = DrawSymbols(max_length, num_symbols_, rng);
    made.targets = made.inputs;
    std::sort(made.targets.begin(), made.targets.end());
    return made;
  }

 private:
  int64_t num_symbols_;
};

struct Sizes {
  int64_t train_length = 40;
  int64_t dev_length = 400;
  int64_t train_size = 100000;
  int64_t dev_size = 10000;
  int num_shards = 10;
};

class CaseSource : public ExampleSource {
 public:
  CaseSource(const CaseMaker& maker, int64_t max_length, uint64_t seed)
      : maker_(maker), max_length_(max_length), seed_(seed) {}

  size_t Read(size_t count) override {
    first_ = end_;
    end_ += count;
    return count;
  }

  Example Make(size_t i) const override {
    Rng rng(Rng::Combine(seed_, static_cast<uint64_t>(first_ + i)));
    Case made = maker_.Make(max_length_, &rng);
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

  const CaseMaker& maker_;
  int64_t max_length_;
  uint64_t seed_;
  size_t first_ = 0;
  size_t end_ = 0;
};

class AlgorithmicProblem : public Problem, public HasDataFacts {
 public:
  // vocabulary: of all symbols, the reserved ones not counted.
  AlgorithmicProblem(int64_t vocabulary, Sizes sizes,
                     std::unique_ptr<const CaseMaker> maker)
      : vocabulary_(vocabulary), sizes_(sizes), maker_(std::move(maker)) {}

  void Generate(const GenerateOptions& options) const override {
    std::vector<SplitPlan> plans = {
        Plan(DataSplit::kTrain, sizes_.num_shards, sizes_.train_size,
             sizes_.train_length, options),
        Plan(DataSplit::kDev, 1, sizes_.dev_size, sizes_.dev_length, options)};
    GenerateProblem(name(), plans, MakeOrigin(plans, options), options);
  }

  ProblemInfo Info(const std::string& data_dir) const override {
    ProblemInfo info;
    info.name = name();
    FeatureInfo feature;
    feature.vocab_size = vocabulary_ + kNumReservedTokens;
    feature.encoder = std::make_shared<IntTextEncoder>(feature.vocab_size);
    info.features["inputs"] = feature;
    info.features["targets"] = feature;
    info.input_space_id = 10;   // DIGIT_0
    info.target_space_id = 11;  // DIGIT_1
    return info;
  }

  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const override {
    return FindShards(data_dir, name(), SplitName(split));
  }

  bool Preprocess(Example* example, Mode mode,
                  const HParams& hparams) const override {
    PreprocessExampleCommon(example, mode, hparams);
    return true;
  }

  std::vector<std::string> EvalMetrics() const override {
    return DefaultEvalMetrics();
  }

  DataFacts data_facts() const override {
    DataFacts facts;
    facts.train_shards = sizes_.num_shards;
    facts.other_shards = 1;
    return facts;
  }

 private:
  SplitPlan Plan(DataSplit split, int num_shards, int64_t size,
                 int64_t max_length, const GenerateOptions& options) const {
    SplitPlan plan;
    plan.split = split;
    plan.num_shards = NumShards(split, num_shards, options);
    plan.num_examples =
        options.max_cases > 0 ? std::min(size, options.max_cases) : size;
    const uint64_t seed =
        Rng::Combine(Rng::Combine(static_cast<uint64_t>(options.seed), name()),
                     SplitName(split));
    plan.open = [this, max_length, seed] {
      return std::make_unique<CaseSource>(*maker_, max_length, seed);
    };
    return plan;
  }

  int64_t vocabulary_;
  Sizes sizes_;
  std::unique_ptr<const CaseMaker> maker_;
};

class SortProblem : public AlgorithmicProblem {
 public:
  using AlgorithmicProblem::AlgorithmicProblem;

  std::vector<std::string> EvalMetrics() const override {
    std::vector<std::string> metrics = DefaultEvalMetrics();
    metrics.emplace_back("edit_distance");
    return metrics;
  }
};

template <typename ProblemType, typename Maker, typename... Arguments>
void Register(ProblemRegistry& problems, const std::string& name,
              int64_t vocabulary, const Sizes& sizes, Arguments... arguments) {
  problems.Add(name, [=] {
    std::unique_ptr<Problem> problem = std::make_unique<ProblemType>(
        vocabulary, sizes, std::make_unique<Maker>(arguments...));
    problem->set_name(name);
    return problem;
  });
}

}  // namespace

void RegisterAlgorithmic(ProblemRegistry& problems) {
  const auto add = [&]<typename Maker>(const std::string& name,
                                       int64_t vocabulary, const Sizes& sizes,
                                       auto... arguments) {
    Register<AlgorithmicProblem, Maker>(problems, name, vocabulary, sizes,
                                        arguments...);
  };
  const Sizes usual;
  add.operator()<Identity>("algorithmic_identity_binary40", 2, usual, 2);
  add.operator()<Identity>("algorithmic_identity_decimal40", 10, usual, 10);
  add.operator()<Identity>("algorithmic_identity_vocab95_train20_eval30", 95,
                           {20, 30, 1000000}, 95);
  add.operator()<Shift>("algorithmic_shift_decimal40", 20, {40, 80}, 20);
  add.operator()<Reverse>("algorithmic_reverse_binary40", 2, usual, 2);
  add.operator()<Reverse>("algorithmic_reverse_decimal40", 10, usual, 10);
  add.operator()<Reverse>("algorithmic_reverse_binary40_test", 2,
                          {10, 10, 1000, 100, 1}, 2);
  add.operator()<ReverseNlplike>("algorithmic_reverse_nlplike8k", 8000,
                                 {70, 70}, 8000, 1.3);
  add.operator()<ReverseNlplike>("algorithmic_reverse_nlplike32k", 32000,
                                 {70, 70}, 32000, 1.05);
  // One symbol more: what stands between the two numbers.
  add.operator()<Arithmetic>("algorithmic_addition_binary40", 3, usual, 2,
                             false);
  add.operator()<Arithmetic>("algorithmic_addition_decimal40", 11, usual, 10,
                             false);
  add.operator()<Arithmetic>("algorithmic_multiplication_binary40", 3, usual, 2,
                             true);
  add.operator()<Arithmetic>("algorithmic_multiplication_decimal40", 11, usual,
                             10, true);
  add.operator()<Identity>("tiny_algo", 2, {40, 400, 100, 100, 1}, 2);
  Register<SortProblem, Sort>(problems, "algorithmic_sort_problem", 20,
                              {10, 20}, 20);
}
}  // namespace t2t
