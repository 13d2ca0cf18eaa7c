#ifndef T2T_HPARAMS_VALUES_OR_H_
#define T2T_HPARAMS_VALUES_OR_H_

#include <cstdint>
#include <string>

#include "t2t/hparams/hparams.h"

namespace t2t {

// A value by name, or `other` where the set has none: the hparams.json of old
// T2T checkpoints lacks the younger names.
inline int64_t IntOr(const HParams& hparams, const std::string& name,
                     int64_t other) {
  return hparams.Has(name) ? hparams.GetInt(name) : other;
}
inline double DoubleOr(const HParams& hparams, const std::string& name,
                       double other) {
  return hparams.Has(name) ? hparams.GetDouble(name) : other;
}
inline bool BoolOr(const HParams& hparams, const std::string& name,
                   bool other) {
  return hparams.Has(name) ? hparams.GetBool(name) : other;
}
inline std::string StringOr(const HParams& hparams, const std::string& name,
                            const std::string& other) {
  return hparams.Has(name) ? hparams.GetString(name) : other;
}

}  // namespace t2t

#endif  // T2T_HPARAMS_VALUES_OR_H_
