#include "t2t/problem/data_facts.h"

#include <memory>
#include <utility>

#include "t2t/problem/problem.h"

namespace t2t {

DataFacts DataFactsOf(const std::string& name) {
  ProblemSpec spec;
  spec.base_name = name;
  if (!Problems().Has(name)) spec = ParseProblemName(name);
  const std::unique_ptr<Problem> problem = Problems().Get(spec.base_name)();
  const auto* const known = dynamic_cast<const HasDataFacts*>(problem.get());
  if (known == nullptr) return {};
  DataFacts facts = known->data_facts();
  if (spec.was_reversed) std::swap(facts.dev_inputs, facts.dev_targets);
  if (spec.was_copy) facts.dev_targets = facts.dev_inputs;
  return facts;
}

}  // namespace t2t
