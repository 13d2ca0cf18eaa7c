#ifndef T2T_DECODE_DECODE_HPARAMS_H_
#define T2T_DECODE_DECODE_HPARAMS_H_

#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"

namespace t2t {

// T2T's decode_hparams() with --decode_hparams' overrides ("beam_size=4,
// alpha=0.6"), and checked: throws a usage error on values out of range.
HParams DecodeHParams(const std::string& overrides);

// One line for every decode hparam that was changed from its default but names
// a mechanism that doesn't exist here (or not with the others as they are).
std::vector<std::string> NotesOnDecodeHParams(const HParams& decode_hparams);

// The same about the model's hparams: beam search does not sample. Empty where
// there is nothing to say.
std::string NoteOnSampling(const HParams& model_hparams,
                           const HParams& decode_hparams);

// "file" -> "file003", or "file-00003-of-00008" with shard_google_format,
// where there is more than one shard.
std::string AddShardToFilename(const std::string& filename,
                               const HParams& decode_hparams);

// T2T's name for decodes: <base>.<model>.<hparams_set>.<problem>.beam4.alpha0.6
// .decodes, unless base has it already.
std::string DecodeFilename(const std::string& base, const std::string& model,
                           const std::string& hparams_set,
                           const std::string& problem,
                           const HParams& decode_hparams);

}  // namespace t2t

#endif  // T2T_DECODE_DECODE_HPARAMS_H_
