#include "t2t/problem/problem.h"

#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

int64_t IntOr(const HParams& hparams, const std::string& name, int64_t other) {
  return hparams.Has(name) ? hparams.GetInt(name) : other;
}

template <typename Map>
void SwapKeys(const std::string& a, const std::string& b, Map* map) {
  auto first = map->extract(a);
  auto second = map->extract(b);
  if (!first.empty()) {
    first.key() = b;
    map->insert(std::move(first));
  }
  if (!second.empty()) {
    second.key() = a;
    map->insert(std::move(second));
  }
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

// A problem under a name with "_rev" or "_copy".
class ModifiedProblem : public Problem {
 public:
  ModifiedProblem(std::unique_ptr<Problem> base, const ProblemSpec& spec)
      : base_(std::move(base)) {
    base_->set_modifiers(spec.was_reversed, spec.was_copy);
    set_modifiers(spec.was_reversed, spec.was_copy);
  }

  void Generate(const GenerateOptions& options) const override {
    base_->Generate(options);
  }

  ProblemInfo Info(const std::string& data_dir) const override {
    ProblemInfo info = base_->Info(data_dir);
    info.name = name();
    if (was_reversed()) {
      SwapKeys("inputs", "targets", &info.features);
      std::swap(info.input_space_id, info.target_space_id);
      info.was_reversed = true;
    }
    if (was_copy()) {
      CheckHasInputs(info.has_inputs());
      info.features["targets"] = info.features["inputs"];
      info.target_space_id = info.input_space_id;
      info.was_copy = true;
    }
    return info;
  }

  std::vector<std::string> DataFiles(const std::string& data_dir,
                                     DataSplit split) const override {
    return base_->DataFiles(data_dir, split);
  }

  bool Preprocess(Example* example, Mode mode,
                  const HParams& hparams) const override {
    if (!base_->Preprocess(example, mode, hparams)) return false;
    static const char* const kParts[] = {"", "_segmentation", "_position"};
    if (was_reversed()) {
      for (const std::string part : kParts) {
        SwapKeys("inputs" + part, "targets" + part, &example->features);
      }
    }
    if (was_copy()) {
      CheckHasInputs(example->Has("inputs"));
      example->features["targets"] = example->features["inputs"];
      for (const std::string part : {"_segmentation", "_position"}) {
        const auto found = example->features.find("inputs" + part);
        if (found != example->features.end()) {
          example->features.emplace("targets" + part, found->second);
        }
      }
    }
    return true;
  }

  std::vector<std::string> EvalMetrics() const override {
    return base_->EvalMetrics();
  }

  void AdjustHParams(HParams* hparams) const override {
    base_->AdjustHParams(hparams);
  }

  bool TakesTextFiles() const override { return base_->TakesTextFiles(); }

  bool TakesVocabulary() const override { return base_->TakesVocabulary(); }

 private:
  void CheckHasInputs(bool has_inputs) const {
    if (has_inputs) return;
    throw UsageError("the problem " + name() + " has no inputs to copy", "",
                     "use " + base_->name());
  }

  std::unique_ptr<Problem> base_;
};

}  // namespace

ProblemRegistry& Problems() {
  static auto* const registry = new ProblemRegistry("problem");
  return *registry;
}

ProblemSpec ParseProblemName(const std::string& name) {
  ProblemSpec spec;
  spec.base_name = name;
  for (;;) {
    const bool rev = EndsWith(spec.base_name, "_rev");
    if (!rev && !EndsWith(spec.base_name, "_copy")) return spec;
    bool* const seen = rev ? &spec.was_reversed : &spec.was_copy;
    const std::string suffix = rev ? "_rev" : "_copy";
    if (*seen) {
      throw UsageError(
          "the problem's name '" + name + "' has '" + suffix + "' twice",
          "each of _rev and _copy once at most");
    }
    *seen = true;
    spec.base_name.resize(spec.base_name.size() - suffix.size());
  }
}

std::unique_ptr<Problem> MakeProblem(const std::string& name) {
  // A problem may be registered under such a name outright.
  if (Problems().Has(name)) return Problems().Get(name)();
  const ProblemSpec spec = ParseProblemName(name);
  std::unique_ptr<Problem> base = Problems().Get(spec.base_name)();
  auto problem = std::make_unique<ModifiedProblem>(std::move(base), spec);
  problem->set_name(name);
  return problem;
}

std::string SplitName(DataSplit split) {
  switch (split) {
    case DataSplit::kTrain:
      return "train";
    case DataSplit::kDev:
      return "dev";
    case DataSplit::kTest:
      return "test";
  }
  return "train";
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

std::vector<std::string> DefaultEvalMetrics() {
  return {"accuracy", "accuracy_top5", "accuracy_per_sequence",
          "neg_log_perplexity"};
}

}  // namespace t2t
