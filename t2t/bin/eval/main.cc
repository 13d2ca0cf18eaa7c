// t2t-eval: evaluates a trained model on a split of its problem.

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/stop.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/bin/eval/eval_flags.h"
#include "t2t/decode/load_options.h"

namespace t2t {
namespace {

int Main(int argc, char** argv) {
  EvalFlags flags;
  NameFlags names;
  Flags parser("Evaluates a trained model on a split of its problem.",
               "t2t-eval --data_dir=data --output_dir=train --eval_steps=0 "
               "--eval_use_test_set");
  names.AddTo(&parser);
  flags.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  flags.Check();
  names.Register();
  // What is waited for need not be there yet.
  if (flags.eval_timeout_mins == 0) {
    CheckModel(flags.load);
  } else {
    CheckGivenNames(flags.load);
  }
  const TorchHalf& torch = LoadTorchHalf();
  CatchStopSignals();
  torch.evaluate(flags);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
