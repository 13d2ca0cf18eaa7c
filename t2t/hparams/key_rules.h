#ifndef T2T_HPARAMS_KEY_RULES_H_
#define T2T_HPARAMS_KEY_RULES_H_

#include <string>
#include <vector>

#include "t2t/base/range.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/keys.h"

namespace t2t {

KeyRule NumberRule(const char* name, Range range);
KeyRule ChoiceRule(const char* name, const char* choices);

// Throws a usage error for the first value that its rule does not allow, with
// did-you-mean. No hparam may be NaN. kind: what messages call a name.
void CheckByRules(const HParams& hparams, const std::vector<KeyRule>& rules,
                  const std::string& kind = "hparam");

// The rules in the key table: what each hparam may be by itself. A model checks
// what it can combine.
const std::vector<KeyRule>& KeyRules();

// CheckByRules with these, and what several of them must fulfil together. For
// every program that makes hparams, before anything is done with them.
void CheckHParams(const HParams& hparams);

// What an hparam of choices may be.
std::vector<std::string> HParamChoices(const std::string& name);

}  // namespace t2t

#endif  // T2T_HPARAMS_KEY_RULES_H_
