#ifndef T2T_PROBLEM_BUILD_VOCABULARY_H_
#define T2T_PROBLEM_BUILD_VOCABULARY_H_

#include "t2t/problem/source.h"

namespace t2t {

// Whether all vocabulary files of the problem are in data_dir. Throws a usage
// error where --vocab names another than the one that is there.
bool VocabulariesAreThere(const Problem& problem,
                          const GenerateOptions& options);

// Builds them of the source's training text, or takes what a person gives;
// written once all of them are made.
void BuildVocabularies(const Problem& problem, const Source& source,
                       const GenerateOptions& options);

}  // namespace t2t

#endif  // T2T_PROBLEM_BUILD_VOCABULARY_H_
