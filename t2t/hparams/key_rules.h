#ifndef T2T_HPARAMS_KEY_RULES_H_
#define T2T_HPARAMS_KEY_RULES_H_

#include <string>
#include <vector>

#include "t2t/base/hparams.h"
#include "t2t/base/range.h"

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

  const char* name;
  Kind kind = Kind::kNumber;
  Range range = {};
  // With blanks between; "-" is the empty text.
  const char* choices = "";
};

KeyRule NumberRule(const char* name, Range range);
KeyRule ChoiceRule(const char* name, const char* choices);

// Throws a usage error for the first value that its rule does not allow, with
// did-you-mean. No hparam may be NaN. kind: what messages call a name.
void CheckByRules(const HParams& hparams, const std::vector<KeyRule>& rules,
                  const std::string& kind = "hparam");

// The rules of the models' hparams: what each may be by itself. A model checks
// what it can combine.
const std::vector<KeyRule>& KeyRules();

// CheckByRules with these, and what several of them must fulfil together. For
// every program that makes hparams, before anything is done with them.
void CheckHParams(const HParams& hparams);

// What an hparam of choices may be.
std::vector<std::string> HParamChoices(const std::string& name);

}  // namespace t2t

#endif  // T2T_HPARAMS_KEY_RULES_H_
