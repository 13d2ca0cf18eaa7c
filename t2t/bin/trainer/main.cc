// t2t-trainer: trains and evaluates a model on a problem.

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/process_end.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/registry_view.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/bin/trainer/hparams_questions.h"
#include "t2t/distributed/cluster.h"
#include "t2t/distributed/launcher.h"
#include "t2t/train/experiment_flags.h"
#include "t2t/train/run_config.h"

namespace t2t {
namespace {

int Main(int argc, char** argv) {
  ExperimentFlags flags;
  NameFlags names;
  HParamsQuestions questions;
  Flags parser(
      "Trains and evaluates a model on a problem.",
      "t2t-trainer --problem=translate_numbers_ende --model=transformer "
      "--hparams_set=transformer_tiny --data_dir=data --output_dir=train "
      "--train_steps=1000");
  flags.AddTo(&parser);
  questions.AddTo(&parser);
  names.AddTo(&parser);
  AddOtherT2TFlags(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  names.Register();
  if (flags.registry_help != "false") {
    const std::string help = RegistryHelp(flags.registry_help, questions.json);
    std::fputs(help.c_str(), stdout);
    return 0;
  }
  flags.json = questions.json && flags.dry_run && !questions.Asked();
  if (!flags.json && questions.Answer(flags.hparams_set, flags.hparams)) {
    return 0;
  }
  if (!flags.dry_run && !flags.output_dir.empty()) {
    OutliveReaders(JoinPath(ExpandUser(flags.output_dir), "log.txt"));
  }
  const Cluster cluster = ResolveCluster(flags.cluster, CurrentEnvironment());
  if (cluster.role == Cluster::Role::kParameterServer) {
    Log("this is a parameter server by TF_CONFIG: it is not needed, since "
        "every rank holds all parameters; nothing is done");
    return 0;
  }
  const RunConfig run = MakeRunConfig(flags, cluster, parser.ToText());
  // (One of several ranks looks once it has joined the others, to tell them.)
  const bool speaks_for_all =
      !cluster.distributed() || cluster.start_here == cluster.world_size;
  if (speaks_for_all && (flags.dry_run || !flags.generate_data)) CheckData(run);
  if (cluster.start_here > 0 && !flags.dry_run) {
    LaunchOptions options;
    options.max_restarts = flags.max_restarts;
    options.min_ranks = flags.cluster.min_workers;
    return RunLocalRanks(cluster, {argv, argv + argc}, options);
  }
  LoadTorchHalf().train(run);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
