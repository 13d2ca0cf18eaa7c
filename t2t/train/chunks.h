#ifndef T2T_TRAIN_CHUNKS_H_
#define T2T_TRAIN_CHUNKS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/input/input.h"
#include "t2t/nn/params.h"

namespace t2t {

// How a model that reads targets in chunks is given them: 0 where it is not,
// or has no recurrent memory.
struct ChunkSizes {
  int64_t length = 0;  // split_targets_chunk_length
  int64_t rows = 0;    // no batch has more

  static ChunkSizes Of(const HParams& hparams);
};

// The input as the hparams have it: in chunks where split_targets_chunk_length
// says so, with no more rows than a recurrent memory keeps.
std::unique_ptr<InputPipeline> InChunks(std::unique_ptr<InputPipeline> input,
                                        const HParams& hparams);

// Throws a UsageError where a model that remembers the batch before is to take
// several batches a step: each would need a memory of its own. Such a model
// keeps its memory in buffers (ParamStore::CreateBuffer()). name: the model's.
void RefuseMemoryOfSeveral(const ParamStore& params, const std::string& name,
                           int64_t micro_batches, int64_t ranks);

}  // namespace t2t

#endif  // T2T_TRAIN_CHUNKS_H_
