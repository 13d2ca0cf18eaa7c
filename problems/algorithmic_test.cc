#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "problems/problem_testing.h"
#include "t2t/base/strings.h"
#include "t2t/text/encoders.h"

namespace t2t {
namespace {

using Symbols = std::vector<int64_t>;

struct Case {
  Symbols inputs;
  Symbols targets;
};

// The symbols of a feature, without the shift and EOS.
Symbols SymbolsOf(const Example& example, const char* feature) {
  Symbols symbols = example.Ints(feature);
  EXPECT_EQ(symbols.back(), kEosId);
  symbols.pop_back();
  for (int64_t& symbol : symbols) symbol -= kNumReservedTokens;
  return symbols;
}

std::vector<Case> Generate(const std::string& name, DataSplit split,
                           int64_t max_cases = 300) {
  const auto problem = MakeProblem(name);
  GenerateOptions options;
  options.data_dir = MakeTempDirectory("algorithmic");
  options.max_cases = max_cases;
  GenerateData(*problem, options);
  const int64_t vocab_size =
      problem->Info(options.data_dir).features.at("inputs").vocab_size;
  std::vector<Case> cases;
  for (const Example& example :
       ReadExamples(*problem, options.data_dir, split)) {
    cases.push_back(
        {SymbolsOf(example, "inputs"), SymbolsOf(example, "targets")});
    for (const char* const feature : {"inputs", "targets"}) {
      for (const int64_t id : example.Ints(feature)) {
        EXPECT_GE(id, 1);
        EXPECT_LT(id, vocab_size) << name;
      }
    }
  }
  return cases;
}

size_t Longest(const std::vector<Case>& cases) {
  size_t longest = 0;
  for (const Case& made : cases) {
    longest = std::max(longest, made.inputs.size());
  }
  return longest;
}

TEST(AlgorithmicTest, AllOfT2TsNames) {
  const std::map<std::string, int64_t> vocab_sizes = {
      {"algorithmic_identity_binary40", 4},
      {"algorithmic_identity_decimal40", 12},
      {"algorithmic_identity_vocab95_train20_eval30", 97},
      {"algorithmic_shift_decimal40", 22},
      {"algorithmic_reverse_binary40", 4},
      {"algorithmic_reverse_decimal40", 12},
      {"algorithmic_reverse_nlplike8k", 8002},
      {"algorithmic_reverse_nlplike32k", 32002},
      {"algorithmic_addition_binary40", 5},
      {"algorithmic_addition_decimal40", 13},
      {"algorithmic_multiplication_binary40", 5},
      {"algorithmic_multiplication_decimal40", 13},
      {"algorithmic_reverse_binary40_test", 4},
      {"algorithmic_sort_problem", 22},
      {"algorithmic_cipher_shift5", 7},
      {"algorithmic_cipher_shift200", 202},
      {"algorithmic_cipher_vigenere5", 7},
      {"algorithmic_cipher_vigenere200", 202},
      {"tiny_algo", 4}};
  for (const auto& [name, vocab_size] : vocab_sizes) {
    const ProblemInfo info = MakeProblem(name)->Info("");
    EXPECT_EQ(info.features.at("inputs").vocab_size, vocab_size) << name;
    EXPECT_EQ(info.features.at("targets").vocab_size, vocab_size) << name;
    EXPECT_EQ(info.input_space_id, 10);
    EXPECT_EQ(info.target_space_id, 11);
    EXPECT_EQ(info.features.at("targets").encoder->Decode({2, 3}), "0 1");
  }
}

TEST(AlgorithmicTest, Identity) {
  for (const Case& made :
       Generate("algorithmic_identity_decimal40", DataSplit::kTrain)) {
    EXPECT_EQ(made.inputs, made.targets);
  }
}

TEST(AlgorithmicTest, LengthsAreT2Ts) {
  const auto longest = [](const char* name, DataSplit split) {
    return Longest(Generate(name, split, 3000));
  };
  EXPECT_EQ(longest("algorithmic_identity_binary40", DataSplit::kTrain), 40u);
  const size_t dev = longest("algorithmic_identity_binary40", DataSplit::kDev);
  EXPECT_LE(dev, 400u);
  EXPECT_GT(dev, 380u);
  const char* const vocab95 = "algorithmic_identity_vocab95_train20_eval30";
  EXPECT_EQ(longest(vocab95, DataSplit::kTrain), 20u);
  EXPECT_EQ(longest(vocab95, DataSplit::kDev), 30u);
  EXPECT_EQ(longest("algorithmic_shift_decimal40", DataSplit::kDev), 80u);
  EXPECT_EQ(longest("algorithmic_sort_problem", DataSplit::kTrain), 10u);
  EXPECT_EQ(longest("algorithmic_sort_problem", DataSplit::kDev), 20u);
  EXPECT_LE(longest("algorithmic_addition_decimal40", DataSplit::kTrain), 40u);
}

TEST(AlgorithmicTest, SizesAreT2Ts) {
  const auto test = MakeProblem("algorithmic_reverse_binary40_test");
  GenerateOptions options;
  options.data_dir = MakeTempDirectory("algorithmic");
  GenerateData(*test, options);
  EXPECT_EQ(ReadExamples(*test, options.data_dir, DataSplit::kTrain).size(),
            1000u);
  EXPECT_EQ(ReadExamples(*test, options.data_dir, DataSplit::kDev).size(),
            100u);
  EXPECT_EQ(test->DataFiles(options.data_dir, DataSplit::kTrain).size(), 1u);
  EXPECT_EQ(WrongDataFacts(test->name, options.data_dir), "");
  EXPECT_EQ(Generate("tiny_algo", DataSplit::kTrain, 0).size(), 100u);

  const auto decimal = MakeProblem("algorithmic_identity_decimal40");
  GenerateData(*decimal, options);
  EXPECT_EQ(WrongDataFacts(decimal->name, options.data_dir), "");
  EXPECT_EQ(ReadExamples(*decimal, options.data_dir, DataSplit::kTrain).size(),
            100000u);
  EXPECT_EQ(decimal->DataFiles(options.data_dir, DataSplit::kTrain).size(),
            10u);
}

TEST(AlgorithmicTest, ShiftReverseSort) {
  for (const Case& made :
       Generate("algorithmic_shift_decimal40", DataSplit::kTrain)) {
    Symbols shifted = made.inputs;
    for (int64_t& symbol : shifted) {
      EXPECT_LT(symbol, 10);
      symbol += 10;
    }
    EXPECT_EQ(made.targets, shifted);
  }
  for (const Case& made :
       Generate("algorithmic_reverse_binary40", DataSplit::kDev)) {
    EXPECT_EQ(made.targets, Symbols(made.inputs.rbegin(), made.inputs.rend()));
  }
  for (const Case& made :
       Generate("algorithmic_sort_problem", DataSplit::kTrain)) {
    Symbols sorted = made.inputs;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(made.targets, sorted);
  }
  EXPECT_EQ(MakeProblem("algorithmic_sort_problem")->metrics.back(),
            "edit_distance");
}

TEST(AlgorithmicTest, NlplikeFollowsZipf) {
  std::map<int64_t, int> counts;
  double lengths = 0;
  const std::vector<Case> cases =
      Generate("algorithmic_reverse_nlplike8k", DataSplit::kTrain, 1000);
  int total = 0;
  for (const Case& made : cases) {
    EXPECT_EQ(made.targets, Symbols(made.inputs.rbegin(), made.inputs.rend()));
    lengths += static_cast<double>(made.inputs.size());
    for (const int64_t symbol : made.inputs) ++counts[symbol];
    total += static_cast<int>(made.inputs.size());
  }
  // The mean of int(|N(35, 7)| + 1) is 35.5.
  EXPECT_NEAR(lengths / 1000, 35.5, 1);
  // Of 8,000 ranks with exponent 1.3 the first has 27 % and the second
  // 2^-1.3 as much.
  EXPECT_NEAR(counts[0] / static_cast<double>(total), 0.27, 0.02);
  EXPECT_NEAR(counts[1] / static_cast<double>(counts[0]), 0.406, 0.03);
  EXPECT_GT(counts.size(), 1000u);
}

// T2T turns the alphabet to the right: 1 is encrypted as 0.
TEST(AlgorithmicTest, Ciphers) {
  const std::map<std::string, Symbols> keys = {
      {"algorithmic_cipher_shift5", {1}},
      {"algorithmic_cipher_shift200", {1}},
      {"algorithmic_cipher_vigenere5", {1, 3}},
      {"algorithmic_cipher_vigenere200", {1, 3}}};
  for (const auto& [name, key] : keys) {
    const int64_t symbols = EndsWith(name, "200") ? 200 : 5;
    std::vector<int> counts(symbols);
    for (const Case& made : Generate(name, DataSplit::kTrain, 200)) {
      EXPECT_EQ(made.inputs.size(), key.size() == 1 ? 100u : 200u);
      for (size_t i = 0; i < made.inputs.size(); ++i) {
        const int64_t moved = made.targets[i] + key[i % key.size()];
        EXPECT_EQ(moved % symbols, made.inputs[i]) << name;
        ++counts[made.inputs[i]];
      }
    }
    if (symbols == 5) {
      // 0.4 and 0.02 of all.
      EXPECT_NEAR(counts[0] / static_cast<double>(counts[4]), 20, 4) << name;
    } else {
      EXPECT_EQ(counts[0], 0) << name;
      EXPECT_GT(counts[199], counts[20]) << name;
    }
  }
}

// The two numbers of an input, and that of a target, as T2T reads them: the
// lowest digit first.
__int128 Value(const Symbols& digits, int64_t base) {
  __int128 value = 0;
  for (size_t i = digits.size(); i > 0; --i) {
    value = value * base + digits[i - 1];
  }
  return value;
}

TEST(AlgorithmicTest, Arithmetic) {
  for (const std::string base_name : {"binary", "decimal"}) {
    const int64_t base = base_name == "binary" ? 2 : 10;
    for (const std::string operation : {"addition", "multiplication"}) {
      int checked = 0;
      for (const Case& made :
           Generate("algorithmic_" + operation + "_" + base_name + "40",
                    DataSplit::kTrain)) {
        const auto separator =
            std::find(made.inputs.begin(), made.inputs.end(), base);
        ASSERT_NE(separator, made.inputs.end());
        const Symbols a(made.inputs.begin(), separator);
        const Symbols b(separator + 1, made.inputs.end());
        ASSERT_FALSE(a.empty());
        ASSERT_FALSE(b.empty());
        for (const Symbols& number : {a, b, made.targets}) {
          EXPECT_TRUE(number.size() == 1 || number.back() != 0);
          EXPECT_LT(*std::max_element(number.begin(), number.end()), base);
        }
        // What fits into 127 bits.
        if (a.size() + b.size() > 36) continue;
        ++checked;
        const __int128 expected = operation == "addition"
                                      ? Value(a, base) + Value(b, base)
                                      : Value(a, base) * Value(b, base);
        EXPECT_TRUE(Value(made.targets, base) == expected);
      }
      EXPECT_GT(checked, 100);
    }
  }
}

}  // namespace
}  // namespace t2t
