#ifndef PROBLEMS_ALL_PROBLEMS_H_
#define PROBLEMS_ALL_PROBLEMS_H_

#include "t2t/problem/problem.h"

namespace t2t {

// Each adds the rows of its file.
void RegisterAlgorithmic(ProblemRegistry& problems);
void RegisterDescriptionToCode(ProblemRegistry& problems);
void RegisterDialogues(ProblemRegistry& problems);
void RegisterEdits(ProblemRegistry& problems);
void RegisterGenomics(ProblemRegistry& problems);
void RegisterImage(ProblemRegistry& problems);
void RegisterImageLsun(ProblemRegistry& problems);
void RegisterImageQuestions(ProblemRegistry& problems);
void RegisterImageSets(ProblemRegistry& problems);
void RegisterImageText(ProblemRegistry& problems);
void RegisterImagenet(ProblemRegistry& problems);
void RegisterLanguageModels(ProblemRegistry& problems);
void RegisterMixtures(ProblemRegistry& problems);
void RegisterQuestions(ProblemRegistry& problems);
void RegisterSummaries(ProblemRegistry& problems);
void RegisterTextClass(ProblemRegistry& problems);
void RegisterTextTasks(ProblemRegistry& problems);
void RegisterTextTmpdir(ProblemRegistry& problems);
void RegisterTimeSeries(ProblemRegistry& problems);
void RegisterTransduction(ProblemRegistry& problems);
void RegisterTranslate(ProblemRegistry& problems);
void RegisterTranslateMulti30k(ProblemRegistry& problems);
void RegisterTranslateNumbers(ProblemRegistry& problems);
void RegisterWikipediaDump(ProblemRegistry& problems);
void RegisterWikipediaLines(ProblemRegistry& problems);
void RegisterWikipediaRevisions(ProblemRegistry& problems);

// Adds those of all files.
void RegisterAllProblems(ProblemRegistry& problems);

}  // namespace t2t

#endif  // PROBLEMS_ALL_PROBLEMS_H_
