#ifndef T2T_PROBLEM_TEXT_KINDS_H_
#define T2T_PROBLEM_TEXT_KINDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/problem/problem.h"

namespace t2t {

// Kinds of problems out of text. What they make may be changed further: it is
// data.

// T2T's Text2TextProblem: text to text, each followed by EOS; 100 shards of
// training and one of dev; training examples are shuffled, the others stay in
// the order of the text. `open` is still to be set.
Problem TextToText(const std::string& name, const Vocabulary& inputs,
                   const Vocabulary& targets);
// T2T's Text2ClassProblem: text, followed by EOS, to a label of those of the
// training text (or of labels.txt in tmp_dir).
Problem TextToClass(const std::string& name, int64_t vocab_size);

// T2T's Text2SelfProblem: text alone, followed by EOS.
Problem TextToSelf(const std::string& name, const Vocabulary& targets);
// T2T's Text2ClassProblem and TextConcat2ClassProblem: a text, or several with
// the first id of "$" between them, to a label that a sample has as its number.
Problem TextToLabel(const std::string& name, const Vocabulary& inputs,
                    std::vector<std::string> labels);
// T2T's QuestionAndContext2TextProblem: a question ("inputs") about a text
// ("context") to an answer.
Problem QuestionToText(const std::string& name, const Vocabulary& vocabulary);
// The token between a question and its context, and its id.
inline constexpr char kEndOfQuestion[] = "<EOQ>";
inline constexpr int64_t kEndOfQuestionId = 2;
// Where the context goes behind the question in one feature, as models with one
// input take it.
void JoinContext(Problem* problem);

// Training shards, shuffled; then one of dev, and one of test.
std::vector<SplitSpec> TrainDev(int train_shards);
std::vector<SplitSpec> TrainDevTest(int train_shards);

// The vocabulary of another problem's targets, of the name that it has there.
Vocabulary VocabularyOf(const std::string& problem);
// The commonest `size` words of the training text (0: all).
Vocabulary Words(const std::string& problem, int64_t size = 0);
// Words before the texts, by which a model tells tasks apart.
void SetPrefixes(const std::string& inputs, const std::string& targets,
                 Problem* problem);

// The vocabulary of a translation: one of both sides, or one of each.
struct TranslationVocabulary {
  int64_t size = 0;  // 0: bytes
  // The ends of the names of two vocabularies; "": there is one.
  std::string source, target;
  // The problem whose vocabulary it is; "": it is this one's.
  std::string of_problem;
  // The file, if it isn't that of SharedSubwords().
  std::string file;
  // Of each file it is built of; T2T's 1e6 (generate_lines_for_vocab).
  double sample_characters = 1e6;
};
TranslationVocabulary Shared(int64_t size);
TranslationVocabulary Characters();
TranslationVocabulary Of(const std::string& problem);
TranslationVocabulary PerSide(const std::string& source,
                              const std::string& target, int64_t size,
                              double sample_characters);

// T2T's TranslateProblem: corpora of pairs, without lines that are empty on
// either side.
Problem Translation(const std::string& name, std::vector<CorpusUse> corpora,
                    const TranslationVocabulary& vocabulary);

}  // namespace t2t

#endif  // T2T_PROBLEM_TEXT_KINDS_H_
