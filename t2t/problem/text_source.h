#ifndef T2T_PROBLEM_TEXT_SOURCE_H_
#define T2T_PROBLEM_TEXT_SOURCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/problem/source.h"

namespace t2t {

struct TextSample {
  std::string inputs;
  std::string targets;
};

// Gives pairs of texts, in order, until it returns false.
using NextSample = std::function<bool(TextSample*)>;

// The samples as an ExampleSource: features "inputs" and "targets", of one
// string each.
std::unique_ptr<ExampleSource> ExamplesOfText(NextSample next);

// Two files, line n of one to line n of the other.
struct TextFiles {
  std::string inputs;
  std::string targets;
  CorpusReader reader = CorpusReader::kLines;
};

// Lines of pairs of files each split, stripped as Python's str.strip() does
// it. The constructor reads all of them once; it throws a MissingError where a
// file isn't there and a DataError where it is empty or the two have different
// numbers of lines.
class TextFileSource : public Source {
 public:
  using Files = std::map<DataSplit, std::vector<TextFiles>>;

  // drop_empty: leaves out the lines of which either side is empty.
  TextFileSource(Files files, int threads, bool drop_empty);

  int64_t size(DataSplit split) const override;
  std::unique_ptr<ExampleSource> Open(DataSplit split) const override;
  NextText VocabularyText(const std::vector<std::string>& features,
                          double sample_characters) const override;
  std::pair<std::string, Json> Fingerprint() const override {
    return {"text", fingerprint_};
  }

 private:
  NextSample Samples(DataSplit split) const;

  Files files_;
  bool drop_empty_;
  std::map<DataSplit, int64_t> sizes_;
  std::map<std::string, int64_t> bytes_;  // of the text, not of its gzip
  Json fingerprint_;
};

// Ways to open a problem's source:
// The problem's corpora of pairs, as they are.
std::unique_ptr<Source> OpenTextPairs(const SourceContext& context);
// Without lines that are empty on either side, as T2T compiles translations.
std::unique_ptr<Source> OpenTranslation(const SourceContext& context);
// Files that the options name, or T2T's names in tmp_dir: inputs.train.txt,
// targets.train.txt, inputs.eval.txt, targets.eval.txt.
std::unique_ptr<Source> OpenNamedText(const SourceContext& context);

// A file that a person may name; else this name in tmp_dir, where it must not
// be another's.
std::string NamedOrIn(const std::string& given, const std::string& tmp_dir,
                      const std::string& name);

}  // namespace t2t

#endif  // T2T_PROBLEM_TEXT_SOURCE_H_
