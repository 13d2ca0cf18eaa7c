#ifndef T2T_PROBLEM_DATAGEN_H_
#define T2T_PROBLEM_DATAGEN_H_

#include "t2t/problem/problem.h"
#include "t2t/problem/source.h"

namespace t2t {

// Makes a problem's vocabularies and shards in data_dir (each complete or
// absent), of what lies in tmp_dir or is fetched into it. What is there already
// is kept. For "_rev" and "_copy", and for a problem that has another's data,
// it makes that one's; for a mixture those of its members.
void GenerateData(const Problem& problem, const GenerateOptions& options);

}  // namespace t2t

#endif  // T2T_PROBLEM_DATAGEN_H_
