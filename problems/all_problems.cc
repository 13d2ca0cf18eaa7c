#include "problems/all_problems.h"

namespace t2t {

void RegisterAllProblems(ProblemRegistry& problems) {
  RegisterAlgorithmic(problems);
  RegisterImage(problems);
  RegisterTextTmpdir(problems);
  RegisterTranslate(problems);
  RegisterTranslateMulti30k(problems);
  RegisterTranslateNumbers(problems);
  RegisterWikipediaLines(problems);
}

}  // namespace t2t
