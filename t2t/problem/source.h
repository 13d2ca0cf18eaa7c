#ifndef T2T_PROBLEM_SOURCE_H_
#define T2T_PROBLEM_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/formats/example.h"
#include "t2t/problem/problem.h"

namespace t2t {

struct GenerateOptions {
  std::string data_dir;
  std::string tmp_dir;
  int64_t seed = 42;
  int threads = 2;  // 0: one a core
  // Training shards; 0: the problem's own number.
  int num_shards = 0;
  // Only the shard of this number (the training shards come first, then dev,
  // then test), for one process of several; -1: all.
  int task_id = -1;
  // Examples of each split at most; 0: all.
  int64_t max_cases = 0;
  // Makes again what is already there. Without, it is kept, and an error
  // where it was made from other text or with another seed.
  bool overwrite = false;
  // text2text_tmpdir and text2class_tmpdir: files named outright, or empty
  // for T2T's names under tmp_dir.
  std::string train_src, train_tgt, dev_src, dev_tgt;
  // A vocabulary file to take (subwords, tokens or a SentencePiece model)
  // instead of building one. Problems with one vocabulary only.
  std::string vocab;
  // SHA-256 of corpora that a person takes though others are known of them.
  std::vector<std::string> accepted_sums;
};

// Gives one text a call until it returns false.
using NextText = std::function<bool(std::string*)>;

// The samples of one split, in order. A sample is an Example; its features of
// strings are text that is still to be encoded by the feature's vocabulary.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  // Goes on to the next samples, `count` at most; returns how many there are,
  // 0 at the end. Called from one thread.
  virtual size_t Read(size_t count) = 0;
  // Sample i of those last read. Called from several threads.
  virtual Example Make(size_t i) const = 0;
};

inline constexpr int64_t kUnknownSize = -1;

// What a problem's examples are made of, once it has been found.
class Source {
 public:
  virtual ~Source() = default;
  // kUnknownSize: until Open()'s ends.
  virtual int64_t size(DataSplit split) const = 0;
  virtual std::unique_ptr<ExampleSource> Open(DataSplit split) const = 0;
  // What a vocabulary is built of: the training texts of these features, in
  // turn.
  virtual NextText VocabularyText(const std::vector<std::string>& features,
                                  const Vocabulary& vocabulary) const;
  // What the data can be told by later, and under which name; null where the
  // problem's name and the seed say it all.
  virtual std::pair<std::string, Json> Fingerprint() const { return {}; }
  // Further files next to the shards.
  virtual void WriteExtras(const GenerateOptions& options) const {}
};

// Where the files of a corpus are, in the order of Corpus::files, and the text
// that they are to be called by in messages.
struct FoundCorpus {
  const CorpusUse* use = nullptr;
  std::vector<std::string> paths;
};

// Finds corpora in tmp_dir, and fetches what is missing.
class CorpusFinder {
 public:
  virtual ~CorpusFinder() = default;
  // Those that are there, in the order of `uses`. Throws a MissingError where
  // one that is required can't be had. Without `fetch`, false where one is
  // missing.
  virtual bool Find(const std::vector<CorpusUse>& uses, bool fetch,
                    std::vector<FoundCorpus>* found) const = 0;
};

struct SourceContext {
  const Problem& problem;  // without "_rev" and "_copy"
  const GenerateOptions& options;
  const CorpusFinder& corpora;
  // False: the data are whole; a source whose files aren't there is null.
  bool must_be_there = true;
};

}  // namespace t2t

#endif  // T2T_PROBLEM_SOURCE_H_
