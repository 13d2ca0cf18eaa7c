// Until every program registers what it needs first of all in its main.

#include "problems/all_problems.h"

namespace t2t {
namespace {

[[maybe_unused]] const bool registered = [] {
  RegisterAllProblems(Problems());
  return true;
}();

}  // namespace
}  // namespace t2t
