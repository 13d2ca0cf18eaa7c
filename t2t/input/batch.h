#ifndef T2T_INPUT_BATCH_H_
#define T2T_INPUT_BATCH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace t2t {

// A dense array on the host, row-major; one of ints and floats is filled.
struct HostTensor {
  std::vector<int64_t> shape;
  std::vector<int64_t> ints;
  std::vector<float> floats;

  bool is_float() const { return !floats.empty(); }
};

// By feature name. Symbols: [batch, length] ints padded with 0; class labels:
// [batch, 1]; images: [batch, height, width, channels] ints; real: [batch,
// length, depth] floats. A packed batch also has, for "inputs" and "targets",
// "<name>_segmentation" (1, 2, ...; 0 is padding) and "<name>_position".
using Batch = std::map<std::string, HostTensor>;

}  // namespace t2t

#endif  // T2T_INPUT_BATCH_H_
