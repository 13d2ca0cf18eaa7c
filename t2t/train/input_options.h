#ifndef T2T_TRAIN_INPUT_OPTIONS_H_
#define T2T_TRAIN_INPUT_OPTIONS_H_

#include <cstdint>
#include <string>

#include "t2t/hparams/hparams.h"
#include "t2t/input/input.h"
#include "t2t/problem/problem.h"

namespace t2t {

// What a batch is under these hparams; no files, no steps.
InputOptions BatchOptions(const ProblemInfo& info, const HParams& hparams);

// How the examples of a problem are read (to train on a mixture: those of its
// members) under these hparams.
InputOptions MakeInputOptions(const Problem& problem, const ProblemInfo& info,
                              const HParams& hparams,
                              const std::string& data_dir, DataSplit split,
                              Mode mode, uint64_t seed, bool t2t_batching);

}  // namespace t2t

#endif  // T2T_TRAIN_INPUT_OPTIONS_H_
