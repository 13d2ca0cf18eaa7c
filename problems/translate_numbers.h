#ifndef PROBLEMS_TRANSLATE_NUMBERS_H_
#define PROBLEMS_TRANSLATE_NUMBERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/problem/text_problem.h"

namespace t2t {

// Lines of one to four number names, English to German, made by rule:
// "seven, three hundred forty-two" to "sieben, dreihundertzweiundvierzig".
// Several to a line, so that BLEU's 4-grams measure something. One in ten
// numbers from 100 up is in no training line; the dev and test lines have no
// others (and each its own). The dev and test text is written next to the
// shards, as <problem>.dev.en and so on.
//
// The vocabulary is not learned from the text but made of the parts that the
// names are made of ("drei", "hundert", "zwei", "und", "vier", "zig_"): cut at
// these, the names are learned in a fraction of the steps.
class TranslateNumbersEnde : public Text2TextProblem {
 public:
  // The split whose lines may have the number.
  static DataSplit SplitOf(int64_t number);
  // The numbers of line `index` of a split.
  static std::vector<int64_t> LineNumbers(uint64_t seed, DataSplit split,
                                          int64_t index);

  DataFacts data_facts() const override;

 protected:
  int64_t approx_vocab_size() const override { return 1 << 8; }
  std::vector<TextShards> Shards() const override;
  std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                         bool fetch) const override;
  void BuildVocabulary(const TextCorpus& corpus,
                       const GenerateOptions& options) const override;
  void WriteExtras(const TextCorpus& corpus,
                   const GenerateOptions& options) const override;

 private:
  // Of the files that WriteExtras() writes.
  std::string ExtraStem(DataSplit split) const;
};

}  // namespace t2t

#endif  // PROBLEMS_TRANSLATE_NUMBERS_H_
