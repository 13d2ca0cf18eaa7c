#include "t2t/problem/step.h"

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
  Crop(example, "inputs", IntOr(hparams, "max_input_seq_length", 0));
  const std::string prepend_mode =
      hparams.Has("prepend_mode") ? hparams.GetString("prepend_mode") : "none";
  if (prepend_mode != "none") {
    std::vector<int64_t> prepended = example->Ints("inputs");
    prepended.push_back(kPadId);
    if (mode == Mode::kPredict) {
      example->features["partial_targets"] = std::move(prepended);
    } else {
      const std::vector<int64_t>& targets = example->Ints("targets");
      prepended.insert(prepended.end(), targets.begin(), targets.end());
      example->features["targets"] = std::move(prepended);
    }
  }
  Crop(example, "targets", IntOr(hparams, "max_target_seq_length", 0));
  const int64_t length = IntOr(hparams, "split_to_length", 0);
  if (length > 0) {
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
}

Step CropAndPrepend() {
  return {"crop and prepend", [](Example* example, const StepContext& context) {
            PreprocessExampleCommon(example, context.mode, context.hparams);
            return true;
          }};
}

Step SwapInputsAndTargets() {
  return {"swap inputs and targets", [](Example* example, const StepContext&) {
            for (const std::string part : {"", "_segmentation", "_position"}) {
              Swap("inputs" + part, "targets" + part, example);
            }
            return true;
          }};
}

Step CopyInputsToTargets(const std::string& problem) {
  return {"copy inputs to targets",
          [problem](Example* example, const StepContext&) {
            if (!example->Has("inputs")) {
              throw UsageError(
                  "the problem " + problem + " has no inputs to copy",
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
          }};
}

}  // namespace t2t
