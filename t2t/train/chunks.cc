#include "t2t/train/chunks.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/input/chunked_input.h"
#include "t2t/nn/batch_norm.h"
#include "t2t/nn/recurrent_memory.h"

namespace t2t {

ChunkSizes ChunkSizes::Of(const HParams& hparams) {
  ChunkSizes sizes;
  if (!hparams.Has("split_targets_chunk_length")) return sizes;
  const int64_t length = hparams.GetInt("split_targets_chunk_length");
  if (length <= 0) return sizes;
  sizes.length = length;
  if (hparams.Has("memory_type")) {
    sizes.rows = RecurrentMemoryOptions::Rows(hparams);
  }
  return sizes;
}

std::unique_ptr<InputPipeline> InChunks(std::unique_ptr<InputPipeline> input,
                                        const HParams& hparams) {
  const ChunkSizes sizes = ChunkSizes::Of(hparams);
  if (sizes.length == 0) return input;
  static std::atomic<bool> said = false;
  if (hparams.GetBool("split_targets_strided_training") &&
      !said.exchange(true)) {
    Log("split_targets_strided_training=True has no effect here: T2T has it on "
        "TPUs alone");
  }
  return MakeChunkedPipeline(std::move(input), sizes.length, sizes.rows);
}

void RefuseMemoryOfSeveral(const ParamStore& params, const std::string& name,
                           int64_t micro_batches, int64_t ranks) {
  if (ranks <= 1 && micro_batches <= 1) return;
  const bool remembers = std::any_of(
      params.entries().begin(), params.entries().end(),
      [](const ParamStore::Entry& entry) {
        return !entry.trainable && !nn::IsRunningAverage(entry.name);
      });
  if (!remembers) return;
  throw UsageError(
      "training " + name + " with " + std::to_string(ranks) +
          " ranks and --virtual_ranks=" + std::to_string(micro_batches),
      "one process and one batch a step",
      "train it without t2t-launch's ranks");
}

}  // namespace t2t
