#include "t2t/modality/loss_parts.h"

#include <ATen/ATen.h>

namespace t2t {

at::Tensor LossParts::Total() const {
  at::Tensor total = numerator / denominator.clamp_min(1.0);
  for (const auto& [name, loss] : extra) total = total + loss;
  return total;
}

}  // namespace t2t
