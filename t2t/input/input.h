#ifndef T2T_INPUT_INPUT_H_
#define T2T_INPUT_INPUT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "t2t/formats/example.h"
#include "t2t/formats/example_lengths.h"
#include "t2t/input/batch.h"

namespace t2t {

// What is done to each example of some files.
struct InputSteps {
  // Runs on each example read; false drops it. Called from worker threads,
  // from several at once where threads > 1.
  std::function<bool(Example*)> preprocess;
  // What preprocess makes of the lengths of an example's features; null: not
  // known without it. Where it is known (or there is no preprocess), records
  // that are read in windows are parsed, and preprocess runs, only for the
  // batches that are wanted; else for all, since batches are planned on
  // lengths.
  std::function<bool(ExampleLengths*)> lengths;
  // Runs on each example each time it goes into a batch: steps that draw random
  // numbers, and those behind them. What preprocess left is kept in memory as
  // it is. seed: a function of (this seed, epoch, record), so the same for any
  // number of threads and ranks and after a restart. Keeps the example's
  // features of sequences as long as they are: the batches are planned by then.
  // Null: nothing draws.
  std::function<void(Example*, uint64_t seed)> augment;
};

// One of several streams of examples that training mixes.
struct InputMember : InputSteps {
  std::string name;  // for messages
  size_t files = 0;  // of InputOptions::files, behind the member's before it
};

// The probabilities of each member for the next example, after so many examples
// were drawn and so many batches were planned (those of the windows before: a
// window of examples becomes batches once it is whole).
using MemberRates =
    std::function<std::vector<double>(int64_t examples, int64_t batches)>;

struct InputOptions : InputSteps {
  std::vector<std::string> files;
  bool training = true;  // shuffles and repeats; else one pass in file order
  uint64_t seed = 0;
  // hparams: tokens a batch (batch_size), or examples with use_fixed_batch.
  int64_t batch_size = 4096;
  bool use_fixed_batch_size = false;
  int64_t max_length = 256;  // 0: batch_size
  int64_t min_length = 0;    // shorter examples are dropped
  int64_t min_length_bucket = 8;
  double length_bucket_step = 1.1;
  // Drops examples longer than max_length: T2T does always in training, else
  // where eval_drop_long_sequences is set. One that is kept and larger than
  // batch_size is a batch of its own.
  bool drop_long_sequences = true;
  // T2T's own bucket table (rounded batch sizes) instead of ours.
  bool t2t_batching = false;
  // Packs several examples into each row of max_length.
  bool pack = false;
  int64_t shuffle_buffer = 1 << 16;
  int prefetch_batches = 4;
  // In training: the files are those of several members, which have steps of
  // their own; each example comes from one of them, drawn by `rates`, and each
  // member begins again when its files end. All are read in windows. Empty: the
  // files are one stream.
  std::vector<InputMember> members;
  MemberRates rates;
  std::string rates_text;  // all that they are a function of
  // Feature names whose shape is fixed ("inputs" of an image: {28, 28, 1}).
  // A first dimension of -1 may differ by example and is padded. With an image
  // (two or more dimensions, all fixed) batch_size counts examples.
  std::map<std::string, std::vector<int64_t>> fixed_shapes;
  // Threads that parse and preprocess; the batches don't depend on it.
  int threads = 2;
  // Not training: the examples come in the order of the files; else those of
  // like length come together, with less padding. (t2t_batching is always by
  // length.)
  bool keep_file_order = true;
  // Files that are smaller than this together are read once and kept, and
  // each epoch shuffles all of them; of larger ones no more than two windows
  // of shuffle_buffer records are in memory.
  int64_t cache_bytes = 128 << 20;
};

// Of some batches of a stream, those that are wanted.
struct Round {
  int64_t found = 0;                 // how many there were
  std::map<int64_t, Batch> batches;  // by their places among them
};

// Batches out of shards. The stream is a function of the options alone (not of
// thread timing, nor of which batches are wanted); State() after n batches,
// given to Restore() of a pipeline with the same options, makes it go on with
// batch n + 1 exactly. Restored with other options or files it warns and starts
// the state's epoch again.
//
// A rank of several takes its batches by NextRound(): of those of the others it
// knows the lengths alone, unless all examples are kept in memory
// (cache_bytes): those are parsed and preprocessed once.
//
// In training every batch is full: batch_size tokens, counted as examples
// times the longest feature, hold no further example. What doesn't fill a
// batch goes into the next window or epoch. Otherwise the last batch may be
// smaller. Features of strings are left out.
//
// Not thread-safe: one thread calls Next(), NextRound(), State() and Restore().
// What goes wrong in a worker comes out of Next() and NextRound().
class InputPipeline {
 public:
  virtual ~InputPipeline() = default;
  // nullopt at the end of the data (never in training).
  virtual std::optional<Batch> Next() = 0;
  // The next `count` batches, of which those at the places `wanted` (rising)
  // are made and the others passed over; fewer at the end of the data. Batches
  // are made ahead for rounds like the last one: asking otherwise each time is
  // slow.
  virtual Round NextRound(int64_t count, const std::vector<int64_t>& wanted);
  virtual std::string State() const = 0;  // a small JSON text
  virtual void Restore(const std::string& state) = 0;
};

// Throws a MissingError where there are no files or one is not there.
std::unique_ptr<InputPipeline> MakeInputPipeline(const InputOptions& options);

}  // namespace t2t

#endif  // T2T_INPUT_INPUT_H_
