#ifndef T2T_BIN_INSPECT_INSPECT_H_
#define T2T_BIN_INSPECT_INSPECT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"

namespace t2t {

// What t2t-inspect tells of a split's shards.

struct InspectOptions {
  std::string data_dir;
  DataSplit split = DataSplit::kDev;
  int64_t records = 5;      // that are shown; what is counted is not limited
  int64_t max_records = 0;  // that are read; 0: all
  std::string png_dir;      // "": no images are written
  bool full = false;        // long texts are shown whole
  // What is cut or left out in training is counted under these. Empty: under
  // what the problem itself does alone.
  HParams hparams;
};

// How often a feature is of a length, and what is in it.
struct FeatureCounts {
  std::map<int64_t, int64_t> records_by_length;
  bool is_text = false;  // ids of a vocabulary; else lengths are all there is
  int64_t ids = 0;
  int64_t unknown = 0;       // ids of words that the vocabulary lacks
  bool has_unknown = false;  // whether the vocabulary has such an id

  int64_t records() const;
  double Mean() const;
  // The length that `share` of the records don't exceed.
  int64_t Quantile(double share) const;
};

struct Inspection {
  int64_t records = 0;
  int64_t files = 0;
  std::map<std::string, FeatureCounts> features;
  int64_t cut = 0;         // records that a step shortens
  int64_t dropped = 0;     // that a step drops
  int64_t left_out = 0;    // longer than max_length: training leaves them out
  int64_t max_length = 0;  // 0: not known, or nothing is left out
  int64_t images = 0;      // that were written
  // The records that are shown, in order: {"record", "file", "features":
  // {"inputs": {"length", "ids", "text"}}}.
  std::vector<Json> shown;
};

// Reads the split's shards. Throws what Problem::Info() and DataFiles() throw,
// and a DataError with file and record where one is damaged.
Inspection Inspect(const Problem& problem, const InspectOptions& options);

// For a terminal of 80 columns (long texts aside).
std::string InspectionText(const Problem& problem,
                           const InspectOptions& options,
                           const Inspection& inspection);
Json InspectionJson(const Problem& problem, const InspectOptions& options,
                    const Inspection& inspection);

}  // namespace t2t

#endif  // T2T_BIN_INSPECT_INSPECT_H_
