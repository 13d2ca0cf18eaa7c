#ifndef PROBLEMS_PROBLEM_TESTING_H_
#define PROBLEMS_PROBLEM_TESTING_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/formats/example.h"
#include "t2t/formats/example_lengths.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/problem/data_facts.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/problem.h"

namespace t2t {

inline std::vector<Example> ReadExamples(const Problem& problem,
                                         const std::string& data_dir,
                                         DataSplit split) {
  std::vector<Example> examples;
  for (const std::string& path : problem.DataFiles(data_dir, split)) {
    TfRecordReader reader(path);
    for (std::string record; reader.Next(&record);) {
      examples.push_back(ParseExample(record));
    }
  }
  return examples;
}

// The text of a feature without its EOS; fails the caller's comparison where
// there is none.
inline std::string TextOf(const Example& example, const std::string& feature,
                          const TextEncoder& encoder) {
  std::vector<int64_t> ids = example.Ints(feature);
  if (ids.empty() || ids.back() != kEosId) return "no EOS";
  ids.pop_back();
  return encoder.Decode(ids);
}

// Where the problem's steps make other lengths of its training examples than
// they say; "" where they don't.
inline std::string WrongLengths(const Problem& problem,
                                const std::string& data_dir,
                                const HParams& hparams) {
  for (const Mode mode : {Mode::kTrain, Mode::kEval, Mode::kPredict}) {
    const std::optional<LengthsStep> on_lengths =
        problem.FixedStepsOnLengths(mode, hparams);
    if (!on_lengths) return problem.name + " does not say";
    for (const std::string& path :
         problem.DataFiles(data_dir, DataSplit::kTrain)) {
      TfRecordReader reader(path);
      for (std::string record; reader.Next(&record);) {
        Example example = ParseExample(record);
        ExampleLengths lengths;
        lengths.Read(record);
        const bool kept = problem.RunFixedSteps(&example, mode, hparams);
        bool same =
            (*on_lengths)(&lengths) == kept &&
            (!kept || lengths.features().size() == example.features.size());
        for (const auto& [name, feature] : example.features) {
          const FeatureLength* const length = lengths.Find(name);
          same &= !kept ||
                  (length != nullptr &&
                   (length->kind == FeatureLength::Kind::kFloats) ==
                       std::holds_alternative<std::vector<float>>(feature) &&
                   length->count ==
                       std::visit(
                           [](const auto& values) {
                             return static_cast<int64_t>(values.size());
                           },
                           feature));
        }
        if (!same) return problem.name + " in a record of " + path;
      }
    }
  }
  return "";
}

// The same of a registered name, its _rev and its _copy, and of hparams that
// change lengths.
inline std::string WrongLengths(const std::string& name,
                                const std::string& data_dir) {
  HParams crops;
  crops.Add("max_input_seq_length", 3);
  crops.Add("max_target_seq_length", 6);
  HParams prepends;
  prepends.Add("prepend_mode", "prepend_inputs_masked_attention");
  std::string wrong;
  for (const char* const suffix : {"", "_rev", "_copy"}) {
    const bool has_inputs = MakeProblem(name)->features.count("inputs") > 0;
    if (!has_inputs && *suffix != 0) continue;
    const auto problem = MakeProblem(name + suffix);
    wrong += WrongLengths(*problem, data_dir, HParams());
    // (Images have no such steps.)
    if (!problem->features.at("targets").shape.empty()) continue;
    wrong += WrongLengths(*problem, data_dir, crops);
    if (has_inputs) wrong += WrongLengths(*problem, data_dir, prepends);
  }
  return wrong;
}

// The exit code and the message of what body throws.
inline std::pair<ExitCode, std::string> ErrorOf(
    const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::kOk, ""};
}

inline std::map<std::string, std::string> Contents(const std::string& dir) {
  std::map<std::string, std::string> contents;
  for (const std::string& name : ListDirectory(dir)) {
    contents[name] = ReadFile(JoinPath(dir, name));
  }
  return contents;
}

// What is not so of a problem's DataFacts in the data that it made; "" where
// all is.
inline std::string WrongDataFacts(const std::string& name,
                                  const std::string& data_dir) {
  const DataFacts facts = DataFactsOf(name);
  const auto problem = MakeProblem(name);
  const auto count = [&](DataSplit split) {
    try {
      return static_cast<int>(problem->DataFiles(data_dir, split).size());
    } catch (const Error&) {
      return 0;
    }
  };
  const int train = count(DataSplit::kTrain);
  const int other = count(DataSplit::kDev) + count(DataSplit::kTest);
  std::string wrong;
  if (facts.train_shards != train || facts.other_shards != other) {
    wrong += "the shards are " + std::to_string(train) + " and " +
             std::to_string(other) + ". ";
  }
  for (const std::string& file : {facts.dev_inputs, facts.dev_targets}) {
    if (!file.empty() && !Exists(JoinPath(data_dir, file))) {
      wrong += "there is no " + file + ". ";
    }
  }
  return wrong;
}

}  // namespace t2t

#endif  // PROBLEMS_PROBLEM_TESTING_H_
