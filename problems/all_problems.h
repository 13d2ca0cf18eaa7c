#ifndef PROBLEMS_ALL_PROBLEMS_H_
#define PROBLEMS_ALL_PROBLEMS_H_

#include "t2t/problem/problem.h"

namespace t2t {

// Each adds the rows of its file.
void RegisterAlgorithmic(ProblemRegistry& problems);
void RegisterImage(ProblemRegistry& problems);
void RegisterTextTmpdir(ProblemRegistry& problems);
void RegisterTranslate(ProblemRegistry& problems);
void RegisterTranslateMulti30k(ProblemRegistry& problems);
void RegisterTranslateNumbers(ProblemRegistry& problems);
void RegisterWikipediaLines(ProblemRegistry& problems);

// Adds those of all files.
void RegisterAllProblems(ProblemRegistry& problems);

}  // namespace t2t

#endif  // PROBLEMS_ALL_PROBLEMS_H_
