#ifndef T2T_MODEL_BLOCK_PROPOSER_H_
#define T2T_MODEL_BLOCK_PROPOSER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "t2t/model/model.h"

namespace t2t {

// A model that knows from one position not only the next symbol, but guesses
// those after it, too, and that looks at several symbols in one decoding step.
// Stern, Shazeer and Uszkoreit 2018, "Blockwise Parallel Decoding",
// arXiv:1811.03115. A model of this kind is both a Model and a BlockProposer;
// its steps go on from Model::StartDecoding's state, and are not to be mixed
// with DecodeStep's.
class BlockProposer {
 public:
  virtual ~BlockProposer() = default;

  // How many symbols follow from one position, the next one included.
  virtual int64_t block_size() const = 0;
  // Throws a usage error where its layers can't look at several symbols at
  // once.
  virtual void CheckCanPropose() const = 0;

  // Feeds each row's next symbols, ids [rows, n] (first step: an undefined
  // tensor, for the start alone). Returns the logits of the symbol behind each
  // of them, fp32 [rows, n, vocab], which are those that DecodeStep would give
  // symbol by symbol.
  virtual at::Tensor VerifyStep(DecodeState* state, const at::Tensor& ids) = 0;
  // Of the last step's symbols row i keeps the first counts[i], 1 at least; it
  // is as if the others had not been fed. Returns the logits of the guesses
  // from there: fp32 [rows, block_size - 1, vocab], of the symbols behind the
  // next one.
  virtual at::Tensor Propose(DecodeState* state,
                             const std::vector<int64_t>& counts) = 0;
};

}  // namespace t2t

#endif  // T2T_MODEL_BLOCK_PROPOSER_H_
