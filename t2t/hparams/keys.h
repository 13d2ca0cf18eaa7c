#ifndef T2T_HPARAMS_KEYS_H_
#define T2T_HPARAMS_KEYS_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "t2t/base/range.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/rows.h"

namespace t2t {

// The values that an hparam may have, by its name.
struct KeyRule {
  enum class Kind {
    kNumber,   // in a range; of a list, each of its numbers
    kChoice,   // one of the choices
    kProduct,  // choices with '*' between ("constant*linear_warmup")
    kLetters,  // of letters, each a choice, or "none" or empty
    kInts,     // a text of whole numbers with commas between, or empty
  };

  const char* name = "";
  Kind kind = Kind::kNumber;
  Range range = {};
  // With blanks between; "-" is the empty text.
  const char* choices = "";
};

// Rules as the key table has them: without a name.
constexpr KeyRule InRange(Range range) {
  return {"", KeyRule::Kind::kNumber, range, ""};
}
constexpr KeyRule IntsIn(Range range) {
  return {"", KeyRule::Kind::kInts, range, ""};
}
constexpr KeyRule Among(const char* choices) {
  return {"", KeyRule::Kind::kChoice, {}, choices};
}
constexpr KeyRule ProductOf(const char* choices) {
  return {"", KeyRule::Kind::kProduct, {}, choices};
}
constexpr KeyRule LettersOf(const char* choices) {
  return {"", KeyRule::Kind::kLetters, {}, choices};
}

// Ranges that many hparams have. Each holds every value of the sets that a
// model here can be made with.
inline constexpr Range kAtLeast0 = Range::AtLeast(0);
inline constexpr Range kAtLeast1 = Range::AtLeast(1);
inline constexpr Range kSize = Range::Between(1, 1e9);
inline constexpr Range kSizeOr0 = Range::Between(0, 1e9);  // 0: another's
inline constexpr Range kLayers = Range::Between(1, 10000);
inline constexpr Range kLayersOr0 = Range::Between(0, 10000);
inline constexpr Range kDropout = Range::FromZeroBelow(1);
inline constexpr Range kShare = Range::Between(0, 1);
inline constexpr Range kMinus1 = Range::AtLeast(-1);  // -1: none

// The table of all hparams: what each is called, its type, what it starts from,
// what it means and what it may be. Help, listings and checks derive from it;
// each key stands in it once.
struct HParamKey {
  enum class Type {
    kBool,
    kInt,
    kNumber,
    kText,
    kInts,
    kNumbers,
    kTexts,
    // One or a list, by the model's family.
    kIntOrInts,
    kTextOrTexts,
  };

  const char* name;
  Type type;
  // Of the keys that every model has (T2T's basic_params1).
  std::optional<RowValue> initial;
  // What it means; for keys of models that are here, when to change it, too.
  const char* help;
  // Of the keys of models that are here.
  std::optional<KeyRule> rule = std::nullopt;

  bool Takes(const HParams::Value& value) const;
};

// The keys of one theme, in the order in which they are explained.
std::span<const HParamKey> CommonKeys();       // of every model
std::span<const HParamKey> TransformerKeys();  // and its relatives
std::span<const HParamKey> AttentionKeys();    // attention models, meshes
std::span<const HParamKey> SequenceKeys();     // LSTMs, convolutions
std::span<const HParamKey> ImageKeys();
std::span<const HParamKey> LatentKeys();  // autoencoders, flows, GANs
std::span<const HParamKey> VideoKeys();
std::span<const HParamKey> ReinforcementKeys();

// All of them, in this order.
std::vector<const HParamKey*> HParamKeys();

// nullptr where there is no such key.
const HParamKey* FindHParamKey(const std::string& name);

// "a whole number", for messages and lists.
const char* TypeText(HParamKey::Type type);

// The keys that every model has, with their initial values: T2T's
// basic_params1 (whose five dictionaries of Python functions are left out).
HParams InitialHParams();

}  // namespace t2t

#endif  // T2T_HPARAMS_KEYS_H_
