#include "problems/all_problems.h"

namespace t2t {

void RegisterAllProblems(ProblemRegistry& problems) {
  RegisterAlgorithmic(problems);
  RegisterMnist(problems);
  RegisterMulti30k(problems);
  RegisterTextTmpdir(problems);
  RegisterTranslateNumbers(problems);
  RegisterTranslateWmt(problems);
}

}  // namespace t2t
