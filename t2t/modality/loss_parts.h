#ifndef T2T_MODALITY_LOSS_PARTS_H_
#define T2T_MODALITY_LOSS_PARTS_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace t2t {

struct LossParts {
  at::Tensor numerator;    // sum of weighted token losses, fp32 scalar
  at::Tensor denominator;  // sum of weights, fp32 scalar
  // Further losses already in the training loss' scale, by name.
  std::map<std::string, at::Tensor> extra;

  // numerator / max(denominator, 1) + extras: what T2T minimises.
  at::Tensor Total() const;
};

}  // namespace t2t

#endif  // T2T_MODALITY_LOSS_PARTS_H_
