#include "t2t/model/ragged_ids.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace t2t {
namespace {

at::Tensor Row(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong).unsqueeze(0);
}

}  // namespace

RaggedIds WithoutPadding(const at::Tensor& ids_BL, bool until_last) {
  const at::Tensor whole = ids_BL.to(at::kLong).contiguous();
  const int64_t* data = whole.const_data_ptr<int64_t>();
  const int64_t length = whole.size(1);
  std::vector<int64_t> ids;
  std::vector<int64_t> before;
  std::vector<int64_t> positions;
  RaggedIds ragged;
  ragged.rows.offsets.push_back(0);
  for (int64_t row = 0; row < whole.size(0); ++row, data += length) {
    int64_t end = length;
    while (end > 0 && data[end - 1] == 0) --end;
    for (int64_t i = 0; i < end; ++i) {
      if (data[i] == 0 && !until_last) continue;
      ids.push_back(data[i]);
      before.push_back(i == 0 ? 0 : data[i - 1]);
      positions.push_back(i);
    }
    ragged.rows.offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  ragged.rows.positions_1T = Row(positions);
  ragged.ids_1T = Row(ids);
  ragged.before_1T = Row(before);
  return ragged;
}

}  // namespace t2t
