#ifndef T2T_PROBLEM_SAMPLE_SOURCE_H_
#define T2T_PROBLEM_SAMPLE_SOURCE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/problem/source.h"

namespace t2t {

// What a function that reads a problem's samples is given.
struct SampleFiles {
  const std::vector<FoundCorpus>& corpora;
  DataSplit split;
  // For what is drawn: a function of the run's seed, the problem and the split.
  uint64_t seed;

  // Of the corpora of this split, and of those of all splits, in order.
  std::vector<std::string> Paths() const;
  // The one of them whose name ends so. Throws an internal error without.
  std::string Path(const std::string& ending) const;
};

// Gives the samples of a split, from the first one on.
using ReadSamples = std::function<NextExample(const SampleFiles& files)>;

struct SampleReading {
  ReadSamples read;
  // T2T's is_generate_per_split is false: there are samples of one kind, dealt
  // to the shards of all splits in turn.
  bool dealt = false;
  // What vocabularies are built of, where it is not the training samples.
  ReadSamples vocabulary = nullptr;
  // What is still to be done to a sample and takes long (an image is looked
  // at): called from several threads. Null: nothing.
  std::function<void(Example*)> finish = nullptr;
};

// Makes `reading` what the problem's examples are made of. Its corpora are
// those of Problem::corpora; one without a split is of all splits.
void ReadBy(const SampleReading& reading, Problem* problem);

// For a problem whose data t2t-datagen can't make (T2T can't either, or only
// with a cluster): a person brings its shards and vocabularies. made_by: where
// they come from, for the message of whoever tries.
void TakeGivenShards(const std::string& made_by, Problem* problem);

// A corpus of all splits.
CorpusUse OfAll(Corpus corpus);

// Samples of one text a feature.
Example TextPair(std::string inputs, std::string targets);
Example TextAlone(std::string targets);

}  // namespace t2t

#endif  // T2T_PROBLEM_SAMPLE_SOURCE_H_
