#ifndef HPARAMS_DESCRIBE_H_
#define HPARAMS_DESCRIBE_H_

#include <string>

#include "t2t/base/json.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

// Texts about sets, models and hparams, for --print_hparams and t2t-launch
// explain. Each ends with a line break. They need no model, so
// they know of those that are not here, too, and say so.

// A set: its parents, its family, and `hparams`, its values with their meaning;
// "*" stands before what the set itself changes.
std::string DescribeHParams(const std::string& set, const HParams& hparams);

// What differs, an hparam a line: "hidden_size: 512 -> 1024". "(none)" where
// one of them has no such hparam.
std::string DescribeDifference(const HParams& from, const HParams& to);

// {"hidden_size": [512, 1024]}; null where one of them has no such hparam.
Json DifferenceJson(const HParams& from, const HParams& to);

// An hparam's type, initial value and meaning, and the sets that change it.
std::string DescribeHParam(const std::string& name);

// A model's family, paper and sets.
std::string DescribeModel(const std::string& name);

}  // namespace t2t

#endif  // HPARAMS_DESCRIBE_H_
