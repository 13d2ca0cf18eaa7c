#ifndef T2T_CHECKPOINT_TENSOR_PLACE_H_
#define T2T_CHECKPOINT_TENSOR_PLACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/json.h"

namespace t2t {

// Where some numbers of a tensor lie in it: neighbours in the tensor, or in a
// slice of it, flattened.
struct TensorPlace {
  // whole.narrow(dim, begin, size)
  struct Cut {
    int64_t dim = 0;
    int64_t begin = 0;
    int64_t size = 0;
  };

  std::vector<int64_t> shape;  // of the whole tensor
  int64_t begin = 0;           // in the flattened slice
  int64_t size = 0;
  std::optional<Cut> cut;  // none: the slice is the whole

  // All of a tensor, or of a slice of it.
  static TensorPlace All(std::vector<int64_t> shape,
                         const std::optional<Cut>& cut = std::nullopt);
  // "[begin, shape]" or "[begin, shape, [dim, begin, size]]", and back for so
  // many numbers; nullopt where that says no place.
  Json ToJson() const;
  static std::optional<TensorPlace> FromJson(const Json& json, int64_t size);
};

// Whether these places of one tensor have each of its numbers exactly once.
bool CoverExactly(const std::vector<TensorPlace>& places);

// Of numbers of `bytes` bytes each, copies those that lie in both places of one
// tensor. Returns how many.
int64_t CopyCommon(const TensorPlace& from_place, const void* from,
                   const TensorPlace& to_place, void* to, int64_t bytes);
int64_t CountCommon(const TensorPlace& one, const TensorPlace& other);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_TENSOR_PLACE_H_
