#include "t2t/problem/step.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "t2t/base/error.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

int64_t IntOr(const HParams& hparams, const std::string& name, int64_t other) {
  return hparams.Has(name) ? hparams.GetInt(name) : other;
}

void Crop(Example* example, const std::string& name, int64_t length) {
  const auto found = example->features.find(name);
  if (length <= 0 || found == example->features.end()) return;
  std::visit(
      [&](auto& values) {
        if (static_cast<int64_t>(values.size()) > length) {
          values.resize(length);
        }
      },
      found->second);
}

void Swap(const std::string& a, const std::string& b, Example* example) {
  auto first = example->features.extract(a);
  auto second = example->features.extract(b);
  if (!first.empty()) {
    first.key() = b;
    example->features.insert(std::move(first));
  }
  if (!second.empty()) {
    second.key() = a;
    example->features.insert(std::move(second));
  }
}

// What PreprocessExampleCommon() is told.
struct CommonOptions {
  CommonOptions(Mode mode, const HParams& hparams)
      : max_inputs(IntOr(hparams, "max_input_seq_length", 0)),
        max_targets(IntOr(hparams, "max_target_seq_length", 0)),
        split_to_length(IntOr(hparams, "split_to_length", 0)),
        prepends(hparams.Has("prepend_mode") &&
                 hparams.GetString("prepend_mode") != "none"),
        predicts(mode == Mode::kPredict) {}

  int64_t max_inputs;
  int64_t max_targets;
  int64_t split_to_length;
  bool prepends;
  bool predicts;
};

// As PreprocessExampleCommon() does, which says what is wrong with an example.
LengthsStep CommonOnLengths(Mode mode, const HParams& hparams) {
  return [options = CommonOptions(mode, hparams)](ExampleLengths* lengths) {
    const auto crop = [&](const char* name, int64_t length) {
      FeatureLength* const found = lengths->Find(name);
      if (length <= 0 || found == nullptr) return;
      found->count = std::min(found->count, length);
    };
    crop("inputs", options.max_inputs);
    const FeatureLength* const inputs = lengths->Find("inputs");
    FeatureLength* const targets = lengths->Find("targets");
    if (options.prepends && inputs != nullptr) {
      const int64_t prepended = inputs->count + 1;
      if (options.predicts) {
        lengths->Set("partial_targets", FeatureLength::Kind::kIntegers,
                     prepended);
      } else if (targets != nullptr) {
        targets->count += prepended;
      }
    }
    crop("targets", options.max_targets);
    return true;
  };
}

// What goes where "inputs" and "targets" go.
constexpr std::string_view kParts[][2] = {
    {"inputs", "targets"},
    {"inputs_segmentation", "targets_segmentation"},
    {"inputs_position", "targets_position"}};

LengthsStep CopyOnLengths(Mode, const HParams&) {
  return [](ExampleLengths* lengths) {
    for (const auto& [inputs, targets] : kParts) {
      const FeatureLength* const found = lengths->Find(inputs);
      if (found == nullptr) continue;
      // (A segmentation or position of the targets' own stays.)
      if (inputs != "inputs" && lengths->Find(targets) != nullptr) continue;
      lengths->Set(targets, found->kind, found->count);
    }
    return true;
  };
}

LengthsStep SwapOnLengths(Mode, const HParams&) {
  return [](ExampleLengths* lengths) {
    for (const auto& [inputs, targets] : kParts) {
      FeatureLength* const first = lengths->Find(inputs);
      FeatureLength* const second = lengths->Find(targets);
      if (first != nullptr) first->name = targets;
      if (second != nullptr) second->name = inputs;
    }
    return true;
  };
}

bool IsOf(const Step& step, Mode mode) {
  return !step.training_only || mode == Mode::kTrain;
}

}  // namespace

bool RunSteps(const std::vector<Step>& steps, size_t begin, size_t end,
              Example* example, const StepContext& context) {
  for (size_t i = begin; i < end; ++i) {
    if (!IsOf(steps[i], context.mode)) continue;
    if (!steps[i].run(example, context)) return false;
  }
  return true;
}

std::optional<LengthsStep> StepsOnLengths(const std::vector<Step>& steps,
                                          size_t begin, size_t end, Mode mode,
                                          const HParams& hparams) {
  std::vector<LengthsStep> changes;
  for (size_t i = begin; i < end; ++i) {
    if (!IsOf(steps[i], mode)) continue;
    if (steps[i].lengths == nullptr) return std::nullopt;
    LengthsStep change = steps[i].lengths(mode, hparams);
    if (change != nullptr) changes.push_back(std::move(change));
  }
  return [changes](ExampleLengths* lengths) {
    return std::ranges::all_of(changes, [lengths](const LengthsStep& change) {
      return change(lengths);
    });
  };
}

LengthsStep KeepsLengths(Mode, const HParams&) { return nullptr; }

size_t FirstDrawingStep(const std::vector<Step>& steps, Mode mode) {
  size_t first = 0;
  while (first < steps.size() &&
         !(steps[first].draws && IsOf(steps[first], mode))) {
    ++first;
  }
  return first;
}

void PreprocessExampleCommon(Example* example, Mode mode,
                             const HParams& hparams) {
  const CommonOptions options(mode, hparams);
  Crop(example, "inputs", options.max_inputs);
  if (options.prepends) {
    std::vector<int64_t> prepended = example->Ints("inputs");
    prepended.push_back(kPadId);
    if (options.predicts) {
      example->features["partial_targets"] = std::move(prepended);
    } else {
      const std::vector<int64_t>& targets = example->Ints("targets");
      prepended.insert(prepended.end(), targets.begin(), targets.end());
      example->features["targets"] = std::move(prepended);
    }
  }
  Crop(example, "targets", options.max_targets);
  const int64_t length = options.split_to_length;
  if (length <= 0) return;
  for (const char* const name : {"inputs", "targets"}) {
    if (!example->Has(name)) continue;
    const auto size = static_cast<int64_t>(example->Ints(name).size());
    if (size != length) {
      throw UsageError(
          "split_to_length=" + std::to_string(length) + ", but '" + name +
              "' of an example has " + std::to_string(size) + " symbols",
          "examples of exactly split_to_length symbols",
          "set split_to_length=0, or max_length to what batches may hold");
    }
  }
}

Step CropAndPrepend() {
  return {.name = "crop and prepend",
          .run =
              [](Example* example, const StepContext& context) {
                PreprocessExampleCommon(example, context.mode, context.hparams);
                return true;
              },
          .lengths = CommonOnLengths};
}

Step SwapInputsAndTargets() {
  return {.name = "swap inputs and targets",
          .run =
              [](Example* example, const StepContext&) {
                for (const auto& [inputs, targets] : kParts) {
                  Swap(std::string(inputs), std::string(targets), example);
                }
                return true;
              },
          .lengths = SwapOnLengths};
}

Step CopyInputsToTargets(const std::string& problem) {
  const auto copy = [problem](Example* example, const StepContext&) {
    if (!example->Has("inputs")) {
      throw UsageError("the problem " + problem + " has no inputs to copy",
                       "a problem with inputs", "leave _copy out");
    }
    example->features["targets"] = example->features["inputs"];
    for (const std::string part : {"_segmentation", "_position"}) {
      const auto found = example->features.find("inputs" + part);
      if (found != example->features.end()) {
        example->features.emplace("targets" + part, found->second);
      }
    }
    return true;
  };
  return {
      .name = "copy inputs to targets", .run = copy, .lengths = CopyOnLengths};
}

}  // namespace t2t
