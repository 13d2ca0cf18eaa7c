// The problem next_letter: "hello" becomes "ifmmp".

#include <algorithm>
#include <string>

#include "t2t/base/rng.h"
#include "t2t/problem/text_problem.h"
#include "usr_dir.h"

namespace usr_dir {
namespace {

using t2t::DataSplit;

constexpr int64_t kTrainLines = 2000;
constexpr int64_t kOtherLines = 100;
constexpr uint64_t kMostLetters = 12;

std::string NextLetters(std::string text) {
  for (char& letter : text) {
    letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
  }
  return text;
}

class Words : public t2t::TextSource {
 public:
  Words(uint64_t seed, int64_t count) : rng_(seed), left_(count) {}

  bool Next(t2t::TextSample* sample) override {
    if (left_-- == 0) return false;
    sample->inputs.clear();
    const uint64_t letters = 1 + rng_.Below(kMostLetters);
    for (uint64_t i = 0; i < letters; ++i) {
      sample->inputs += static_cast<char>('a' + rng_.Below(26));
    }
    sample->targets = NextLetters(sample->inputs);
    return true;
  }

 private:
  t2t::Rng rng_;
  int64_t left_;
};

class WordCorpus : public t2t::TextCorpus {
 public:
  explicit WordCorpus(uint64_t seed) : seed_(seed) {}

  int64_t size(DataSplit split) const override {
    return split == DataSplit::kTrain ? kTrainLines : kOtherLines;
  }
  std::unique_ptr<t2t::TextSource> Open(DataSplit split) const override {
    return std::make_unique<Words>(
        t2t::Rng::Combine(seed_, t2t::SplitName(split)), size(split));
  }

 private:
  uint64_t seed_;
};

class NextLetter : public t2t::Text2TextProblem {
 public:
  t2t::VocabularyType vocabulary_type() const override {
    return t2t::VocabularyType::kCharacter;
  }
  t2t::ProblemInfo Info(const std::string& data_dir) const override {
    t2t::ProblemInfo info = Text2TextProblem::Info(data_dir);
    info.features.at("targets").modality = "symbol_unsmoothed";
    return info;
  }

 protected:
  std::vector<t2t::TextShards> Shards() const override {
    return {{DataSplit::kTrain, 1, true}, {DataSplit::kDev, 1, false}};
  }
  std::unique_ptr<t2t::TextCorpus> FindCorpus(
      const t2t::GenerateOptions& options, bool /*fetch*/) const override {
    return std::make_unique<WordCorpus>(static_cast<uint64_t>(options.seed));
  }
};

}  // namespace

void RegisterProblem(t2t::ProblemRegistry& problems) {
  t2t::AddProblem<NextLetter>(problems, "next_letter");
}

}  // namespace usr_dir
