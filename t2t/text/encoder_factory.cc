#include "t2t/text/encoder_factory.h"

#include <string_view>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/text/sentencepiece.h"
#include "t2t/text/subword.h"

namespace t2t {

std::shared_ptr<const TextEncoder> LoadTextEncoder(
    const std::string& path, const TokenEncoderOptions& token_options) {
  if (path.empty()) return std::make_shared<const ByteTextEncoder>();
  if (!Exists(path)) {
    throw MissingError("there is no vocabulary " + path, "",
                       "run t2t-datagen, or copy the vocabulary there");
  }
  const std::string contents = ReadFile(path);
  if (EndsWith(path, ".model")) {
    return SentencePieceTextEncoder::Parse(contents, path);
  }
  if (EndsWith(path, ".subwords") || EndsWith(path, ".subword_text_encoder")) {
    return SubwordTextEncoder::Parse(contents, path);
  }
  if (EndsWith(path, ".tokens")) {
    return TokenTextEncoder::Parse(contents, path, token_options);
  }
  if (EndsWith(path, ".labels")) return ClassLabelEncoder::Load(path);
  // A SentencePiece model starts with its first piece, as a protocol buffer.
  if (StartsWith(contents, "\n") && contents.find('\0') != std::string::npos) {
    return SentencePieceTextEncoder::Parse(contents, path);
  }
  if (StartsWith(contents, "'<pad>") || StartsWith(contents, "\"<pad>") ||
      StartsWith(contents, "<pad>_")) {
    return SubwordTextEncoder::Parse(contents, path);
  }
  return TokenTextEncoder::Parse(contents, path, token_options);
}

}  // namespace t2t
