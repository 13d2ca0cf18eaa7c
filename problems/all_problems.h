#ifndef PROBLEMS_ALL_PROBLEMS_H_
#define PROBLEMS_ALL_PROBLEMS_H_

#include "t2t/problem/problem.h"

namespace t2t {

// Each adds the problems of its file.
void RegisterAlgorithmic(ProblemRegistry& problems);
void RegisterMnist(ProblemRegistry& problems);
void RegisterMulti30k(ProblemRegistry& problems);
void RegisterTextTmpdir(ProblemRegistry& problems);
void RegisterTranslateNumbers(ProblemRegistry& problems);
void RegisterTranslateWmt(ProblemRegistry& problems);

// Adds those of all files.
void RegisterAllProblems(ProblemRegistry& problems);

}  // namespace t2t

#endif  // PROBLEMS_ALL_PROBLEMS_H_
