#include "t2t/base/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// What a shell's script prints, run with these options.
std::string Print(const std::string& script, SpawnOptions options = {}) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  options.out = ends[1];
  const pid_t pid = Spawn({"sh", "-c", script}, options);
  ::close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t size; (size = ::read(ends[0], buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  ::close(ends[0]);
  EXPECT_EQ(WaitForEnd(pid), 0) << script;
  return text;
}

TEST(SpawnTest, TellsHowAProgramEnds) {
  EXPECT_EQ(WaitForEnd(Spawn({"true"})), 0);
  EXPECT_EQ(WaitForEnd(Spawn({"sh", "-c", "exit 7"})), 7);
  EXPECT_EQ(WaitForEnd(Spawn({"sh", "-c", "kill -KILL $$"})), 128 + SIGKILL);
}

TEST(SpawnTest, AProgramThatIsNotThereIsAnError) {
  try {
    Spawn({"/no/such/program", "x"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissing);
    EXPECT_NE(std::string(error.what())
                  .find("/no/such/program can't be run: No such file"),
              std::string::npos)
        << error.what();
  }
  EXPECT_THROW(Spawn({"t2t-no-such-program"}), Error);
}

TEST(SpawnTest, VariablesReplaceOursAndOthersAreDropped) {
  ::setenv("T2T_SPAWN_A", "ours", 1);
  ::setenv("T2T_SPAWN_B", "ours", 1);
  ::setenv("T2T_SPAWN_C", "ours", 1);
  SpawnOptions options;
  options.environment = MakeEnvironment(
      {{"T2T_SPAWN_A", "x=y"}, {"T2T_SPAWN_D", "new"}},
      [](const std::string& name) { return name == "T2T_SPAWN_B"; });
  EXPECT_EQ(
      Print("echo \"$T2T_SPAWN_A $T2T_SPAWN_B $T2T_SPAWN_C $T2T_SPAWN_D\"",
            options),
      "x=y  ours new\n");
  EXPECT_EQ(Print("echo \"$T2T_SPAWN_A $T2T_SPAWN_B\""), "ours ours\n");
}

TEST(SpawnTest, ADescriptorIsKeptWhereItIsSaid) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], "through\n", 8), 8);
  ::close(ends[1]);
  const std::string read = "cat <&" + std::to_string(ends[0]);
  SpawnOptions options;
  EXPECT_EQ(Print(read + " 2>/dev/null || echo closed"), "closed\n");
  options.kept = {ends[0]};
  EXPECT_EQ(Print(read, options), "through\n");
  ::close(ends[0]);
}

TEST(SpawnTest, SignalsAndGroupAreAsAsked) {
  SpawnOptions options;
  options.own_group = true;
  const pid_t pid = Spawn({"sleep", "60"}, options);
  EXPECT_EQ(::getpgid(pid), pid);
  ::kill(-pid, SIGTERM);
  EXPECT_EQ(WaitForEnd(pid), 128 + SIGTERM);
  // An ignored signal stays ignored, unless it is to be as at the start.
  const auto old = ::signal(SIGTERM, SIG_IGN);
  const std::string script = "kill -TERM $$; echo alive";
  EXPECT_EQ(Print(script), "alive\n");
  options.default_signals = {SIGTERM};
  EXPECT_EQ(WaitForEnd(Spawn({"sh", "-c", script}, options)), 128 + SIGTERM);
  ::signal(SIGTERM, old);
}

}  // namespace
}  // namespace t2t
