#ifndef T2T_SERVE_TEXT_SERVABLE_H_
#define T2T_SERVE_TEXT_SERVABLE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "t2t/decode/load_model.h"
#include "t2t/decode/text_decoder.h"
#include "t2t/hparams/hparams.h"
#include "t2t/nn/linear.h"
#include "t2t/serve/servable.h"

namespace t2t {

// A model of a folder that t2t-exporter wrote.
class TextServable : public Servable {
 public:
  // Throws where its inputs are not symbols. int8: the weights of matrix
  // products are kept as int8 (see Int8Weights).
  TextServable(LoadedModel loaded, const HParams& decode_hparams,
               bool int8 = false);

  std::string Description() const override;
  Ids Encode(std::string_view text) const override;
  Ids EncodeExample(std::string_view bytes) const override;
  std::string Decode(const Ids& ids) const override;
  std::vector<Prediction> Predict(const std::vector<Ids>& rows,
                                  const IsGone& is_gone) override;
  std::optional<AttentionWeights> Attend(const Ids& input,
                                         const Ids& output) const override;
  bool gives_class() const override { return decoder_.is_class_label(); }
  int64_t beams() const override;
  bool gives_int32() const override;

  // Predicts a little, so that the first request does not pay for it.
  void WarmUp();

 private:
  LoadedModel loaded_;
  std::unique_ptr<Int8Weights> int8_;  // may be null
  TextDecoder decoder_;
};

}  // namespace t2t

#endif  // T2T_SERVE_TEXT_SERVABLE_H_
