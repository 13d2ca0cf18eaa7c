#ifndef T2T_BIN_TRAINER_HPARAMS_QUESTIONS_H_
#define T2T_BIN_TRAINER_HPARAMS_QUESTIONS_H_

#include <string>

#include "t2t/base/flags.h"

namespace t2t {

// --print_hparams and --diff_hparams: what a set's values are, answered without
// a problem, a model or data.
struct HParamsQuestions {
  bool print = false;
  std::string diff;
  bool json = false;

  void AddTo(Flags* flags);

  bool Asked() const { return print || !diff.empty(); }
  // Prints the answer to stdout; false where nothing is asked. set and changes:
  // --hparams_set and --hparams. Throws a usage error for names that there are
  // not.
  bool Answer(const std::string& set, const std::string& changes) const;

 private:
  std::string PrintedSet(const std::string& set,
                         const std::string& changes) const;
  std::string Difference() const;
};

}  // namespace t2t

#endif  // T2T_BIN_TRAINER_HPARAMS_QUESTIONS_H_
