#include "t2t/text/sentencepiece_plugin.h"

#include <sentencepiece_processor.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace t2t {

struct SentencePieceModel {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

void Put(SentencePieceSink sink, const std::string& text) {
  sink.put(sink.to, text.data(), text.size());
}

// Runs body, which returns a sentencepiece::util::Status.
template <typename Body>
bool Run(SentencePieceSink why, const Body& body) {
  try {
    const auto status = body();
    if (status.ok()) return true;
    Put(why, status.ToString());
  } catch (const std::exception& error) {  // of an empty piece, for one
    Put(why, error.what());
  } catch (...) {
    Put(why, "an unknown exception");
  }
  return false;
}

sentencepiece::util::Status Ok() { return {}; }

SentencePieceModel* Parse(const char* data, size_t size,
                          SentencePieceSink why) {
  std::unique_ptr<SentencePieceModel> model;
  const bool good = Run(why, [&] {
    model = std::make_unique<SentencePieceModel>();
    return model->processor.LoadFromSerializedProto({data, size});
  });
  return good ? model.release() : nullptr;
}

void Release(SentencePieceModel* model) { delete model; }

int PadId(const SentencePieceModel* model) { return model->processor.pad_id(); }

int EosId(const SentencePieceModel* model) { return model->processor.eos_id(); }

int Size(const SentencePieceModel* model) {
  return model->processor.GetPieceSize();
}

bool Encode(const SentencePieceModel* model, const char* text, size_t size,
            void* to, void (*put_id)(void* to, int id), SentencePieceSink why) {
  return Run(why, [&] {
    std::vector<int> ids;
    const auto status = model->processor.Encode({text, size}, &ids);
    for (const int id : ids) put_id(to, id);
    return status;
  });
}

bool Decode(const SentencePieceModel* model, const int* ids, size_t count,
            SentencePieceSink text, SentencePieceSink why) {
  return Run(why, [&] {
    std::string decoded;
    const auto status =
        model->processor.Decode(std::vector<int>(ids, ids + count), &decoded);
    Put(text, decoded);
    return status;
  });
}

bool Piece(const SentencePieceModel* model, int id, SentencePieceSink text,
           SentencePieceSink why) {
  return Run(why, [&] {
    Put(text, model->processor.IdToPiece(id));
    return Ok();
  });
}

constexpr SentencePiecePlugin kPlugin = {
    kSentencePiecePluginVersion,
    &Parse,
    &Release,
    &PadId,
    &EosId,
    &Size,
    &Encode,
    &Decode,
    &Piece,
};

}  // namespace
}  // namespace t2t

extern "C" const t2t::SentencePiecePlugin* T2tGetSentencePiecePlugin() {
  return &t2t::kPlugin;
}
