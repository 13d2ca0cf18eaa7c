#ifndef HPARAMS_ALL_HPARAMS_H_
#define HPARAMS_ALL_HPARAMS_H_

#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"
#include "t2t/hparams/ranges.h"
#include "t2t/hparams/rows.h"

namespace t2t {

// Adds the sets and ranges of all families.
void RegisterAllSets(HParamsRegistry& sets, HParamsRangeRegistry& ranges);

// The rows of all sets and ranges.
const HParamsTable& AllHParams();

// Any set's values, to be looked at: of families whose model is not here, and
// of plug-ins, too. Throws a usage error, with did-you-mean, where there is no
// such set. (HParamsSets().Get(set)() is for models, and throws a usage error
// where the set's family is not here.)
HParams LookUpHParams(const std::string& set);

// "" where a model can be made with the set; else what is in the way: "hparams
// set X is of the model family Y, which is not here yet".
std::string WhyNotHere(const std::string& set);

// The sets that a model here can be made with: all, sorted, or a family's, in
// the order of their rows.
std::vector<std::string> SetsHere();
std::vector<std::string> SetsHere(const std::string& family);

}  // namespace t2t

#endif  // HPARAMS_ALL_HPARAMS_H_
