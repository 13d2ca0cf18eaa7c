#include "t2t/problem/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/problem/modality_traits.h"
#include "t2t/problem/problem.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

// The exponential schedule begins with this share of what it ends with.
constexpr double kLeastShare = 1e-4;
// The byte "0" in T2T's encoder of bytes.
constexpr int64_t kDigitZero = '0' + kNumReservedTokens;

bool IsClass(const FeatureSpec& feature) {
  return TraitsOfModality(feature.modality).is_class_label;
}

int64_t ClassesOf(const Vocabulary& vocabulary, const std::string& problem,
                  const std::string& data_dir) {
  return LoadVocabulary(vocabulary, problem, data_dir)->vocab_size();
}

// What a task's step cuts and fills up to.
struct TaskLengths {
  TaskLengths(Mode mode, const HParams& hparams)
      : inputs(IntOr(hparams, "multiproblem_max_input_length", -1)),
        targets(mode == Mode::kPredict
                    ? -1
                    : IntOr(hparams, "multiproblem_max_target_length", -1)),
        fixed(mode == Mode::kPredict
                  ? -1
                  : IntOr(hparams, "multiproblem_fixed_train_length", -1)) {}

  static int64_t Cut(int64_t length, int64_t most) {
    return most > 0 ? std::min(length, most) : length;
  }

  int64_t inputs;
  int64_t targets;
  int64_t fixed;  // of the whole text
};

void CutTo(int64_t most, std::vector<int64_t>* ids) {
  ids->resize(static_cast<size_t>(
      TaskLengths::Cut(static_cast<int64_t>(ids->size()), most)));
}

// T2T's normalize_example_nlp: the inputs, less their EOS, the task's id, and
// the targets are one text. To predict, the targets stay what they are.
bool JoinByTask(const TaskInfo& task, bool has_inputs, Example* example,
                const StepContext& context) {
  const TaskLengths lengths(context.mode, context.hparams);
  std::vector<int64_t> targets = example->Ints("targets");
  std::vector<int64_t> joined;
  if (has_inputs) {
    joined = example->Ints("inputs");
    if (!joined.empty()) joined.pop_back();
  }
  if (task.first_label >= 0) {
    for (int64_t& target : targets) target += task.first_label;
  } else if (has_inputs) {
    CutTo(lengths.inputs, &joined);
    CutTo(lengths.targets, &targets);
  }
  joined.push_back(task.id);
  Example made;
  if (has_inputs && context.mode == Mode::kPredict) {
    made.features["inputs"] = std::move(joined);
    made.features["targets"] = std::move(targets);
  } else {
    joined.insert(joined.end(), targets.begin(), targets.end());
    if (lengths.fixed > 0) joined.resize(static_cast<size_t>(lengths.fixed));
    made.features["targets"] = std::move(joined);
  }
  *example = std::move(made);
  return true;
}

int64_t CountOf(ExampleLengths* lengths, const char* name) {
  const FeatureLength* const found = lengths->Find(name);
  return found == nullptr ? 0 : found->count;
}

LengthsStep JoinByTaskOnLengths(const TaskInfo& task, bool has_inputs,
                                Mode mode, const HParams& hparams) {
  return [most = TaskLengths(mode, hparams), has_inputs,
          is_class = task.first_label >= 0,
          predicts = mode == Mode::kPredict](ExampleLengths* lengths) {
    int64_t targets = CountOf(lengths, "targets");
    int64_t joined = 0;
    if (has_inputs) {
      joined = std::max<int64_t>(0, CountOf(lengths, "inputs") - 1);
    }
    if (!is_class && has_inputs) {
      joined = TaskLengths::Cut(joined, most.inputs);
      targets = TaskLengths::Cut(targets, most.targets);
    }
    ++joined;
    *lengths = {};
    const auto kind = FeatureLength::Kind::kIntegers;
    if (has_inputs && predicts) {
      lengths->Set("inputs", kind, joined);
      lengths->Set("targets", kind, targets);
    } else {
      lengths->Set("targets", kind,
                   most.fixed > 0 ? most.fixed : joined + targets);
    }
    return true;
  };
}

Step TaskStep(const TaskInfo& task, bool has_inputs) {
  return {.name = "join by task",
          .run =
              [=](Example* example, const StepContext& context) {
                return JoinByTask(task, has_inputs, example, context);
              },
          .lengths =
              [=](Mode mode, const HParams& hparams) {
                return JoinByTaskOnLengths(task, has_inputs, mode, hparams);
              }};
}

// T2T's max_length(): of a packed mixture that of its rows.
int64_t LongestText(int64_t packed_length, const HParams& hparams) {
  if (packed_length > 0) return packed_length;
  for (const char* const name :
       {"split_to_length", "max_length", "batch_size"}) {
    if (const int64_t length = IntOr(hparams, name, 0); length > 0) {
      return length;
    }
  }
  return 0;
}

// What a packed example has besides; all of one that isn't packed is its first
// text.
void AddSegment(const std::string& feature, Example* example) {
  if (example->Has(feature + "_segmentation")) return;
  const std::vector<int64_t>& ids = example->Ints(feature);
  std::vector<int64_t> segmentation(ids.size()), position(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == kPadId) continue;
    segmentation[i] = 1;
    position[i] = static_cast<int64_t>(i);
  }
  example->features[feature + "_segmentation"] = std::move(segmentation);
  example->features[feature + "_position"] = std::move(position);
}

constexpr const char* kPackedParts[] = {"", "_segmentation", "_position"};

// T2T's normalize_example of MultiText2TextProblem, but that texts are filled
// up to the longest of their batch only.
bool CutTexts(bool has_inputs, bool is_packed, int64_t most, Example* example) {
  if (!has_inputs && example->Has("inputs")) {
    std::vector<int64_t> joined = example->Ints("inputs");
    if (!joined.empty()) joined.pop_back();
    const std::vector<int64_t>& targets = example->Ints("targets");
    joined.insert(joined.end(), targets.begin(), targets.end());
    example->features["targets"] = std::move(joined);
  }
  Example made;
  for (const std::string feature : {"inputs", "targets"}) {
    if (feature == "inputs" && !has_inputs) continue;
    if (is_packed) AddSegment(feature, example);
    for (const char* const part : kPackedParts) {
      if (*part != 0 && !is_packed) continue;
      std::vector<int64_t> ids = example->Ints(feature + part);
      CutTo(most, &ids);
      made.features[feature + part] = std::move(ids);
    }
  }
  *example = std::move(made);
  return true;
}

LengthsStep CutTextsOnLengths(bool has_inputs, bool is_packed, int64_t most) {
  return [=](ExampleLengths* lengths) {
    const int64_t inputs = CountOf(lengths, "inputs");
    int64_t targets = CountOf(lengths, "targets");
    if (!has_inputs) targets += std::max<int64_t>(0, inputs - 1);
    *lengths = {};
    const auto set = [&](const char* ids, const char* segmentation,
                         const char* position, int64_t count) {
      for (const char* const name : {ids, segmentation, position}) {
        if (name != ids && !is_packed) continue;
        lengths->Set(name, FeatureLength::Kind::kIntegers,
                     TaskLengths::Cut(count, most));
      }
    };
    if (has_inputs) {
      set("inputs", "inputs_segmentation", "inputs_position", inputs);
    }
    set("targets", "targets_segmentation", "targets_position", targets);
    return true;
  };
}

Step TextStep(const Problem& mixture) {
  const bool has_inputs = mixture.features.count("inputs") > 0;
  const int64_t packed = mixture.packed_length;
  return {.name = "cut texts",
          .run =
              [=](Example* example, const StepContext& context) {
                return CutTexts(has_inputs, packed > 0,
                                LongestText(packed, context.hparams), example);
              },
          .lengths =
              [=](Mode, const HParams& hparams) {
                return CutTextsOnLengths(has_inputs, packed > 0,
                                         LongestText(packed, hparams));
              }};
}

// Of the first member 1 - share; the others have the rest alike.
std::vector<double> FirstAndOthers(double share, size_t members) {
  std::vector<double> rates(members, share / static_cast<double>(members - 1));
  rates[0] = 1 - share;
  return rates;
}

std::vector<double> Numbers(const std::string& text, const std::string& what) {
  std::vector<double> numbers;
  for (const std::string& part : Split(text, ',')) {
    double number = 0;
    if (!ParseDouble(Trim(part), &number) || !std::isfinite(number) ||
        number < 0) {
      throw UsageError(what + "=" + text,
                       "numbers of at least 0, with commas between");
    }
    numbers.push_back(number);
  }
  return numbers;
}

void Normalize(std::vector<double>* rates, const std::string& what) {
  const double sum = std::accumulate(rates->begin(), rates->end(), 0.0);
  if (!(sum > 0)) throw UsageError(what + " are all 0", "one above 0");
  for (double& rate : *rates) rate /= sum;
}

// hparam multiproblem_per_task_threshold.
std::vector<double> ThresholdsOf(const std::string& text, size_t members) {
  const std::string name = "multiproblem_per_task_threshold";
  std::vector<double> rates = Numbers(text, name);
  if (rates.size() != members) {
    throw UsageError(
        name + "=" + text + " has " + std::to_string(rates.size()) + " numbers",
        "one for each of the " + std::to_string(members) +
            " problems of the mixture");
  }
  Normalize(&rates, name);
  return rates;
}

constexpr const char* kSchedules[] = {"constant", "exponential", "pretrain"};

}  // namespace

std::vector<double> RateSchedule::At(int64_t step) const {
  if (step < points.front().step) return points.front().rates;
  const auto after =
      std::upper_bound(points.begin(), points.end(), step,
                       [](int64_t s, const Point& p) { return s < p.step; });
  const Point& before = *(after - 1);
  if (!linear || after == points.end()) return before.rates;
  const double part = static_cast<double>(step - before.step) /
                      static_cast<double>(after->step - before.step);
  std::vector<double> rates = before.rates;
  for (size_t i = 0; i < rates.size(); ++i) {
    rates[i] += part * (after->rates[i] - before.rates[i]);
  }
  return rates;
}

RateSchedule ParseRateSchedule(const std::string& text, size_t members) {
  const auto wrong = [&](const std::string& what) {
    return UsageError("the schedule '" + text + "': " + what,
                      "'step' or 'linear', then '@' and a step, rising, and " +
                          std::to_string(members) + " rates, again and again",
                      "linear @0 1.0 0.0 @1000 0.5 0.5");
  };
  RateSchedule schedule;
  bool first = true;
  for (const std::string& word : Split(text, ' ')) {
    if (word.empty()) continue;
    if (first) {
      if (word != "step" && word != "linear") throw wrong("begins otherwise");
      schedule.linear = word == "linear";
    } else if (word[0] == '@') {
      int64_t step = 0;
      if (!ParseInt(word.substr(1), &step) || step < 0) {
        throw wrong(word + " is no step");
      }
      if (!schedule.points.empty() && step <= schedule.points.back().step) {
        throw wrong(word + " comes too late");
      }
      schedule.points.push_back({step, {}});
    } else {
      double rate = 0;
      if (schedule.points.empty() || !ParseDouble(word, &rate) ||
          !(rate >= 0)) {
        throw wrong(word + " is no rate");
      }
      schedule.points.back().rates.push_back(rate);
    }
    first = false;
  }
  if (schedule.points.empty()) throw wrong("it has no step");
  for (RateSchedule::Point& point : schedule.points) {
    if (point.rates.size() != members) {
      throw wrong("@" + std::to_string(point.step) + " has " +
                  std::to_string(point.rates.size()) + " rates");
    }
    Normalize(&point.rates, "the rates of '" + text + "'");
  }
  return schedule;
}

Problem MixtureMember(const Problem& mixture, size_t i,
                      const ProblemInfo& info) {
  const std::string& name = mixture.mixture->members.at(i);
  Problem member = *MakeProblem(name);
  if (mixture.mixture->kind == Mixture::Kind::kTasks) {
    member.steps.push_back(
        TaskStep(info.tasks.at(i), member.features.count("inputs") > 0));
  } else {
    if (member.packed_length > 0 && mixture.features.count("inputs") == 0 &&
        member.features.count("inputs") > 0) {
      throw Error(ExitCode::kInternal,
                  name + " of " + mixture.name +
                      " is packed, so that its inputs and targets can't be "
                      "one text");
    }
    member.steps.push_back(TextStep(mixture));
  }
  return member;
}

void AddTasks(const Problem& mixture, const std::string& data_dir,
              ProblemInfo* info) {
  if (mixture.mixture->kind != Mixture::Kind::kTasks) return;
  FeatureInfo& targets = info->features.at("targets");
  const int64_t symbols = targets.vocab_size;
  const auto members = static_cast<int64_t>(mixture.mixture->members.size());
  const bool of_bytes = mixture.features.at("targets").vocabulary.kind ==
                        Vocabulary::Kind::kBytes;
  int64_t most_classes = 0;
  for (const std::string& name : mixture.mixture->members) {
    TaskInfo task;
    task.member = name;
    task.id = symbols + static_cast<int64_t>(info->tasks.size());
    const auto member = MakeProblem(name);
    const FeatureSpec& feature = member->features.at("targets");
    if (IsClass(feature)) {
      // Classes of different tasks have the same ids; among bytes they are
      // digits.
      task.first_label = of_bytes ? kDigitZero : symbols + members;
      most_classes =
          std::max(most_classes, ClassesOf(feature.vocabulary, name, data_dir));
    }
    info->tasks.push_back(std::move(task));
  }
  targets.vocab_size = symbols + members + most_classes;
}

void WidenVocabulary(const HParams& hparams, ProblemInfo* info) {
  if (info->tasks.empty()) return;
  int64_t& size = info->features.at("targets").vocab_size;
  size = std::max(size, IntOr(hparams, "multiproblem_vocab_size", -1));
}

Rates RatesOf(const Mixture& mixture, const HParams& hparams) {
  if (mixture.kind == Mixture::Kind::kTexts) {
    return [rates = mixture.rates](int64_t, int64_t batches) {
      return rates.At(batches);
    };
  }
  const size_t members = mixture.members.size();
  const std::string thresholds =
      StringOr(hparams, "multiproblem_per_task_threshold", "");
  if (!thresholds.empty()) {
    return [rates = ThresholdsOf(thresholds, members)](int64_t, int64_t) {
      return rates;
    };
  }
  const std::string schedule =
      StringOr(hparams, "multiproblem_mixing_schedule", "constant");
  const double share =
      DoubleOr(hparams, "multiproblem_schedule_threshold", 0.5);
  const double most =
      DoubleOr(hparams, "multiproblem_schedule_max_examples", 1e7);
  // (T2T's step counts the example that is drawn.)
  if (schedule == "constant") {
    return [=](int64_t, int64_t) { return FirstAndOthers(share, members); };
  }
  if (schedule == "exponential") {
    return [=](int64_t examples, int64_t) {
      const double left =
          std::max(0.0, most - static_cast<double>(examples + 1));
      const double part = left > 0 ? std::pow(kLeastShare, left / most) : 1.0;
      return FirstAndOthers(part * share, members);
    };
  }
  if (schedule == "pretrain") {
    return [=](int64_t examples, int64_t) {
      return FirstAndOthers(static_cast<double>(examples + 1) > most ? 1 : 0,
                            members);
    };
  }
  const std::vector<std::string> known(std::begin(kSchedules),
                                       std::end(kSchedules));
  throw UsageError("hparam multiproblem_mixing_schedule=" + schedule,
                   DidYouMean(schedule, known), "one of " + Join(known, ", "));
}

std::string RatesText(const Mixture& mixture, const HParams& hparams) {
  std::string text;
  if (mixture.kind == Mixture::Kind::kTexts) {
    text = mixture.rates.linear ? "linear" : "step";
    for (const RateSchedule::Point& point : mixture.rates.points) {
      text += " @" + std::to_string(point.step);
      for (const double rate : point.rates) text += " " + DoubleToString(rate);
    }
    return text;
  }
  for (const char* const name :
       {"multiproblem_mixing_schedule", "multiproblem_schedule_threshold",
        "multiproblem_schedule_max_examples",
        "multiproblem_per_task_threshold"}) {
    if (hparams.Has(name))
      text += HParams::ValueToString(hparams.Get(name)) + ";";
  }
  return text;
}

std::vector<size_t> EvaluatedMembers(const Mixture& mixture,
                                     const HParams& hparams) {
  if (mixture.kind == Mixture::Kind::kTasks &&
      BoolOr(hparams, "multiproblem_target_eval_only", false)) {
    return {1};
  }
  std::vector<size_t> all(mixture.members.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

}  // namespace t2t
