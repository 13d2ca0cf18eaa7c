#ifndef T2T_TEXT_ENCODER_FACTORY_H_
#define T2T_TEXT_ENCODER_FACTORY_H_

#include <memory>
#include <string>

#include "t2t/text/encoders.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

// The encoder of a vocabulary file, by its name: "*.subwords" and
// "*.subword_text_encoder" are subwords, "*.tokens" tokens, "*.labels" class
// labels, "*.model" SentencePiece. Other names by the contents: a SentencePiece
// model, quoted subtokens ('<pad>_' or '<pad>' first), else tokens. The empty
// path is bytes.
std::shared_ptr<const TextEncoder> LoadTextEncoder(
    const std::string& path, const TokenEncoderOptions& token_options = {});

}  // namespace t2t

#endif  // T2T_TEXT_ENCODER_FACTORY_H_
