// Every registered name, against tests/golden/registry/names.txt: none gets
// lost. With T2T_WRITE_GOLDEN=$PWD/tests/golden/registry/names.txt set,
//   bazel run //tests/safety_net:registry_names_test
// writes the file anew.

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

constexpr char kGolden[] = "tests/golden/registry/names.txt";

std::set<std::string> LinesOf(const std::string& text) {
  const std::vector<std::string> lines = Split(text, '\n');
  return {lines.begin(), lines.end()};
}

// "models transformer", one for each name that --registry_help lists; of the
// models those that are here.
std::set<std::string> RegisteredNames() {
  const RunResult run =
      RunProgram({"t2t/bin/trainer/t2t-trainer", "--registry_help", "--json"});
  EXPECT_EQ(run.code, 0) << run.output;
  std::set<std::string> names = {""};
  const Json entries = Json::Parse(run.output);
  for (const Json& entry : entries.items()) {
    const std::string registry = entry.At("registry").AsString();
    if (registry == "models" && !entry.At("here").AsBool()) continue;
    names.insert(registry + " " + entry.At("name").AsString());
  }
  return names;
}

TEST(RegistryNamesTest, NoNameIsLostAndNoneIsUnknown) {
  const std::set<std::string> got = RegisteredNames();
  if (const char* path = std::getenv("T2T_WRITE_GOLDEN")) {
    const std::vector<std::string> lines(++got.begin(), got.end());
    WriteFileAtomically(path, Join(lines, "\n") + "\n");
    return;
  }
  const std::set<std::string> want = LinesOf(ReadFile(kGolden));
  ASSERT_GT(want.size(), 100u);
  for (const std::string& name : want) {
    EXPECT_TRUE(got.count(name)) << "lost: '" << name << "'";
  }
  for (const std::string& name : got) {
    EXPECT_TRUE(want.count(name)) << "not in the golden list: '" << name << "'";
  }
}

}  // namespace
}  // namespace t2t
