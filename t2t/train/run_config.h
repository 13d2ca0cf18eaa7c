#ifndef T2T_TRAIN_RUN_CONFIG_H_
#define T2T_TRAIN_RUN_CONFIG_H_

#include <memory>
#include <string>

#include "t2t/distributed/cluster.h"
#include "t2t/hparams/hparams.h"
#include "t2t/problem/problem.h"
#include "t2t/train/experiment_flags.h"

namespace t2t {

// A run of t2t-trainer, as far as it is known before LibTorch is loaded: what
// the command line asks for, as this place in the job does it.
struct RunConfig {
  ExperimentFlags flags;  // paths without '~', T2T's own names taken in
  Cluster cluster;
  std::string flags_text;  // what output_dir/flags.txt keeps
  std::unique_ptr<Problem> problem;

  // What --schedule has this process do.
  bool Trains() const;
  bool Evaluates() const;  // while it trains
  DataSplit dev_split() const;
  // The set's, with the problem's own changes, before --hparams: a run that
  // goes on takes those saved with it in between.
  HParams SetHParams() const;
};

// Throws a usage error where flags contradict each other, or a problem, model,
// set, hparam or its value is not one that there is.
RunConfig MakeRunConfig(const ExperimentFlags& flags, const Cluster& cluster,
                        const std::string& flags_text);

// Throws where data_dir lacks the vocabulary or the data that the run reads. A
// dry run with --json needs none where the problem's row says enough.
void CheckData(const RunConfig& config);

}  // namespace t2t

#endif  // T2T_TRAIN_RUN_CONFIG_H_
