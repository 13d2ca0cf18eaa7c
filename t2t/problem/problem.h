#ifndef T2T_PROBLEM_PROBLEM_H_
#define T2T_PROBLEM_PROBLEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "t2t/base/registry.h"
#include "t2t/formats/example.h"
#include "t2t/hparams/hparams.h"
#include "t2t/problem/corpus.h"
#include "t2t/problem/mixture.h"
#include "t2t/problem/step.h"
#include "t2t/problem/vocabulary.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

class Source;
struct SourceContext;

// Gives one example a call until it returns false.
using NextExample = std::function<bool(Example*)>;
// Makes other examples out of those of a split, as they are once encoded: cuts
// them to a length, leaves some out. `seed` is for what is drawn.
using Regroup = std::function<NextExample(NextExample encoded, uint64_t seed)>;

// One feature of an example as the model sees it: what a row says of it.
struct FeatureSpec {
  // A name of t2t/problem/modality_traits.h.
  std::string modality = "symbol";
  Vocabulary vocabulary;
  // Put before its text, and between several texts of one sample ("$": the
  // first id of what that is encoded as).
  std::string prefix;
  std::string joined_by;
  // Whether EOS follows its text in an example. (Labels have none.)
  bool appends_eos = true;
  // A step makes it part of another feature: the model has none of this name.
  bool in_shards_only = false;
  // Of every example, where it is always the same ({28, 28, 1}).
  std::vector<int64_t> shape;
  // Whether an EOS ends what is to be shown; else 1 is an id as any other
  // (pixels, labels). (T2T's stop_at_eos, which is false for its algorithmic
  // problems, only lets a slow decoder go on behind an EOS that ends what it
  // shows all the same.)
  bool ends_at_eos = true;
  int64_t space_id = 0;  // T2T's SpaceID
};

struct SplitSpec {
  DataSplit split = DataSplit::kTrain;
  int num_shards = 1;
  bool shuffle = false;
};

// A feature whose vocabulary has been read.
struct FeatureInfo {
  std::string modality = "symbol";
  int64_t vocab_size = 0;  // of the encoder, or classes, or 256 for pixels
  std::shared_ptr<const TextEncoder> encoder;  // may be null (images)
  std::string vocab_path;  // the file it was read from; empty: none
  std::vector<int64_t> shape;
  bool ends_at_eos = true;
};

// One task of a mixture, as a model sees it: an example is (its inputs) id
// targets.
struct TaskInfo {
  std::string member;  // the problem's name
  int64_t id = 0;      // behind those of the vocabulary
  // Where the targets are a class, which is an id, too: that of class 0.
  int64_t first_label = -1;
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
  // Of a mixture whose examples say which task they are of; else none.
  std::vector<TaskInfo> tasks;

  bool has_inputs() const { return features.count("inputs") > 0; }
};

// A problem is data: where its examples come from, what their features are,
// what is done to an example on its way to the model, and by what it is
// measured. Kinds of problems (t2t/problem/*_kinds.h) are functions that make
// one out of a row; problems/ has the rows.
struct Problem {
  std::string name;
  // The problem whose shards and vocabularies these are: without "_rev" and
  // "_copy", or another problem's that has the same data.
  std::string data_name;

  // Where the examples are those of other problems: then neither corpora nor
  // splits nor steps are this one's.
  std::optional<Mixture> mixture;

  // What the examples are made of. `corpora` are those that `open` reads; a
  // source that makes its examples up, or reads files that a person names, has
  // none.
  std::vector<CorpusUse> corpora;
  std::function<std::unique_ptr<Source>(const SourceContext&)> open;
  // t2t-datagen's --train_src, --train_tgt, --dev_src and --dev_tgt are read.
  bool takes_text_files = false;

  std::map<std::string, FeatureSpec> features;  // by name: "inputs", "targets"
  std::vector<Step> steps;
  std::vector<std::string> metrics;  // T2T's names
  std::vector<SplitSpec> splits;     // in the order of their tasks
  Regroup regroup;                   // null: nothing
  // Several examples are put into one of at most so many ids, with which
  // segment and position each id is of (T2T's packed problems); 0: they aren't.
  int64_t packed_length = 0;
  double loss_multiplier = 1.0;
  // Files of text that datagen leaves next to the shards, to choose a model by:
  // lines to decode and what they should become. "" where there are none.
  std::string dev_inputs, dev_targets;
  // The problem's own changes of hparams; null: none.
  std::function<void(HParams*)> adjust_hparams;
  // What changes under "_rev" besides that inputs and targets change places;
  // null: nothing.
  std::function<void(Problem*)> on_reversed;
  bool was_reversed = false;
  bool was_copy = false;

  // Loads the vocabularies from data_dir; throws where one is missing.
  ProblemInfo Info(const std::string& data_dir) const;
  // The shards, sorted; throws a MissingError where there are none. (Of a
  // mixture those of its members, one member after another.)
  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const;
  // Runs all steps on an example read from a shard; false drops it. Where a
  // step draws, `seed` says what: a function of (seed, epoch, record).
  bool Preprocess(Example* example, Mode mode, const HParams& hparams,
                  uint64_t seed = 0) const;
  // The steps before the first that draws in this mode, whose outcome is always
  // the same; and those from it on.
  bool RunFixedSteps(Example* example, Mode mode, const HParams& hparams) const;
  // What the former make of lengths; nullopt: not known without running them.
  std::optional<LengthsStep> FixedStepsOnLengths(Mode mode,
                                                 const HParams& hparams) const;
  void RunDrawnSteps(Example* example, Mode mode, const HParams& hparams,
                     uint64_t seed) const;
  bool Draws(Mode mode) const;
  void AdjustHParams(HParams* hparams) const;
  // Whether t2t-datagen's --vocab may name a file to take in place of the
  // vocabulary: where all text has one.
  bool TakesVocabulary() const;
  // Whether datagen fetches a corpus that isn't in tmp_dir.
  bool Downloads() const;
};

// Problems by name: functions that make the data out of a row.
using ProblemRegistry = Registry<Problem()>;
ProblemRegistry& Problems();

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
// The same for a problem that is no registered one. Throws a usage error for a
// mixture, whose members may be reversed each.
Problem Reversed(Problem problem);
Problem Copied(Problem problem);

// Takes out the steps of this name.
void RemoveSteps(const std::string& name, Problem* problem);

// T2T's default metrics, and those it adds for text targets.
std::vector<std::string> DefaultEvalMetrics();
std::vector<std::string> TextEvalMetrics();

}  // namespace t2t

#endif  // T2T_PROBLEM_PROBLEM_H_
