#ifndef PROBLEMS_CORPORA_H_
#define PROBLEMS_CORPORA_H_

#include <string>
#include <vector>

#include "t2t/problem/corpus.h"

namespace t2t {

// The corpora that problems are made of, by name. Throws an internal error
// where there is none of this name.
const Corpus& CorpusNamed(const std::string& name);
std::vector<std::string> CorpusNames();  // sorted

}  // namespace t2t

#endif  // PROBLEMS_CORPORA_H_
