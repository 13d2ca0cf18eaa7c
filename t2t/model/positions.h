#ifndef T2T_MODEL_POSITIONS_H_
#define T2T_MODEL_POSITIONS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/model/model.h"
#include "t2t/model/sequence_options.h"
#include "t2t/nn/params.h"
#include "t2t/nn/pass.h"

namespace t2t {

// What tells the layers where a position is, added to their first input.
class Positions {
 public:
  // feature: "inputs" or "targets". With pos=emb it makes the parameter
  // "<body>/<feature>_positional_embedding".
  Positions(const Scope& body, const SequenceOptions& options,
            std::string feature);

  // x [batch, length, depth], its first position being `start`; features tell
  // the positions of packed examples.
  at::Tensor Add(const at::Tensor& x, const Features& features,
                 int64_t start = 0) const;
  // The same where each position of x is told: positions_BL, from 0 on.
  at::Tensor AddAt(const at::Tensor& x_BLD,
                   const at::Tensor& positions_BL) const;
  // x [1, tokens, depth].
  at::Tensor AddRagged(const at::Tensor& x, const nn::RaggedRows& rows) const;

 private:
  PositionKind kind_;
  std::vector<std::string> position_features_;
  std::string feature_;
  at::Tensor table_;  // of pos=emb
};

}  // namespace t2t

#endif  // T2T_MODEL_POSITIONS_H_
