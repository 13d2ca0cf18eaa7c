#ifndef T2T_PROBLEM_TEXT_PROBLEM_H_
#define T2T_PROBLEM_TEXT_PROBLEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/formats/example.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/generate.h"
#include "t2t/problem/problem.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

struct TextSample {
  std::string inputs;
  std::string targets;
};

// The samples of one split, in order.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // False at the end.
  virtual bool Next(TextSample* sample) = 0;
};

// Gives one text a call until it returns false.
using NextText = std::function<bool(std::string*)>;

// The text a problem is made of.
class TextCorpus {
 public:
  virtual ~TextCorpus() = default;
  virtual int64_t size(DataSplit split) const = 0;
  virtual std::unique_ptr<TextSource> Open(DataSplit split) const = 0;
  // What a vocabulary is built from: the training text, inputs and targets in
  // turn, or inputs alone.
  virtual NextText VocabularyText(bool with_targets) const;
  // What the text can be told by later; null where the problem's name and the
  // seed say it all.
  virtual Json Fingerprint() const { return Json(); }
};

struct TextFiles {
  std::string inputs;
  std::string targets;
};

// Lines of pairs of files each split, stripped as Python's str.strip() does
// it. The constructor reads all of them once; it throws a MissingError where a
// file isn't there and a DataError where it is empty or the two have different
// numbers of lines.
class FileCorpus : public TextCorpus {
 public:
  using Files = std::map<DataSplit, std::vector<TextFiles>>;

  // drop_empty: leaves out the lines of which either side is empty.
  FileCorpus(Files files, int threads, bool drop_empty = false);

  int64_t size(DataSplit split) const override;
  std::unique_ptr<TextSource> Open(DataSplit split) const override;
  Json Fingerprint() const override { return fingerprint_; }

 protected:
  const Files& files() const { return files_; }
  // Of the text, not of its gzipped file.
  int64_t FileBytes(const std::string& path) const { return bytes_.at(path); }

 private:
  Files files_;
  bool drop_empty_;
  std::map<DataSplit, int64_t> sizes_;
  std::map<std::string, int64_t> bytes_;
  Json fingerprint_;
};

struct TextShards {
  DataSplit split = DataSplit::kTrain;
  int num_shards = 1;
  bool shuffle = false;
};

struct TextEncoders {
  std::shared_ptr<const TextEncoder> inputs;
  std::shared_ptr<const TextEncoder> targets;
};

// What problems out of text have in common: the vocabulary, the shards, what
// was made from what.
class TextProblem : public Problem, public HasDataFacts {
 public:
  void Generate(const GenerateOptions& options) const override;
  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const override;
  bool Preprocess(Example* example, Mode mode,
                  const HParams& hparams) const override;
  // The shards; problems that know more add it.
  DataFacts data_facts() const override;

 protected:
  // T2T's: 100 of training, 1 of dev. Training examples are shuffled; the
  // others stay in the order of the text.
  virtual std::vector<TextShards> Shards() const;
  // Finds the text; with `fetch` it may download it. Throws where it isn't
  // there; without `fetch`, returns null instead.
  virtual std::unique_ptr<TextCorpus> FindCorpus(const GenerateOptions& options,
                                                 bool fetch) const = 0;
  // The vocabulary files.
  virtual std::vector<std::string> VocabularyPaths(
      const std::string& data_dir) const = 0;
  // Whether all of them are there. May throw where they are not those that
  // the options ask for.
  virtual bool VocabularyIsThere(const GenerateOptions& options) const;
  virtual void BuildVocabulary(const TextCorpus& corpus,
                               const GenerateOptions& options) const = 0;
  virtual TextEncoders LoadEncoders(const std::string& data_dir) const = 0;
  virtual Example MakeExample(const TextSample& sample,
                              const TextEncoders& encoders) const = 0;
  // Further files next to the shards.
  virtual void WriteExtras(const TextCorpus& corpus,
                           const GenerateOptions& options) const {}

  // A MissingError that says how to get it where the file isn't there.
  void CheckVocabulary(const std::string& path,
                       const std::string& data_dir) const;

 private:
  std::vector<SplitPlan> Plans(const GenerateOptions& options) const;
  // To be called with the lock; another process may have made it meanwhile.
  void MakeVocabulary(const TextCorpus& corpus,
                      const std::vector<SplitPlan>& plans, const Json& origin,
                      const GenerateOptions& options) const;
};

enum class VocabularyType { kCharacter, kSubword, kToken };

// T2T's Text2TextProblem: text to text with one vocabulary, each followed by
// EOS.
class Text2TextProblem : public TextProblem {
 public:
  ProblemInfo Info(const std::string& data_dir) const override;
  std::vector<std::string> EvalMetrics() const override;
  bool TakesVocabulary() const override {
    return vocabulary_type() != VocabularyType::kCharacter;
  }
  virtual VocabularyType vocabulary_type() const {
    return VocabularyType::kSubword;
  }
  // Subwords only.
  virtual int64_t approx_vocab_size() const { return 1 << 15; }

 protected:
  virtual int64_t max_subtoken_length() const { return 200; }
  // Tokens only: stands for those out of the vocabulary; must be in it.
  virtual std::string oov_token() const { return ""; }
  // What becomes the vocabulary file where a person gives `path`.
  virtual std::string GivenVocabulary(const std::string& path) const;

  // T2T's names: vocab.<problem>.<size>.subwords and vocab.<problem>.tokens;
  // vocab.<problem>.model, a SentencePiece model, goes before either.
  std::vector<std::string> VocabularyPaths(
      const std::string& data_dir) const override;
  bool VocabularyIsThere(const GenerateOptions& options) const override;
  void BuildVocabulary(const TextCorpus& corpus,
                       const GenerateOptions& options) const override;
  TextEncoders LoadEncoders(const std::string& data_dir) const override;
  Example MakeExample(const TextSample& sample,
                      const TextEncoders& encoders) const override;

 private:
  std::string BuiltPath(const std::string& data_dir) const;
  std::string ModelPath(const std::string& data_dir) const;
};

// T2T's Text2ClassProblem: text, followed by EOS, to a label. The labels are
// those of the training text, unless a problem names them.
class Text2ClassProblem : public TextProblem {
 public:
  ProblemInfo Info(const std::string& data_dir) const override;
  std::vector<std::string> EvalMetrics() const override;

 protected:
  virtual int64_t approx_vocab_size() const { return 1 << 15; }
  // In the order of their ids; none: those of the training text, by number
  // where all are whole numbers, else by their bytes.
  virtual std::vector<std::string> Labels(
      const GenerateOptions& options) const {
    return {};
  }

  // vocab.<problem>.<size>.subwords and vocab.<problem>.labels.
  std::vector<std::string> VocabularyPaths(
      const std::string& data_dir) const override;
  void BuildVocabulary(const TextCorpus& corpus,
                       const GenerateOptions& options) const override;
  TextEncoders LoadEncoders(const std::string& data_dir) const override;
  Example MakeExample(const TextSample& sample,
                      const TextEncoders& encoders) const override;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_TEXT_PROBLEM_H_
