#include "t2t/train/run_hparams.h"

#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/json_file.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/hparams/key_rules.h"

namespace t2t {
namespace {

// "name: a -> b", for each that differs.
std::vector<std::string> Differences(const HParams& from, const HParams& to) {
  std::vector<std::string> lines;
  for (const std::string& name : to.Names()) {
    if (!from.Has(name) || from.Get(name) == to.Get(name)) continue;
    lines.push_back(name + ": " + HParams::ValueToString(from.Get(name)) +
                    " -> " + HParams::ValueToString(to.Get(name)));
  }
  return lines;
}

}  // namespace

std::string HParamsPath(const std::string& output_dir) {
  return JoinPath(output_dir, "hparams.json");
}

HParams RunHParams(const RunConfig& config) {
  const ExperimentFlags& flags = config.flags;
  HParams given = config.SetHParams();
  HParams run = given;
  given.Parse(flags.hparams);
  CheckHParams(given);
  const std::string path = HParamsPath(flags.output_dir);
  if (flags.output_dir.empty() || ListCheckpoints(flags.output_dir).empty() ||
      !Exists(path)) {
    return given;
  }
  const std::vector<std::string> unknown =
      ReadJsonFile(path, [&](const Json& json) { return run.MergeJson(json); });
  if (!unknown.empty()) {
    Warn(path + " has hparams that " + flags.hparams_set +
         " has not; they are dropped: " + Join(unknown, ", "));
  }
  const HParams saved = run;
  run.Parse(flags.hparams);
  for (const std::string& line : Differences(saved, run)) {
    Warn("changed from what the run began with: " + line);
  }
  const std::vector<std::string> kept = Differences(given, run);
  if (!kept.empty()) {
    Warn("kept as the run began, from " + path + " (" + flags.hparams_set +
         " has other values; --hparams changes them): " + Join(kept, ", "));
  }
  CheckHParams(run);
  return run;
}

}  // namespace t2t
