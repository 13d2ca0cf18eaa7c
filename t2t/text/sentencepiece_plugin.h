#ifndef T2T_TEXT_SENTENCEPIECE_PLUGIN_H_
#define T2T_TEXT_SENTENCEPIECE_PLUGIN_H_

#include <cstddef>
#include <cstdint>

namespace t2t {

// The wall between this program and the library SentencePiece, which exports
// names that LibTorch exports too (FLAGS_minloglevel, with another size) and an
// old Protobuf's. libt2t_sentencepiece.so, opened with Plugin::walled, is the
// only object that links to it. Only plain C types cross; no exception does.

// Raised with every change of this file.
inline constexpr int64_t kSentencePiecePluginVersion = 1;

// A loaded model, on the other side of the wall.
struct SentencePieceModel;

// Takes a piece of text that a call returns. It must not throw.
struct SentencePieceSink {
  void* to;
  void (*put)(void* to, const char* data, size_t size);
};

// Where a call may fail it returns false and puts why into `why`.
struct SentencePiecePlugin {
  int64_t version;
  // A model file's bytes; null where it failed.
  SentencePieceModel* (*parse)(const char* data, size_t size,
                               SentencePieceSink why);
  void (*release)(SentencePieceModel* model);
  int (*pad_id)(const SentencePieceModel* model);
  int (*eos_id)(const SentencePieceModel* model);
  int (*size)(const SentencePieceModel* model);
  // Calls put_id for each piece's id, in order.
  bool (*encode)(const SentencePieceModel* model, const char* text, size_t size,
                 void* to, void (*put_id)(void* to, int id),
                 SentencePieceSink why);
  bool (*decode)(const SentencePieceModel* model, const int* ids, size_t count,
                 SentencePieceSink text, SentencePieceSink why);
  // The piece of an id in [0, size).
  bool (*piece)(const SentencePieceModel* model, int id, SentencePieceSink text,
                SentencePieceSink why);
};

// What libt2t_sentencepiece.so exports, by this name and type.
using GetSentencePiecePlugin = const SentencePiecePlugin*();
inline constexpr char kGetSentencePiecePlugin[] = "T2tGetSentencePiecePlugin";

}  // namespace t2t

#endif  // T2T_TEXT_SENTENCEPIECE_PLUGIN_H_
