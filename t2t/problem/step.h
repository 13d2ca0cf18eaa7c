#ifndef T2T_PROBLEM_STEP_H_
#define T2T_PROBLEM_STEP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "t2t/base/rng.h"
#include "t2t/formats/example.h"
#include "t2t/formats/example_lengths.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

enum class Mode { kTrain, kEval, kPredict };

// What a step may look at besides the example.
struct StepContext {
  Mode mode;
  const HParams& hparams;
  // A function of (seed, epoch, record): the same record is drawn for alike
  // whatever the number of ranks and threads, and after a restart. For steps
  // with `draws` alone.
  Rng& rng;
};

// Brings an example nearer to the form that the model takes; false drops it.
// Called from several threads at once.
using StepFunction = std::function<bool(Example*, const StepContext&)>;

// What a step does to the lengths of an example's features, without their
// values; false drops it. What is wrong with an example is left to the step
// itself. Null: they stay as they are.
using LengthsStep = std::function<bool(ExampleLengths*)>;
// Of a step under these hparams.
using LengthsFunction = std::function<LengthsStep(Mode, const HParams&)>;

struct Step {
  std::string name;  // by which a problem takes one out again
  StepFunction run;
  // Takes random numbers. The input keeps examples as they are before the first
  // such step and runs it, and those behind it, each time an example goes into
  // a batch: such a step drops nothing (the batches are planned by then).
  bool draws = false;
  bool training_only = false;
  // Null: not known without running it. Where all steps before the first that
  // draws have one, batches are planned on lengths alone, and a rank runs the
  // steps on the examples of its own batches only; else on all examples.
  LengthsFunction lengths = nullptr;
};

// The `lengths` of a step that leaves them as they are.
LengthsStep KeepsLengths(Mode mode, const HParams& hparams);

// Runs the steps of [begin, end) that are of the context's mode.
bool RunSteps(const std::vector<Step>& steps, size_t begin, size_t end,
              Example* example, const StepContext& context);
// The same on lengths; nullopt where a step doesn't say what it does to them.
std::optional<LengthsStep> StepsOnLengths(const std::vector<Step>& steps,
                                          size_t begin, size_t end, Mode mode,
                                          const HParams& hparams);
// The first step that draws in this mode; steps.size() where none does.
size_t FirstDrawingStep(const std::vector<Step>& steps, Mode mode);

// T2T's preprocessing that all problems of text share: crops to
// max_input_seq_length and max_target_seq_length, prepends by prepend_mode, and
// checks split_to_length. Hparams that are not there count as T2T's defaults.
void PreprocessExampleCommon(Example* example, Mode mode,
                             const HParams& hparams);
Step CropAndPrepend();

// What a name's "_rev" and "_copy" do to an example: inputs and targets, with
// their segmentations and positions, change places; the inputs are the targets
// too. `problem` is for the message where there are no inputs.
Step SwapInputsAndTargets();
Step CopyInputsToTargets(const std::string& problem);

}  // namespace t2t

#endif  // T2T_PROBLEM_STEP_H_
