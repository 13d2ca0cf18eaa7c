#ifndef T2T_DECODE_DATASET_DECODE_H_
#define T2T_DECODE_DATASET_DECODE_H_

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "t2t/decode/text_decoder.h"
#include "t2t/problem/problem.h"

namespace t2t {

struct DatasetDecodeOptions {
  const Problem* problem = nullptr;
  std::string data_dir;
  DataSplit split = DataSplit::kDev;
  // The file of decodes ("....decodes"); ".targets" and ".inputs" stand beside
  // it. Empty: what is decoded goes to `echo`.
  std::string output;
};

// Decodes a split of the problem's shards, num_decodes times (the passes of
// several have "-00000" and so on behind the output's name). Returns how many
// examples a pass had.
int64_t DecodeDataset(const DatasetDecodeOptions& options, TextDecoder* decoder,
                      std::ostream* echo);

}  // namespace t2t

#endif  // T2T_DECODE_DATASET_DECODE_H_
