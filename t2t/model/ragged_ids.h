#ifndef T2T_MODEL_RAGGED_IDS_H_
#define T2T_MODEL_RAGGED_IDS_H_

#include <ATen/core/Tensor.h>

#include "t2t/nn/pass.h"

namespace t2t {

// The symbols of a batch without its padding, one row after the other.
struct RaggedIds {
  nn::RaggedRows rows;
  at::Tensor ids_1T;
  at::Tensor before_1T;  // the id before each, 0 for a row's first

  bool empty() const { return rows.offsets.back() == 0; }
};

// Of ids [batch, length]: all that are not padding, or (until_last) all up to
// the last of each row that is not.
RaggedIds WithoutPadding(const at::Tensor& ids_BL, bool until_last);

}  // namespace t2t

#endif  // T2T_MODEL_RAGGED_IDS_H_
