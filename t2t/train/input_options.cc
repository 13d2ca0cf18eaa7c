#include "t2t/train/input_options.h"

#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

bool IsSet(const HParams& hparams, const char* name) {
  return hparams.Has(name) && hparams.GetBool(name);
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
  options.files = problem.DataFiles(data_dir, split);
  options.training = mode == Mode::kTrain;
  options.seed = seed;
  options.drop_long_sequences =
      options.training || IsSet(hparams, "eval_drop_long_sequences");
  options.t2t_batching = t2t_batching;
  options.pack = options.training && IsSet(hparams, "pack_dataset");
  options.preprocess = [&problem, hparams, mode](Example* example) {
    return problem.RunFixedSteps(example, mode, hparams);
  };
  options.lengths =
      problem.FixedStepsOnLengths(mode, hparams).value_or(nullptr);
  if (problem.Draws(mode)) {
    options.augment = [&problem, hparams, mode](Example* example,
                                                uint64_t seed) {
      problem.RunDrawnSteps(example, mode, hparams, seed);
    };
  }
  return options;
}

}  // namespace t2t
