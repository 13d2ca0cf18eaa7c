#ifndef T2T_PROBLEM_PROBLEM_H_
#define T2T_PROBLEM_PROBLEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "t2t/base/registry.h"
#include "t2t/formats/example.h"
#include "t2t/hparams/hparams.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

// (Split() is the function of base/strings.h.)
enum class DataSplit { kTrain, kDev, kTest };
enum class Mode { kTrain, kEval, kPredict };

// Modality names as T2T's ModalityType: "symbol", "class_label", "image",
// "identity", "real", ... (see t2t/modality).
struct FeatureInfo {
  std::string modality = "symbol";
  int64_t vocab_size = 0;  // of the encoder, or classes, or 256 for pixels
  std::shared_ptr<const TextEncoder> encoder;  // may be null (images)
  std::string vocab_path;  // the file it was read from; empty: none
  // Of every example, where it is always the same ({28, 28, 1}): goes into
  // InputOptions::fixed_shapes.
  std::vector<int64_t> shape;
  // Whether an EOS ends what is to be shown; else 1 is an id as any other
  // (pixels, labels).
  bool ends_at_eos = true;
};

// What a model and a decoder must know of a problem (T2T's problem_hparams).
struct ProblemInfo {
  std::string name;
  // "inputs" (absent for language models) and "targets".
  std::map<std::string, FeatureInfo> features;
  int64_t input_space_id = 0;
  int64_t target_space_id = 0;
  bool was_reversed = false;
  bool was_copy = false;
  double loss_multiplier = 1.0;

  bool has_inputs() const { return features.count("inputs") > 0; }
};

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
  // instead of building one. Text-to-text problems only.
  std::string vocab;
};

class Problem {
 public:
  virtual ~Problem() = default;

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }

  // Writes vocabulary and shards to data_dir (each complete or absent).
  virtual void Generate(const GenerateOptions& options) const = 0;
  // Loads the vocabularies from data_dir; throws where one is missing.
  virtual ProblemInfo Info(const std::string& data_dir) const = 0;
  // The shards, sorted; throws a MissingError where there are none.
  virtual std::vector<std::string> DataFiles(const std::string& data_dir,
                                             DataSplit split) const = 0;
  // Brings an example read from a shard into the form the model takes
  // (crops, swaps inputs and targets for _rev, prepends). May drop it by
  // returning false. Thread-safe.
  virtual bool Preprocess(Example* example, Mode mode,
                          const HParams& hparams) const = 0;
  // Metrics for evaluation, T2T's names.
  virtual std::vector<std::string> EvalMetrics() const = 0;
  // Problem's own changes of hparams (T2T's p.modality overrides are in
  // Info).
  virtual void AdjustHParams(HParams* hparams) const {}
  // Whether Generate() reads train_src and its like, and vocab.
  virtual bool TakesTextFiles() const { return false; }
  virtual bool TakesVocabulary() const { return false; }

  // What the name's suffixes ask for. MakeProblem() sees to the swap itself;
  // a problem only looks here where more than that depends on it.
  bool was_reversed() const { return was_reversed_; }
  bool was_copy() const { return was_copy_; }
  void set_modifiers(bool reversed, bool copy) {
    was_reversed_ = reversed;
    was_copy_ = copy;
  }

 private:
  std::string name_;
  bool was_reversed_ = false;
  bool was_copy_ = false;
};

using ProblemRegistry = Registry<std::unique_ptr<Problem>()>;
ProblemRegistry& Problems();

// AddProblem<Text2textTmpdir>(problems, "text2text_tmpdir")
template <typename Class>
void AddProblem(ProblemRegistry& problems, const std::string& name,
                std::source_location place = std::source_location::current()) {
  const auto make = [name] {
    std::unique_ptr<Problem> problem = std::make_unique<Class>();
    problem->set_name(name);
    return problem;
  };
  problems.Add(name, make, "", place);
}

// A name without its "_rev" and "_copy".
struct ProblemSpec {
  std::string base_name;
  bool was_reversed = false;
  bool was_copy = false;
};
// Throws a usage error where a suffix is there twice.
ProblemSpec ParseProblemName(const std::string& name);

// By registered name; with "_rev" inputs and targets change places, with
// "_copy" the inputs are the targets too (after _rev's change). Data and
// vocabulary are those of the problem without the suffixes.
std::unique_ptr<Problem> MakeProblem(const std::string& name);

// "train", "dev", "test".
std::string SplitName(DataSplit split);

// T2T's preprocessing that all problems share: crops to max_input_seq_length
// and max_target_seq_length, prepends by prepend_mode, and checks
// split_to_length. Hparams that are not there count as T2T's defaults.
void PreprocessExampleCommon(Example* example, Mode mode,
                             const HParams& hparams);

// T2T's default metrics.
std::vector<std::string> DefaultEvalMetrics();

}  // namespace t2t

#endif  // T2T_PROBLEM_PROBLEM_H_
