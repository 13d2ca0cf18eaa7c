#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/subprocess.h"
#include "t2t/distributed/socket.h"

namespace t2t {
namespace {

constexpr char kProgram[] = "t2t/distributed/mpi/mpi_program";

std::vector<std::string> FreePorts() {
  int64_t first = 0;
  int64_t second = 0;
  const int one = ListenTcp("127.0.0.1", &first);
  const int other = ListenTcp("127.0.0.1", &second);
  ::close(one);
  ::close(other);
  return {std::to_string(first), std::to_string(second)};
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class MpiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string missing;
    if (RunProgram({"/usr/bin/env", "mpirun", "--version"}).code != 0) {
      missing = "there is no mpirun here";
    } else if (!Exists("t2t/distributed/mpi/libt2t_mpi.so")) {
      missing = "there was no mpicc when this was built";
    }
    if (missing.empty()) return;
    std::printf("MPI is not tested: %s\n", missing.c_str());
    GTEST_SKIP() << missing;
  }
};

TEST_F(MpiTest, EqualsGloo) {
  for (const int ranks : {2, 4}) {
    std::vector<std::string> command = {
        "/usr/bin/env",    "mpirun", "--allow-run-as-root",
        "--oversubscribe", "-n",     std::to_string(ranks),
        kProgram};
    for (const std::string& port : FreePorts()) command.push_back(port);
    const RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    EXPECT_EQ(Count(run.output, ": the same"), ranks) << run.output;
  }
}

TEST_F(MpiTest, WithoutMpirun) {
  const std::vector<std::string> ports = FreePorts();
  const RunResult run = RunProgram({kProgram, ports[0], ports[1]});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_EQ(Count(run.output, "mpirun did not start this"), 1) << run.output;
}

// Also where MPI is not installed.
TEST(MpiPluginTest, NotThere) {
  const std::vector<std::string> ports = FreePorts();
  const RunResult run =
      RunProgram({"/usr/bin/env", "T2T_PLUGIN_DIR=/nowhere", "PMI_SIZE=1",
                  kProgram, ports[0], ports[1]});
  EXPECT_EQ(run.code, 4) << run.output;
  EXPECT_EQ(Count(run.output, "needs libt2t_mpi.so"), 1) << run.output;
  EXPECT_EQ(Count(run.output, "libopenmpi-dev"), 1) << run.output;
}

}  // namespace
}  // namespace t2t
