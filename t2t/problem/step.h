#ifndef T2T_PROBLEM_STEP_H_
#define T2T_PROBLEM_STEP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "t2t/base/rng.h"
#include "t2t/formats/example.h"
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

struct Step {
  std::string name;  // by which a problem takes one out again
  StepFunction run;
  // Takes random numbers. The input keeps examples as they are before the first
  // such step and runs it, and those behind it, each time an example goes into
  // a batch: such a step drops nothing (the batches are planned by then).
  bool draws = false;
  bool training_only = false;
};

// Runs the steps of [begin, end) that are of the context's mode.
bool RunSteps(const std::vector<Step>& steps, size_t begin, size_t end,
              Example* example, const StepContext& context);
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
