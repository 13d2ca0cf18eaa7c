// Sequences of symbols to be copied, reversed, or turned about in pairs
// (Grefenstette et al. 2015, "Learning to Transduce with Unbounded Memory",
// arXiv:1506.02516). T2T's data_generators/transduction_problems.py, and as
// there the dev examples are of the lengths of the training ones: it deals one
// stream to the shards of both. Drawn by a generator of our own.

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"

namespace t2t {
namespace {

using Texts = std::vector<std::string>;

struct TransductionRow {
  std::string name;
  std::function<Texts(Texts)> transduce;
  bool even = false;  // even lengths alone
  uint64_t symbols = 128;
  uint64_t shortest = 8, longest = 64;
  int64_t samples = 1000000;
};

Texts Same(Texts words) { return words; }

Texts Backwards(Texts words) {
  std::reverse(words.begin(), words.end());
  return words;
}

Texts PairsTurned(Texts words) {
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    std::swap(words[i], words[i + 1]);
  }
  return words;
}

NextExample Draw(const TransductionRow& row, uint64_t seed) {
  return [row, rng = Rng(seed), left = row.samples](Example* example) mutable {
    if (left-- <= 0) return false;
    uint64_t length = row.shortest + rng.Below(row.longest - row.shortest + 1);
    if (row.even) length -= length % 2;
    Texts words;
    for (uint64_t i = 0; i < length; ++i) {
      words.push_back("sym_" + std::to_string(1 + rng.Below(row.symbols)));
    }
    const std::string inputs = Join(words, " ");
    *example = TextPair(inputs, Join(row.transduce(std::move(words)), " "));
    return true;
  };
}

Problem MakeTransduction(const TransductionRow& row) {
  Vocabulary symbols = Words(row.name);
  for (uint64_t i = 1; i <= row.symbols; ++i) {
    symbols.subtokens.push_back("sym_" + std::to_string(i));
  }
  std::sort(symbols.subtokens.begin(), symbols.subtokens.end());
  Problem problem = TextToText(row.name, symbols, symbols);
  ReadBy({[row](const SampleFiles& files) { return Draw(row, files.seed); },
          /*dealt=*/true},
         &problem);
  return problem;
}

}  // namespace

void RegisterTransduction(ProblemRegistry& problems) {
  const auto small = [](const std::string& name,
                        std::function<Texts(Texts)> transduce) {
    return TransductionRow{name,  std::move(transduce), false, 64, 4, 16,
                           100000};
  };
  for (const TransductionRow& row :
       {TransductionRow{"copy_sequence", Same},
        small("copy_sequence_small", Same),
        TransductionRow{"reverse_sequence", Backwards},
        small("reverse_sequence_small", Backwards),
        TransductionRow{"flip_bi_gram_sequence", PairsTurned, true}}) {
    problems.Add(row.name, [row] { return MakeTransduction(row); });
  }
}

}  // namespace t2t
