#ifndef T2T_PROBLEM_MIXTURE_KINDS_H_
#define T2T_PROBLEM_MIXTURE_KINDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/problem/problem.h"

namespace t2t {

// Kinds of mixtures (t2t/problem/mixture.h says what they are).

// T2T's MultiProblem. The first member is a language model, whose vocabulary
// all members have.
Problem TaskMixture(const std::string& name, std::vector<std::string> members);

// A member of a mixture of texts.
struct TextMember {
  std::string name;
  // How often it is drawn, in whatever unit.
  double rate = 1;
};

// T2T's MultiText2TextProblem at rates that stay as they are. vocabulary_of:
// the problem whose vocabulary all members have. has_inputs: false where inputs
// and targets are to be one text. packed_length: of members that are packed.
Problem TextMixture(const std::string& name,
                    const std::vector<TextMember>& members,
                    const std::string& vocabulary_of, bool has_inputs,
                    int64_t packed_length = 0);

}  // namespace t2t

#endif  // T2T_PROBLEM_MIXTURE_KINDS_H_
