#ifndef T2T_PROBLEM_RECORD_FIELDS_H_
#define T2T_PROBLEM_RECORD_FIELDS_H_

#include <string>
#include <utility>
#include <vector>

#include "t2t/problem/problem.h"
#include "t2t/problem/step.h"

// Where T2T's records call a feature otherwise than its models do.

namespace t2t {

// Fields of a record, and what they are called as features.
using FieldNames = std::vector<std::pair<std::string, std::string>>;
// Keeps these fields, drops all others.
Step RenameFields(const FieldNames& names);
// The feature goes.
Step Drop(const std::string& feature);

// For Problem::regroup: the ids of this feature are written as T2T's field.
Regroup WriteAs(const std::string& feature, const std::string& field);

}  // namespace t2t

#endif  // T2T_PROBLEM_RECORD_FIELDS_H_
