#ifndef T2T_BIN_DECODER_DECODE_H_
#define T2T_BIN_DECODER_DECODE_H_

#include "t2t/bin/decoder/decoder_flags.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

// Decodes or scores what the flags say, which were checked.
void Decode(const DecoderFlags& flags, const HParams& decode_hparams);

}  // namespace t2t

#endif  // T2T_BIN_DECODER_DECODE_H_
