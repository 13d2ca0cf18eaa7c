#ifndef T2T_HPARAMS_WITHOUT_EFFECT_H_
#define T2T_HPARAMS_WITHOUT_EFFECT_H_

#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"

namespace t2t {

// What a run's hparams are for.
struct HParamsUse {
  std::string model;
  std::string targets_modality;  // "" where it is not known
  bool is_mixture = false;       // of tasks: T2T's MultiProblem
};

// An hparam that another one switches off.
struct WithoutEffectRow {
  std::vector<const char*> names;
  bool (*off)(const HParams& hparams, const HParamsUse& use);
  // Hparams whose values are the reason, for the message; nullptr: none.
  const char* because_of;
  const char* reason;   // after "because_of=value" or by itself
  const char* instead;  // what to do; "" nothing helps
};

// Every such pair that is known.
const std::vector<WithoutEffectRow>& WithoutEffectRows();

// "hparam learning_rate=50 has no effect: ...; use learning_rate_constant" for
// each hparam that the user gave (--hparams' text) and that does nothing.
std::vector<std::string> NotesOnHParams(const HParams& hparams,
                                        const std::string& given,
                                        const HParamsUse& use);

}  // namespace t2t

#endif  // T2T_HPARAMS_WITHOUT_EFFECT_H_
