#include "t2t/distributed/lifeline.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/distributed/socket.h"

namespace t2t {
namespace {

constexpr char kHere[] = "127.0.0.1";

// A rank in a process of its own that lives until it is ended.
class OtherRank {
 public:
  OtherRank(int64_t port, int64_t rank, double silence_seconds) {
    int ready[2];
    if (::pipe(ready) != 0) ::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto line =
          Lifeline::Connect(kHere, port, rank, "", silence_seconds);
      if (::write(ready[1], "x", 1) != 1) ::_exit(1);
      const auto loss = line->WaitForLoss(60);
      ::_exit(loss ? static_cast<int>(10 + loss->rank) : 1);
    }
    char byte;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  void Signal(int signal) const { ::kill(pid_, signal); }
  // 10 + the rank it found lost.
  int Wait() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

TEST(LifelineTest, AKilledRankIsNamedAtOnce) {
  const auto zero = Lifeline::Listen(kHere, 5);
  const OtherRank one(zero->port(), 1, 5);
  const OtherRank two(zero->port(), 2, 5);
  EXPECT_TRUE(zero->Complete(3));
  EXPECT_FALSE(zero->WaitForLoss(0.2));
  const double start = NowSeconds();
  one.Signal(SIGKILL);
  const auto loss = zero->WaitForLoss(20);
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->rank, 1);
  EXPECT_NE(loss->why.find("killed"), std::string::npos);
  EXPECT_EQ(two.Wait(), 11);
  EXPECT_LT(NowSeconds() - start, 2);
  one.Wait();
}

TEST(LifelineTest, RankZeroIsMissedToo) {
  auto zero = Lifeline::Listen(kHere, 5);
  const OtherRank one(zero->port(), 1, 5);
  zero->Fail("a full disk\non rank 0");
  EXPECT_EQ(one.Wait(), 10);
  zero.reset();
  zero = Lifeline::Listen(kHere, 5);
  const auto other = Lifeline::Connect(kHere, zero->port(), 1, "", 5);
  zero->Fail("a full disk\non rank 0");
  const auto loss = other->WaitForLoss(20);
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->rank, 0);
  EXPECT_EQ(loss->why, "a full disk\non rank 0");
}

TEST(LifelineTest, ASilentRankIsLost) {
  const auto zero = Lifeline::Listen(kHere, 2);
  const OtherRank one(zero->port(), 1, 2);
  const OtherRank two(zero->port(), 2, 2);
  EXPECT_TRUE(zero->Complete(3));
  EXPECT_FALSE(zero->WaitForLoss(3));
  two.Signal(SIGSTOP);
  const auto loss = zero->WaitForLoss(20);
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->rank, 2);
  EXPECT_NE(loss->why.find("2 s"), std::string::npos);
  EXPECT_EQ(one.Wait(), 12);
  // It finds out when it wakes up: it, or rank 0, is lost to the other.
  two.Signal(SIGCONT);
  EXPECT_GE(two.Wait(), 10);
}

TEST(LifelineTest, GoodbyesAreNoLosses) {
  const auto zero = Lifeline::Listen(kHere, 2);
  auto one = Lifeline::Connect(kHere, zero->port(), 1, "", 2);
  const auto two = Lifeline::Connect(kHere, zero->port(), 2, "", 2);
  EXPECT_TRUE(zero->Complete(3));
  one.reset();
  EXPECT_FALSE(zero->WaitForLoss(2.5));
  EXPECT_FALSE(two->loss());
}

TEST(LifelineTest, APlaceIsFreeUntilAllAreHere) {
  const auto zero = Lifeline::Listen(kHere, 1);
  auto one = Lifeline::Connect(kHere, zero->port(), 1, "one\n2 lines", 1);
  EXPECT_FALSE(zero->Complete(3));
  EXPECT_EQ(zero->here(),
            (std::map<int64_t, std::string>{{1, "one\n2 lines"}}));
  try {
    Lifeline::Connect(kHere, zero->port(), 1, "another", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kRetry);
    EXPECT_NE(std::string(error.what()).find("rank 1: this one and one"),
              std::string::npos)
        << error.what();
  }
  const OtherRank two(zero->port(), 2, 1);
  two.Signal(SIGKILL);
  two.Wait();
  const OtherRank second(zero->port(), 2, 1);
  // Its place is taken over once nothing was heard of it for a second.
  second.Signal(SIGSTOP);
  const OtherRank third(zero->port(), 2, 1);
  EXPECT_FALSE(zero->loss());
  EXPECT_TRUE(zero->Complete(3));
  third.Signal(SIGKILL);
  const auto loss = zero->WaitForLoss(20);
  ASSERT_TRUE(loss);
  EXPECT_EQ(loss->rank, 2);
  second.Signal(SIGCONT);
  EXPECT_GE(second.Wait(), 10);
  // Too late: it is told of the loss.
  const OtherRank fourth(zero->port(), 2, 1);
  EXPECT_EQ(fourth.Wait(), 12);
}

TEST(LifelineTest, NothingAnswers) {
  int64_t port = 0;
  const int fd = ListenTcp(kHere, &port);
  ::close(fd);
  try {
    Lifeline::Connect(kHere, port, 1, "", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kRetry);
  }
}

TEST(SocketTest, LocalAddress) {
  EXPECT_EQ(LocalAddressTowards("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(LocalAddressTowards("no such host"), "");
}

}  // namespace
}  // namespace t2t
