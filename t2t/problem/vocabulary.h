#ifndef T2T_PROBLEM_VOCABULARY_H_
#define T2T_PROBLEM_VOCABULARY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "t2t/text/text_encoder.h"

namespace t2t {

// What turns a feature's text into ids and back. Two features with the same
// file share a vocabulary, which is then built of the text of both.
struct Vocabulary {
  enum class Kind {
    kNone,       // no text: nothing to encode or to show
    kBytes,      // 256 bytes and the reserved ids
    kSubwords,   // T2T's SubwordTextEncoder, built of the training text
    kTokens,     // white-space separated tokens of a list that a person gives
    kWords,      // such tokens, the commonest of the training text first
    kLabelFile,  // class labels: those of the training text, or of a list
    kLabels,     // class labels, known
    kInts,       // numbers, shifted by the reserved ids
    kPixels,     // numbers, as they are
    kCustom,     // `load`
  };

  Kind kind = Kind::kNone;
  // In --data_dir; "": none is stored.
  std::string file;
  // A SentencePiece model in --data_dir that goes before `file` where it is
  // there, and the file itself may be given by a person (--vocab).
  std::string model_file;
  // Subwords: about so many. Words: so many, those of `reserved` and the
  // reserved ids not counted; 0: all. Ints: the symbols, the reserved ids not
  // counted. Pixels: the values. None: the numbers of a vector.
  int64_t size = 0;
  int64_t max_subtoken_length = 200;
  // Subwords are built of about so many characters of each file of the text,
  // spread evenly over it, as T2T does for translations; 0: of all text.
  double sample_characters = 0;
  // Of the samples' text: so many samples, or characters, from the start; 0:
  // all. Of the dev text too, where that is to have no unknown word.
  int64_t max_samples = 0;
  int64_t max_characters = 0;
  bool of_dev_too = false;
  // Tokens of their own ids, next to those of <pad> and <EOS>.
  std::vector<std::string> reserved;
  // The problem whose vocabulary it is, where it is not this one's: built of
  // that one's text if it isn't there, and never built anew.
  std::string of_problem;
  std::vector<std::string> subtokens;  // or words: known, not built of text
  // Of kTokens: must be in the list. Of kWords: comes behind `reserved`.
  std::string oov_token;
  // In --tmp_dir: the list of kTokens (a token a line; what is behind a tab is
  // not part of it; `size` of them, 0: all), and, where it is there, of
  // kLabelFile.
  std::string list_file;
  std::vector<std::string> labels;  // of kLabels, in the order of their ids
  std::function<std::shared_ptr<const TextEncoder>(const std::string& path)>
      load;

  // Text is followed by EOS in an example; a label isn't.
  bool appends_eos() const {
    return kind != Kind::kLabelFile && kind != Kind::kLabels;
  }
  bool has_file() const { return !file.empty(); }
};

// T2T's names: vocab.<problem>.<size>.subwords, with vocab.<problem>.model
// before it. A problem's only vocabulary, or that of one side of two:
// vocab.<problem>.<size>.subwords.<language>.
Vocabulary SharedSubwords(const std::string& problem, int64_t size);
Vocabulary SubwordsOf(const std::string& language, const std::string& problem,
                      int64_t size);
Vocabulary Bytes();
Vocabulary Labels(std::vector<std::string> labels);
Vocabulary Pixels();

// The file that counts in this folder: the model where it is there. "": none.
std::string VocabularyPath(const Vocabulary& vocabulary,
                           const std::string& data_dir);
// Null for kNone and kPixels. Throws a MissingError, which says how `problem`
// is made, where the file isn't there.
std::shared_ptr<const TextEncoder> LoadVocabulary(const Vocabulary& vocabulary,
                                                  const std::string& problem,
                                                  const std::string& data_dir);

}  // namespace t2t

#endif  // T2T_PROBLEM_VOCABULARY_H_
