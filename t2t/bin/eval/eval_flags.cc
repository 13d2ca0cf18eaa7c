#include "t2t/bin/eval/eval_flags.h"

#include "t2t/base/error.h"
#include "t2t/bin/common/t2t_flags.h"

namespace t2t {

void EvalFlags::AddTo(Flags* flags) {
  flags->Add("output_dir", &load.weights.model_dir,
             "Where t2t-trainer left the model; events go to its folder eval.");
  AddWeightsFlags("Evaluate the mean of the last so many checkpoints.",
                  &load.weights, flags);
  AddModelFlags("Where vocabulary and data are.", &load, flags);
  flags->Add("eval_steps", &eval_steps,
             "Batches of an evaluation at most; 0: the whole split.",
             Range::AtLeast(0));
  flags->Add("eval_use_test_set", &eval_use_test_set,
             "Evaluate on the test split, not the development split.");
  flags->Add("eval_timeout_mins", &eval_timeout_mins,
             "Go on with each new checkpoint, until none has come for so "
             "long; -1: never end; 0: evaluate once.",
             Range::AtLeast(-1));
  flags->Add("random_seed", &random_seed, "The seed of everything random.",
             Range::AnyInt());
  flags->Add("threads", &threads, "CPU threads; 0: one a core.",
             Range::Threads());
  flags->Add("json", &json, "Print the results as JSON, one line each.");
  flags->AddAlias("problems", "problem");
  flags->AddAlias("intra_op_parallelism_threads", "threads");
  AddOtherT2TFlags(flags);
}

void EvalFlags::Check() const {
  if (load.weights.model_dir.empty() && load.weights.checkpoint_path.empty()) {
    throw UsageError("neither --output_dir nor --checkpoint_path is given",
                     "where the trained model is", "give --output_dir");
  }
  if (eval_timeout_mins != 0 && !load.weights.checkpoint_path.empty()) {
    throw UsageError("--eval_timeout_mins with --checkpoint_path",
                     "one of the two",
                     "name an --output_dir to wait for its checkpoints");
  }
}

}  // namespace t2t
