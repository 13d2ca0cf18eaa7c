#ifndef T2T_HPARAMS_KEYS_H_
#define T2T_HPARAMS_KEYS_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "t2t/base/hparams.h"
#include "t2t/hparams/rows.h"

namespace t2t {

// The table of all hparams: what each is called, its type, what it starts from
// and what it means. Help, listings and checks derive from it; each key stands
// in it once.
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
