#include "t2t/problem/mixture_kinds.h"

#include <algorithm>
#include <utility>

#include "t2t/problem/text_kinds.h"

namespace t2t {
namespace {

// What is the members' own isn't the mixture's.
Problem WithoutData(const std::string& name, Problem problem) {
  problem.name = name;
  problem.data_name = name;
  problem.steps.clear();
  problem.splits.clear();
  return problem;
}

}  // namespace

Problem TaskMixture(const std::string& name, std::vector<std::string> members) {
  const Vocabulary vocabulary = VocabularyOf(members.front());
  Problem problem = WithoutData(name, TextToSelf(name, vocabulary));
  problem.metrics = {"accuracy", "neg_log_perplexity"};
  // As in T2T, by the name.
  if (std::ranges::any_of(members, [](const std::string& member) {
        return member.find("summarize") != std::string::npos;
      })) {
    problem.metrics.insert(problem.metrics.end(),
                           {"rouge_2_fscore", "rouge_L_fscore"});
  }
  problem.mixture = Mixture{.kind = Mixture::Kind::kTasks,
                            .members = std::move(members),
                            .rates = {}};
  return problem;
}

Problem TextMixture(const std::string& name,
                    const std::vector<TextMember>& members,
                    const std::string& vocabulary_of, bool has_inputs,
                    int64_t packed_length) {
  const Vocabulary vocabulary = VocabularyOf(vocabulary_of);
  Problem problem =
      WithoutData(name, has_inputs ? TextToText(name, vocabulary, vocabulary)
                                   : TextToSelf(name, vocabulary));
  problem.packed_length = packed_length;
  Mixture mixture{.kind = Mixture::Kind::kTexts, .members = {}, .rates = {}};
  double sum = 0;
  for (const TextMember& member : members) sum += member.rate;
  RateSchedule::Point always;
  for (const TextMember& member : members) {
    mixture.members.push_back(member.name);
    always.rates.push_back(member.rate / sum);
  }
  mixture.rates.points = {std::move(always)};
  problem.mixture = std::move(mixture);
  return problem;
}

}  // namespace t2t
