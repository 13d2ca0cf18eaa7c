#include "launch/render/sweep.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "launch/render/prototypes.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

Component Make(const std::string& prototype, const Settings& settings) {
  Component component;
  component.app = "ende";
  component.name = prototype;
  component.prototype = prototype;
  component.ns = "mt";
  component.params = Params(FindPrototype(prototype).params);
  for (const auto& [name, text] : settings) {
    component.params.SetText(name, text, "test");
  }
  return component;
}

Component MakeSweep(const std::string& backend, const Settings& trained) {
  Component sweep = Make("sweep", {{"backend", backend},
                                   {"grid", "learning_rate=0.1,num_heads=8"}});
  sweep.find = [=](const std::string& name) { return Make(name, trained); };
  return sweep;
}

// The arguments of the trials' container that set the flag.
std::vector<std::string> Flags(const Component& sweep,
                               const std::string& flag) {
  std::vector<std::string> found;
  const Json object = Render(sweep).back();
  const Json& spec = object.At("spec");
  const Json* const trial = spec.Find("trialTemplate");
  const Json& job = trial == nullptr ? spec : trial->At("trialSpec").At("spec");
  const Json& pod = job.At("template").At("spec");
  for (const Json& argument :
       pod.At("containers").items()[0].At("args").items()) {
    if (StartsWith(argument.AsString(), "--" + flag + "=")) {
      found.push_back(argument.AsString());
    }
  }
  return found;
}

// A hyperparameter that stands in two flags, or twice in one, is an error of
// the programs' or counts as one does not expect.
TEST(SweepTest, EachFlagStandsOnceAndTheGridWins) {
  const Settings trained = {
      {"hparams", "batch_size=256,learning_rate=9,shape=[1,2]"},
      {"trainer_args",
       "--hparams=hidden_size=64,--hparams=batch_size=128,--eval_steps=2"},
      {"output_dir", "/t2t/own"}};
  EXPECT_EQ(Join(Flags(MakeSweep("jobs", trained), "hparams"), " "),
            "--hparams=shape=[1,2],hidden_size=64,batch_size=128,"
            "learning_rate=0.1,num_heads=8");
  EXPECT_EQ(Join(Flags(MakeSweep("jobs", trained), "output_dir"), " "),
            "--output_dir=/t2t/sweep/0");
  EXPECT_EQ(Join(Flags(MakeSweep("katib", trained), "hparams"), " "),
            "--hparams=shape=[1,2],hidden_size=64,batch_size=128,"
            "learning_rate=${trialParameters.learning_rate},"
            "num_heads=${trialParameters.num_heads}");
  EXPECT_EQ(Join(Flags(MakeSweep("katib", trained), "output_dir"), " "),
            "--output_dir=/t2t/sweep/${trialParameters.trialName}");
  EXPECT_EQ(Flags(MakeSweep("jobs", trained), "eval_steps").size(), 1u);
  EXPECT_EQ(Join(Flags(MakeSweep("jobs", {}), "hparams"), " "),
            "--hparams=learning_rate=0.1,num_heads=8");
}

// kubeflow/katib#1702, #1876: Katib takes each pair that the pattern finds in
// any line of the log.
TEST(SweepTest, KatibReadsTheEvaluationsLinesAlone) {
  const Json object = Render(MakeSweep("katib", {})).back();
  const Json& source =
      object.At("spec").At("metricsCollectorSpec").At("source");
  const std::regex pattern(
      source.At("filter").At("metricsFormat").items()[0].AsString());
  std::string read;
  for (const std::string line :
       {"[10:11:12] step 3/3  loss 5.4321  lr 0.1  99 tokens/s  ETA 0s",
        "[10:11:12] evaluation at step 3:  accuracy 0.5  loss 5.1  (1s)",
        "[10:11:12] early stopping: loss=5.1 step=3",
        "t2t-metric: accuracy=0.500000 step=3",
        "t2t-metric: accuracy_top5=0.750000 step=3",
        "t2t-metric: loss=5.100000 step=3",
        "t2t-metric: neg_log_perplexity=-5.100000 step=3",
        "t2t-metric: rouge_L_fscore=nan step=3"}) {
    for (std::sregex_iterator at(line.begin(), line.end(), pattern), end;
         at != end; ++at) {
      read += (*at)[1].str() + "=" + (*at)[2].str() + " ";
    }
  }
  EXPECT_EQ(read,
            "accuracy=0.500000 accuracy_top5=0.750000 loss=5.100000 "
            "neg_log_perplexity=-5.100000 ");
}

}  // namespace
}  // namespace t2t
