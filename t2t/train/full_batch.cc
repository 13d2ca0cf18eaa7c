#include "t2t/train/full_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "t2t/problem/modality_traits.h"
#include "t2t/train/chunks.h"
#include "t2t/train/input_options.h"

namespace t2t {
namespace {

// A sentence, as translations have them.
constexpr int64_t kSentenceSubwords = 32;
constexpr int64_t kSentenceBytes = 128;
// A row of a language model that sets no max_length.
constexpr int64_t kDocument = 256;
// So many rows of logits fill the loss's buffer of a large vocabulary
// (t2t/ops/cross_entropy.cc).
constexpr int64_t kLossRows = 64;
// What is run at most, for all of it.
constexpr double kMostFlops = 2e12;
constexpr double kMostBytes = 1e9;

bool IsSequence(const FeatureInfo& feature) {
  const ModalityTraits& traits = TraitsOfModality(feature.modality);
  return feature.shape.empty() &&
         (traits.is_symbols || !traits.targets_are_ids);
}

int64_t SequenceLength(const Problem& problem, const ProblemInfo& info,
                       int64_t max_length) {
  const auto inputs = info.features.find("inputs");
  const auto first =
      inputs != info.features.end() ? inputs : info.features.find("targets");
  if (first == info.features.end() || !IsSequence(first->second)) return 1;
  if (inputs == info.features.end()) {
    return max_length > 0 ? max_length : kDocument;
  }
  const bool bytes =
      problem.features.at("inputs").vocabulary.kind == Vocabulary::Kind::kBytes;
  const int64_t length = bytes ? kSentenceBytes : kSentenceSubwords;
  return max_length > 0 ? std::min(length, max_length) : length;
}

// [examples, ...] as t2t/input/batch.h has it.
std::vector<int64_t> ShapeOf(const FeatureInfo& feature, int64_t examples,
                             int64_t length) {
  std::vector<int64_t> shape = {examples};
  if (!feature.shape.empty()) {
    for (const int64_t size : feature.shape) {
      shape.push_back(size < 0 ? length : size);
    }
    return shape;
  }
  shape.push_back(IsSequence(feature) ? length : 1);
  // Vectors.
  if (!TraitsOfModality(feature.modality).targets_are_ids) {
    shape.push_back(std::max<int64_t>(feature.vocab_size, 1));
  }
  return shape;
}

// Ids other than padding and EOS, where there are others; reals are ones.
at::Tensor ValuesOf(const FeatureInfo& feature,
                    const std::vector<int64_t>& shape) {
  const ModalityTraits& traits = TraitsOfModality(feature.modality);
  if (!traits.targets_are_ids && !traits.is_image) {
    return at::ones(shape, at::TensorOptions().dtype(at::kFloat));
  }
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  const int64_t least = traits.is_symbols ? 2 : 0;
  const int64_t values = std::max<int64_t>(feature.vocab_size - least, 1);
  const at::Tensor ids =
      at::arange(size, at::TensorOptions().dtype(at::kLong)).remainder_(values);
  return ids.add_(std::min(least, std::max<int64_t>(feature.vocab_size - 1, 0)))
      .view(shape);
}

// How many examples have kLossRows targets.
int64_t FewestExamples(const FullBatch& batch, const ProblemInfo& info) {
  const auto targets = info.features.find("targets");
  if (targets == info.features.end()) return 2;
  int64_t positions = 1;
  for (const int64_t size : ShapeOf(targets->second, 1, batch.length)) {
    positions *= size;
  }
  // Classes are few, so that their buffer is small.
  if (positions == 1) return 2;
  return std::max<int64_t>(2, (kLossRows + positions - 1) / positions);
}

// How a cost goes on, in a line through two points.
double Extend(double first, double second, int64_t at_first, int64_t at_second,
              int64_t to) {
  return second + (second - first) * static_cast<double>(to - at_second) /
                      static_cast<double>(at_second - at_first);
}

}  // namespace

FullBatch FullBatch::Of(const Problem& problem, const ProblemInfo& info,
                        const HParams& hparams) {
  const InputOptions options = BatchOptions(info, hparams);
  const bool has_max = hparams.Has("max_length");
  FullBatch batch;
  batch.length =
      SequenceLength(problem, info, has_max ? hparams.GetInt("max_length") : 0);
  batch.length = std::clamp<int64_t>(batch.length, 1,
                                     std::max<int64_t>(options.max_length, 1));
  batch.examples = options.use_fixed_batch_size
                       ? options.batch_size
                       : options.batch_size / batch.length;
  const ChunkSizes chunks = ChunkSizes::Of(hparams);
  if (chunks.length > 0) batch.length = std::min(batch.length, chunks.length);
  if (chunks.rows > 0) batch.examples = std::min(batch.examples, chunks.rows);
  batch.examples = std::max<int64_t>(batch.examples, 1);
  return batch;
}

Features FullBatch::Make(const ProblemInfo& info, const HParams& hparams,
                         int64_t examples_made) const {
  Features features;
  for (const auto& [name, feature] : info.features) {
    features[name] = ValuesOf(feature, ShapeOf(feature, examples_made, length));
  }
  if (ChunkSizes::Of(hparams).length > 0) {
    features["chunk_number"] =
        at::zeros({examples_made, 1}, at::TensorOptions().dtype(at::kLong));
  }
  return features;
}

FullBatchCost MeasureFullBatch(const Problem& problem, Model* model,
                               double most_flops) {
  const ProblemInfo& info = model->info();
  const HParams& hparams = model->hparams();
  FullBatchCost cost;
  cost.batch = FullBatch::Of(problem, info, hparams);
  const int64_t all = cost.batch.examples;
  const auto run = [&](int64_t examples) {
    cost.examples_run.push_back(examples);
    return MeasureStep(model, cost.batch.Make(info, hparams, examples));
  };
  const int64_t few = std::min(all, FewestExamples(cost.batch, info));
  // Of a matrix product every parameter takes part in one for each position, at
  // least where sequences are read.
  const double expected =
      6.0 * static_cast<double>(model->params().NumParameters()) *
      static_cast<double>(cost.batch.length) * static_cast<double>(3 * few);
  if (expected > kMostFlops) return cost;
  const StepCost first = run(few);
  cost.step = first;
  if (few == all) return cost;

  const auto fit = [&](double most, double taken) {
    return taken > 0 ? most / taken * static_cast<double>(few)
                     : static_cast<double>(all);
  };
  const double most =
      std::min(fit(most_flops, first.flops),
               fit(kMostBytes, static_cast<double>(first.activation_bytes)));
  if (most >= static_cast<double>(all)) {
    cost.step = run(all);
    return cost;
  }
  const int64_t half = std::max(few, static_cast<int64_t>(most) / 2);
  const int64_t twice = std::min(2 * half, all);
  const StepCost low = half == few ? first : run(half);
  const StepCost high = run(twice);
  cost.step->flops = Extend(low.flops, high.flops, half, twice, all);
  cost.step->activation_bytes = static_cast<int64_t>(
      Extend(static_cast<double>(low.activation_bytes),
             static_cast<double>(high.activation_bytes), half, twice, all));
  return cost;
}

}  // namespace t2t
