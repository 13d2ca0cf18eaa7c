#include "t2t/text/sentencepiece.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plugin.h"
#include "t2t/text/encoders.h"
#include "t2t/text/sentencepiece_plugin.h"

namespace t2t {
namespace {

// Opened when the first model is read, and never closed.
const SentencePiecePlugin& Library() {
  static const SentencePiecePlugin* const library = [] {
    Plugin plugin;
    plugin.file = "libt2t_sentencepiece.so";
    plugin.folder = "t2t/text";
    plugin.symbol = kGetSentencePiecePlugin;
    plugin.asked = "a SentencePiece model";
    plugin.todo =
        "keep it beside the program, and install SentencePiece's library "
        "(Debian: libsentencepiece0)";
    plugin.walled = true;
    const SentencePiecePlugin* const opened =
        reinterpret_cast<GetSentencePiecePlugin*>(OpenPlugin(plugin))();
    if (opened->version != kSentencePiecePluginVersion) {
      throw MissingError(plugin.file + " is of another build than this program",
                         "both of one build");
    }
    return opened;
  }();
  return *library;
}

// Memory that runs out here ends the program: no exception may pass the wall.
SentencePieceSink Into(std::string* text) {
  return {text, [](void* to, const char* data, size_t size) noexcept {
            static_cast<std::string*>(to)->append(data, size);
          }};
}

}  // namespace

struct SentencePieceTextEncoder::Model {
  explicit Model(SentencePieceModel* of) : model(of) {}
  ~Model() { Library().release(model); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  SentencePieceModel* const model;
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
  const SentencePiecePlugin& library = Library();
  std::string why;
  SentencePieceModel* const parsed =
      library.parse(contents.data(), contents.size(), Into(&why));
  if (parsed == nullptr) {
    throw DataError(name + " is no SentencePiece model: " + why,
                    "a .model file of spm_train");
  }
  auto model = std::make_unique<Model>(parsed);
  const bool is_ours =
      library.pad_id(parsed) == kPadId && library.eos_id(parsed) == kEosId;
  model->shift = is_ours ? 0 : kNumReservedTokens;
  return std::shared_ptr<const SentencePieceTextEncoder>(
      new SentencePieceTextEncoder(std::move(model)));
}

std::vector<int64_t> SentencePieceTextEncoder::Encode(
    std::string_view text) const {
  std::vector<int64_t> ids;
  std::string why;
  const bool good = Library().encode(
      model_->model, text.data(), text.size(), &ids,
      [](void* to, int id) noexcept {
        static_cast<std::vector<int64_t>*>(to)->push_back(id);
      },
      Into(&why));
  if (!good) throw DataError("SentencePiece: " + why);
  for (int64_t& id : ids) id += model_->shift;
  return ids;
}

std::string SentencePieceTextEncoder::Decode(const std::vector<int64_t>& ids,
                                             bool strip_extraneous) const {
  std::string text;
  std::vector<int> pieces;
  const auto flush = [&] {
    std::string part;
    std::string why;
    if (!Library().decode(model_->model, pieces.data(), pieces.size(),
                          Into(&part), Into(&why))) {
      throw DataError("SentencePiece: " + why);
    }
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
    pieces.emplace_back();
    if (id == kPadId || id == kEosId) {
      pieces.back() = ReservedToken(id);
    } else if (id >= kNumReservedTokens && id < vocab_size()) {
      std::string why;
      if (!Library().piece(model_->model, static_cast<int>(id - model_->shift),
                           Into(&pieces.back()), Into(&why))) {
        throw DataError("SentencePiece: " + why);
      }
    }
  }
  return pieces;
}

int64_t SentencePieceTextEncoder::vocab_size() const {
  return Library().size(model_->model) + model_->shift;
}

}  // namespace t2t
