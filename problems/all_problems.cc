#include "problems/all_problems.h"

namespace t2t {

void RegisterAllProblems(ProblemRegistry& problems) {
  RegisterAlgorithmic(problems);
  RegisterDescriptionToCode(problems);
  RegisterDialogues(problems);
  RegisterEdits(problems);
  RegisterGenomics(problems);
  RegisterImage(problems);
  RegisterImageLsun(problems);
  RegisterImageQuestions(problems);
  RegisterImageSets(problems);
  RegisterImageText(problems);
  RegisterImagenet(problems);
  RegisterLanguageModels(problems);
  RegisterMixtures(problems);
  RegisterQuestions(problems);
  RegisterSummaries(problems);
  RegisterTextClass(problems);
  RegisterTextTasks(problems);
  RegisterTextTmpdir(problems);
  RegisterTimeSeries(problems);
  RegisterTransduction(problems);
  RegisterTranslate(problems);
  RegisterTranslateMulti30k(problems);
  RegisterTranslateNumbers(problems);
  RegisterWikipediaDump(problems);
  RegisterWikipediaLines(problems);
  RegisterWikipediaRevisions(problems);
}

}  // namespace t2t
