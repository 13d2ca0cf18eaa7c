#ifndef T2T_TEXT_SENTENCEPIECE_H_
#define T2T_TEXT_SENTENCEPIECE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/text/text_encoder.h"

namespace t2t {

// A SentencePiece model as a vocabulary, with T2T's ids: 0 is padding, 1 is
// EOS. A model trained so (--pad_id=0 --eos_id=1 --unk_id=2) keeps its ids;
// any other has its ids moved up by two, so that id n of the model is n + 2
// here, and its own <s> and </s> are never produced.
class SentencePieceTextEncoder : public TextEncoder {
 public:
  static std::shared_ptr<const SentencePieceTextEncoder> Load(
      const std::string& path);
  // The bytes of a model file; name is for messages.
  static std::shared_ptr<const SentencePieceTextEncoder> Parse(
      std::string_view contents, const std::string& name);

  ~SentencePieceTextEncoder() override;

  std::vector<int64_t> Encode(std::string_view text) const override;
  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous = false) const override;
  // The pieces; "" for an id out of the vocabulary.
  std::vector<std::string> DecodeList(
      const std::vector<int64_t>& ids) const override;
  int64_t vocab_size() const override;

 private:
  struct Model;

  explicit SentencePieceTextEncoder(std::unique_ptr<const Model> model);

  std::unique_ptr<const Model> model_;
};

}  // namespace t2t

#endif  // T2T_TEXT_SENTENCEPIECE_H_
