#include "t2t/train/input_options.h"

#include <memory>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

bool IsSet(const HParams& hparams, const char* name) {
  return hparams.Has(name) && hparams.GetBool(name);
}

InputSteps StepsOf(const std::shared_ptr<const Problem>& problem, Mode mode,
                   const HParams& hparams) {
  InputSteps steps;
  steps.preprocess = [problem, hparams, mode](Example* example) {
    return problem->RunFixedSteps(example, mode, hparams);
  };
  steps.lengths = problem->FixedStepsOnLengths(mode, hparams).value_or(nullptr);
  if (problem->Draws(mode)) {
    steps.augment = [problem, hparams, mode](Example* example, uint64_t seed) {
      problem->RunDrawnSteps(example, mode, hparams, seed);
    };
  }
  return steps;
}

void Mix(const Problem& problem, const ProblemInfo& info,
         const HParams& hparams, const std::string& data_dir, DataSplit split,
         Mode mode, InputOptions* options) {
  if (mode != Mode::kTrain) {
    throw UsageError(
        "the mixture " + problem.name + " is read as one for training alone",
        "one of its members: " + Join(problem.mixture->members, ", "));
  }
  for (size_t i = 0; i < problem.mixture->members.size(); ++i) {
    const auto member =
        std::make_shared<const Problem>(MixtureMember(problem, i, info));
    InputMember input;
    input.name = member->name;
    static_cast<InputSteps&>(input) = StepsOf(member, mode, hparams);
    const std::vector<std::string> files = member->DataFiles(data_dir, split);
    input.files = files.size();
    options->files.insert(options->files.end(), files.begin(), files.end());
    options->members.push_back(std::move(input));
  }
  options->rates = RatesOf(*problem.mixture, hparams);
  options->rates_text = RatesText(*problem.mixture, hparams);
}

}  // namespace

InputOptions BatchOptions(const ProblemInfo& info, const HParams& hparams) {
  const auto number = [&](const char* name, int64_t otherwise) {
    return hparams.Has(name) ? hparams.GetInt(name) : otherwise;
  };
  InputOptions options;
  options.batch_size = number("batch_size", 4096);
  options.use_fixed_batch_size = IsSet(hparams, "use_fixed_batch_size");
  // Where a feature is no sequence, batch_size counts examples.
  for (const auto& [name, feature] : info.features) {
    if (!feature.shape.empty()) options.fixed_shapes[name] = feature.shape;
    if (name == "inputs" || (name == "targets" && !info.has_inputs())) {
      options.use_fixed_batch_size |=
          !TraitsOfModality(feature.modality).is_symbols;
    }
  }
  options.max_length = number("max_length", 0);
  if (options.max_length <= 0) options.max_length = options.batch_size;
  options.min_length = number("min_length", 0);
  options.min_length_bucket = number("min_length_bucket", 8);
  if (hparams.Has("length_bucket_step")) {
    options.length_bucket_step = hparams.GetDouble("length_bucket_step");
  }
  return options;
}

InputOptions MakeInputOptions(const Problem& problem, const ProblemInfo& info,
                              const HParams& hparams,
                              const std::string& data_dir, DataSplit split,
                              Mode mode, uint64_t seed, bool t2t_batching) {
  InputOptions options = BatchOptions(info, hparams);
  options.training = mode == Mode::kTrain;
  options.seed = seed;
  options.drop_long_sequences =
      options.training || IsSet(hparams, "eval_drop_long_sequences");
  options.t2t_batching = t2t_batching;
  options.pack = options.training && IsSet(hparams, "pack_dataset");
  if (problem.mixture) {
    Mix(problem, info, hparams, data_dir, split, mode, &options);
    return options;
  }
  options.files = problem.DataFiles(data_dir, split);
  // (The caller's problem outlives the input.)
  const std::shared_ptr<const Problem> own(&problem, [](const Problem*) {});
  static_cast<InputSteps&>(options) = StepsOf(own, mode, hparams);
  return options;
}

}  // namespace t2t
