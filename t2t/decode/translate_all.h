#ifndef T2T_DECODE_TRANSLATE_ALL_H_
#define T2T_DECODE_TRANSLATE_ALL_H_

#include <cstdint>
#include <string>

#include "t2t/decode/load_options.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

struct TranslateAllOptions {
  LoadModelOptions load;  // weights.model_dir: where the checkpoints are
  HParams decode_hparams;
  // The same as changes of their defaults, for decoder_command.
  std::string decode_overrides;
  std::string source;  // a text, one input a line
  std::string translations_dir = "translations";
  int64_t min_steps = 0;
  int64_t wait_minutes = 0;  // for a new checkpoint
  uint64_t random_seed = 0;
  // A shell command that translates, instead of this process: "{params}" in it
  // becomes t2t-decoder's flags.
  std::string decoder_command;
};

// Translates the source with each checkpoint of the folder, by rising step,
// into translations_dir/<problem>-<step>, whose time is the checkpoint's. What
// is there already is left as it is; an output is whole or not there. Beside
// them lies <problem>-flags.txt with the time at which training began.
//
// A damaged checkpoint is passed over, and an error once all others are done;
// one that the trainer has removed meanwhile is only said.
void TranslateAll(const TranslateAllOptions& options);

}  // namespace t2t

#endif  // T2T_DECODE_TRANSLATE_ALL_H_
