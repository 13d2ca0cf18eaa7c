#ifndef T2T_PROBLEM_MIXTURE_H_
#define T2T_PROBLEM_MIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "t2t/hparams/hparams.h"

namespace t2t {

struct Problem;
struct ProblemInfo;

// How often training draws each member of a mixture, over the steps. A point
// says the rates from a step on; before the first and behind the last point
// they stay as they are there.
struct RateSchedule {
  struct Point {
    int64_t step = 0;
    std::vector<double> rates;  // of each member; together 1
  };
  std::vector<Point> points;
  bool linear = false;  // between two points; else those of the one before

  std::vector<double> At(int64_t step) const;
};

// T2T's text of a schedule: "linear @0 1.0 0.0 @100 0.5 0.5", or "step ..".
// Throws a usage error where it isn't one for so many members.
RateSchedule ParseRateSchedule(const std::string& text, size_t members);

// Several problems in one: training draws each example from one of them.
struct Mixture {
  enum class Kind {
    // T2T's MultiProblem. All is one text: (inputs) task id targets, where the
    // ids of tasks and classes come behind those of the vocabulary; the
    // multiproblem_* hparams say how often each is drawn, and the first member,
    // a language model, is the one that training begins with.
    kTasks,
    // T2T's MultiText2TextProblem: examples as their problem makes them, told
    // apart by the words before their texts; `rates` says how often each is
    // drawn.
    kTexts,
  };
  Kind kind = Kind::kTasks;
  std::vector<std::string> members;  // names of problems, "_rev" or not
  RateSchedule rates;                // of kTexts
};

// Member i, whose steps make of its examples what the mixture's model takes.
// info: the mixture's.
Problem MixtureMember(const Problem& mixture, size_t i,
                      const ProblemInfo& info);

// What a mixture's vocabulary and tasks add to the `info` that its features
// give. Reads what labels there are in data_dir.
void AddTasks(const Problem& mixture, const std::string& data_dir,
              ProblemInfo* info);
// hparam multiproblem_vocab_size makes the vocabulary of a mixture's model
// larger.
void WidenVocabulary(const HParams& hparams, ProblemInfo* info);

// The rates of each member for the next example of training, after so many
// examples and so many batches.
using Rates =
    std::function<std::vector<double>(int64_t examples, int64_t batches)>;
// Throws a usage error where the hparams are no schedule for it.
Rates RatesOf(const Mixture& mixture, const HParams& hparams);
// All that they are a function of.
std::string RatesText(const Mixture& mixture, const HParams& hparams);

// The members that an evaluation looks at: all, or with hparam
// multiproblem_target_eval_only, as in T2T, the second one alone.
std::vector<size_t> EvaluatedMembers(const Mixture& mixture,
                                     const HParams& hparams);

}  // namespace t2t

#endif  // T2T_PROBLEM_MIXTURE_H_
