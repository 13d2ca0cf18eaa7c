#ifndef T2T_PROBLEM_TEXT_SOURCE_H_
#define T2T_PROBLEM_TEXT_SOURCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/problem/pair_reader.h"
#include "t2t/problem/source.h"

namespace t2t {

// The samples as an ExampleSource: features "inputs" and "targets", of one
// string each.
std::unique_ptr<ExampleSource> ExamplesOfText(NextSample next);

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
                          const Vocabulary& vocabulary) const override;
  std::pair<std::string, Json> Fingerprint() const override {
    return {"text", fingerprint_};
  }

 protected:
  NextSample Samples(DataSplit split) const;

 private:
  Files files_;
  bool drop_empty_;
  std::map<DataSplit, int64_t> sizes_;
  // Of the text of a file, not of its gzip: as inputs and as targets.
  std::map<std::string, std::pair<int64_t, int64_t>> bytes_;
  Json fingerprint_;
};

// Ways to open a problem's source:
// The problem's corpora of pairs, as they are.
std::unique_ptr<Source> OpenTextPairs(const SourceContext& context);
// Without lines that are empty on either side, as T2T compiles translations.
std::unique_ptr<Source> OpenTranslation(const SourceContext& context);
// Of the training pairs only those that `some` chooses: it is given what opens
// all of them, from the first one on.
using OpenSamples = std::function<NextSample()>;
std::unique_ptr<Source> OpenSomeTranslations(
    const SourceContext& context,
    std::function<NextSample(const OpenSamples& all)> some);
// Files that the options name, or T2T's names in tmp_dir: inputs.train.txt,
// targets.train.txt, inputs.eval.txt, targets.eval.txt.
std::unique_ptr<Source> OpenNamedText(const SourceContext& context);

// A file that a person may name; else this name in tmp_dir, where it must not
// be another's.
std::string NamedOrIn(const std::string& given, const std::string& tmp_dir,
                      const std::string& name);

}  // namespace t2t

#endif  // T2T_PROBLEM_TEXT_SOURCE_H_
