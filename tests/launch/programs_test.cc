// What t2t-launch says of the other programs, asked of those themselves.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "hparams/catalogue.h"
#include "launch/app/testing_components.h"
#include "launch/render/prototypes.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

std::string Output(const std::string& folder, const std::string& flag) {
  const RunResult run =
      RunProgram({"t2t/bin/" + folder + "/t2t-" + folder, flag});
  EXPECT_EQ(run.code, 0) << run.output;
  return run.output;
}

TEST(LaunchProgramsTest, HaveTheFlagsTheyAreGiven) {
  int checked = 0;
  for (const Component& component :
       {MakeTestingComponent("train", {{"hparams", "learning_rate=1"}}),
        MakeTestingComponent("evaluate", {{"hparams", "learning_rate=1"}}),
        MakeTestingComponent("datagen", {{"shards", "3"}}),
        MakeTestingComponent("decode", {{"shards", "3"},
                                        {"problem", "p"},
                                        {"model", "m"},
                                        {"hparams_set", "s"}})}) {
    const Json job = Render(component).back();
    const Json& container =
        job.At("spec").At("template").At("spec").At("containers").items()[0];
    const std::string program = container.At("command").items()[0].AsString();
    ASSERT_EQ(program.rfind("t2t-", 0), 0u) << program;
    const std::string help = Output(program.substr(4), "--help");
    for (const Json& item : container.At("args").items()) {
      const std::string text = item.AsString();
      const std::string flag = text.substr(0, text.find('='));
      EXPECT_TRUE(help.find(flag + " ") != std::string::npos ||
                  help.find(flag + "=") != std::string::npos ||
                  help.find(flag + "\n") != std::string::npos)
          << component.name << " " << text << " " << help;
      ++checked;
    }
  }
  EXPECT_GT(checked, 25);
}

TEST(LaunchProgramsTest, ModelNamesAreTheRegistrys) {
  const std::string help = Output("trainer", "--registry_help=models");
  ASSERT_GE(ModelsHere().size(), 10u);
  for (const std::string& model : ModelsHere()) {
    EXPECT_NE(help.find("\n    " + model + " "), std::string::npos) << model;
  }
}

}  // namespace
}  // namespace t2t
