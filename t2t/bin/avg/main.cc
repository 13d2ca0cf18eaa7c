// t2t-avg-all: averages the weights of each n checkpoints in a row.

#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/process_end.h"
#include "t2t/base/stop.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/checkpoint/average.h"

namespace t2t {
namespace {

int Main(int argc, char** argv) {
  AverageOptions options;
  Flags parser("Averages the weights of each n checkpoints in a row.",
               "t2t-avg-all --model_dir=train --output_dir=train/avg --n=8");
  parser.Add("model_dir", &options.model_dir, "Where the checkpoints are.");
  parser.Add("output_dir", &options.output_dir, "Where the averages go.");
  parser.Add("n", &options.n, "How many checkpoints to average.",
             Range::AtLeast(1));
  parser.Add("min_steps", &options.min_steps,
             "Pass over checkpoints of fewer steps.", Range::AtLeast(0));
  parser.Add("wait_minutes", &options.wait_minutes,
             "Wait so long for a new checkpoint.", Range::AtLeast(0));
  for (const char* name :
       {"checkpoints", "num_last_checkpoints", "output_path", "prefix"}) {
    parser.AddRefused(name,
                      "t2t-decoder, t2t-eval and t2t-exporter take the mean of "
                      "the last N checkpoints with --avg_checkpoints=N");
  }
  parser.Add("use_ema", &options.use_ema,
             "Average the parameters' moving averages where checkpoints have "
             "them, as t2t-decoder --avg_checkpoints does.");
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty() || options.model_dir.empty()) {
    throw UsageError(rest.empty()
                         ? "--model_dir is missing"
                         : "the argument '" + rest.front() + "' is no flag",
                     "", "--help shows an example");
  }
  options.model_dir = ExpandUser(options.model_dir);
  options.output_dir = ExpandUser(options.output_dir);
  CatchStopSignals();
  OutliveReaders("");
  LoadTorchHalf().average(options);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
