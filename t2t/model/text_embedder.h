#ifndef T2T_MODEL_TEXT_EMBEDDER_H_
#define T2T_MODEL_TEXT_EMBEDDER_H_

#include <ATen/core/Tensor.h>

#include "t2t/model/model.h"

namespace t2t {

// A model that makes a vector of each text, so that those of texts that belong
// together are alike. It is a Model whose logits are such vectors: they are no
// symbols', can't be decoded, and its loss is all that an evaluation can tell.
class TextEmbedder {
 public:
  virtual ~TextEmbedder() = default;

  // Vectors of length 1, fp32 [rows, hidden]. as_target: features' "inputs" are
  // texts of the targets' kind.
  virtual at::Tensor EmbedTexts(const Features& features, bool as_target) = 0;
};

}  // namespace t2t

#endif  // T2T_MODEL_TEXT_EMBEDDER_H_
