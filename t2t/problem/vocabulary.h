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
  // Subwords: about so many. Ints: the symbols, the reserved ids not counted.
  // Pixels: the values.
  int64_t size = 0;
  int64_t max_subtoken_length = 200;
  // Subwords are built of about so many characters of each file of the text,
  // spread evenly over it, as T2T does for translations; 0: of all text.
  double sample_characters = 0;
  std::vector<std::string> subtokens;  // known, not built of text
  std::string oov_token;               // of kTokens; must be in the list
  // In --tmp_dir: the list of kTokens, and (where it is there) of kLabelFile.
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
