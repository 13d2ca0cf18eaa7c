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

std::unique_ptr<InputPipeline> InChunks(std::unique_ptr<InputPipeline> input,
                                        const HParams& hparams) {
  if (!hparams.Has("split_targets_chunk_length")) return input;
  const int64_t length = hparams.GetInt("split_targets_chunk_length");
  if (length <= 0) return input;
  static std::atomic<bool> said = false;
  if (hparams.GetBool("split_targets_strided_training") &&
      !said.exchange(true)) {
    Log("split_targets_strided_training=True has no effect here: T2T has it on "
        "TPUs alone");
  }
  const int64_t rows =
      hparams.Has("memory_type") ? RecurrentMemoryOptions::Rows(hparams) : 0;
  return MakeChunkedPipeline(std::move(input), length, rows);
}

void RefuseMemoryOfSeveral(const ParamStore& params, const std::string& name,
                           int64_t virtual_ranks, int64_t ranks) {
  if (ranks <= 1 && virtual_ranks <= 1) return;
  const bool remembers = std::any_of(
      params.entries().begin(), params.entries().end(),
      [](const ParamStore::Entry& entry) {
        return !entry.trainable && !nn::IsRunningAverage(entry.name);
      });
  if (!remembers) return;
  throw UsageError(
      "training " + name + " with " + std::to_string(ranks) +
          " ranks and --virtual_ranks=" + std::to_string(virtual_ranks),
      "one process and one batch a step",
      "train it without t2t-launch's ranks");
}

}  // namespace t2t
