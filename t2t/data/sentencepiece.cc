#include "t2t/data/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/data/encoders.h"

namespace t2t {

struct SentencePieceTextEncoder::Model {
  sentencepiece::SentencePieceProcessor processor;
  int64_t shift = 0;  // our id less the model's
};

SentencePieceTextEncoder::SentencePieceTextEncoder(
    std::unique_ptr<const Model> model)
    : model_(std::move(model)) {}

SentencePieceTextEncoder::~SentencePieceTextEncoder() = default;

std::shared_ptr<const SentencePieceTextEncoder> SentencePieceTextEncoder::Load(
    const std::string& path) {
  if (!Exists(path)) {
    throw MissingError("there is no SentencePiece model " + path, "",
                       "train it with spm_train, or copy it there");
  }
  return Parse(ReadFile(path), path);
}

std::shared_ptr<const SentencePieceTextEncoder> SentencePieceTextEncoder::Parse(
    std::string_view contents, const std::string& name) {
  auto model = std::make_unique<Model>();
  std::string why;
  try {
    const auto status = model->processor.LoadFromSerializedProto(
        {contents.data(), contents.size()});
    if (!status.ok()) why = status.ToString();
  } catch (const std::exception& error) {  // of an empty piece, for one
    why = error.what();
  }
  if (!why.empty()) {
    throw DataError(name + " is no SentencePiece model: " + why,
                    "a .model file of spm_train");
  }
  const bool is_ours = model->processor.pad_id() == kPadId &&
                       model->processor.eos_id() == kEosId;
  model->shift = is_ours ? 0 : kNumReservedTokens;
  return std::shared_ptr<const SentencePieceTextEncoder>(
      new SentencePieceTextEncoder(std::move(model)));
}

std::vector<int64_t> SentencePieceTextEncoder::Encode(
    std::string_view text) const {
  std::vector<int> pieces;
  const auto status =
      model_->processor.Encode({text.data(), text.size()}, &pieces);
  if (!status.ok()) throw DataError("SentencePiece: " + status.ToString());
  std::vector<int64_t> ids;
  ids.reserve(pieces.size() + 1);
  for (const int piece : pieces) ids.push_back(piece + model_->shift);
  return ids;
}

std::string SentencePieceTextEncoder::Decode(const std::vector<int64_t>& ids,
                                             bool strip_extraneous) const {
  const auto& processor = model_->processor;
  std::string text;
  std::vector<int> pieces;
  const auto flush = [&] {
    std::string part;
    const auto status = processor.Decode(pieces, &part);
    if (!status.ok()) throw DataError("SentencePiece: " + status.ToString());
    text += part;
    pieces.clear();
  };
  // Reserved ids are shown by name, as T2T's encoders do; ids out of the
  // vocabulary are nothing.
  for (const int64_t id :
       strip_extraneous ? StripReservedIds(ids, kNumReservedTokens) : ids) {
    if (id == kPadId || id == kEosId) {
      flush();
      text += ReservedToken(id);
    } else if (id >= kNumReservedTokens && id < vocab_size()) {
      pieces.push_back(static_cast<int>(id - model_->shift));
    }
  }
  flush();
  return text;
}

std::vector<std::string> SentencePieceTextEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> pieces;
  for (const int64_t id : ids) {
    if (id == kPadId || id == kEosId) {
      pieces.emplace_back(ReservedToken(id));
    } else if (id >= kNumReservedTokens && id < vocab_size()) {
      pieces.push_back(
          model_->processor.IdToPiece(static_cast<int>(id - model_->shift)));
    } else {
      pieces.emplace_back();
    }
  }
  return pieces;
}

int64_t SentencePieceTextEncoder::vocab_size() const {
  return model_->processor.GetPieceSize() + model_->shift;
}

}  // namespace t2t
