#ifndef T2T_MODEL_AT_ONCE_DECODER_H_
#define T2T_MODEL_AT_ONCE_DECODER_H_

#include <ATen/core/Tensor.h>

#include "t2t/model/model.h"

namespace t2t {

// A model whose decoded symbols do not wait for each other. It is a Model that
// can't be decoded step by step.
class AtOnceDecoder {
 public:
  virtual ~AtOnceDecoder() = default;

  // Logits of all symbols of the output, fp32 [rows, length, vocab], whose
  // likeliest symbols are the output. features: rows whose inputs are all of
  // the same length.
  virtual at::Tensor DecodeAtOnce(const Features& features) = 0;
};

}  // namespace t2t

#endif  // T2T_MODEL_AT_ONCE_DECODER_H_
