#include "t2t/distributed/process_group.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/lifeline.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

void ExpectRetry(const Job::End& end, const std::vector<std::string>& texts) {
  EXPECT_EQ(end.code, 138) << end.message;
  for (const std::string& text : texts) {
    EXPECT_NE(end.message.find(text), std::string::npos)
        << "'" << text << "' in: " << end.message;
  }
}

TEST(ProcessGroupTest, Collectives) {
  for (const int64_t size : {2, 3, 4}) {
    Job job(size);
    job.StartAll([size](ProcessGroup* group) {
      const int64_t rank = group->rank();
      EXPECT_EQ(group->size(), size);
      const at::Tensor sum = at::full(5, static_cast<double>(rank + 1));
      group->AllReduce(sum, "a sum");
      EXPECT_TRUE(at::equal(
          sum, at::full(5, static_cast<double>(size * (size + 1) / 2))));
      const at::Tensor gathered =
          group->AllGather(at::full(2, static_cast<double>(rank)), "a gather");
      EXPECT_EQ(gathered.sizes(), (std::vector<int64_t>{size, 2}));
      for (int64_t r = 0; r < size; ++r) {
        EXPECT_EQ(gathered[r][1].item<double>(), static_cast<double>(r));
      }
      // Rank r sends r + 1 copies of r to each.
      const at::Tensor input =
          at::full(size * (rank + 1), static_cast<double>(rank));
      std::vector<int64_t> counts;
      for (int64_t r = 0; r < size; ++r) counts.push_back(r + 1);
      const at::Tensor output = at::empty(size * (size + 1) / 2);
      group->Wait(
          group->StartAllToAll(
              input, std::vector<int64_t>(static_cast<size_t>(size), rank + 1),
              output, counts),
          "an exchange");
      int64_t at = 0;
      for (int64_t r = 0; r < size; ++r) {
        for (int64_t i = 0; i <= r; ++i) {
          EXPECT_EQ(output[at++].item<double>(), static_cast<double>(r));
        }
      }
      const std::string text =
          group->BroadcastText(rank == 0 ? "of rank 0" : "", "a text");
      EXPECT_EQ(text, "of rank 0");
      EXPECT_EQ(group->BroadcastText("", "a text"), "");
      group->CheckAlive();
      group->Barrier("the end");
      EXPECT_GT(group->waited_seconds(), 0);
      // One that the others join later is under way until they do.
      const double before = group->under_way_seconds();
      EXPECT_GT(before, 0);
      ::usleep(20'000);
      EXPECT_EQ(group->under_way_seconds(), before);
      if (rank == size - 1) ::usleep(300'000);
      const at::Tensor late = at::ones(1);
      const ProcessGroup::Work work = group->StartAllReduce(late);
      group->Wait(work, "a sum");
      if (rank == 0) {
        EXPECT_GT(group->under_way_seconds(), before + 0.05);
      }
    });
    job.ExpectAllWell();
  }
}

// Rows {0, 1}, {2, 3} and columns {0, 2}, {1, 3} of four ranks.
TEST(ProcessGroupTest, SubGroups) {
  Job job(4);
  job.StartAll([](ProcessGroup* group) {
    const int64_t rank = group->rank();
    const auto number = [](int64_t value) {
      return at::full(2, static_cast<double>(value));
    };
    const int64_t row_start = rank / 2 * 2;
    const auto row = group->Sub({row_start, row_start + 1}, "row");
    const auto column = group->Sub({rank % 2, rank % 2 + 2}, "column");
    EXPECT_EQ(row->size(), 2);
    EXPECT_EQ(row->rank(), rank % 2);
    EXPECT_EQ(column->rank(), rank / 2);
    for (int round = 0; round < 3; ++round) {
      const at::Tensor sum = number(rank);
      row->AllReduce(sum, "a sum");
      EXPECT_EQ(sum[0].item<double>(), 2 * row_start + 1);
      column->AllReduce(sum, "a sum");
      EXPECT_EQ(sum[1].item<double>(), 6);
    }
    const at::Tensor all = column->AllGather(number(rank), "a gather");
    EXPECT_EQ(all[0][0].item<double>(), rank % 2);
    EXPECT_EQ(all[1][0].item<double>(), rank % 2 + 2);
    // Piece i of rank r is 10 r + i.
    const at::Tensor pieces =
        at::tensor(std::vector<double>{10.0 * rank, 10.0 * rank + 1});
    EXPECT_EQ(row->ReduceScatter(pieces, "a part").item<double>(),
              10.0 * (2 * row_start + 1) + 2.0 * (rank % 2));
    // To the first of the column one number, to the second two.
    const at::Tensor got =
        column->AllToAll(at::full(3, static_cast<double>(rank)), {1, 2},
                         std::vector<int64_t>(2, rank / 2 + 1), "an exchange");
    EXPECT_EQ(got.numel(), 2 * (rank / 2 + 1));
    EXPECT_EQ(got[0].item<double>(), rank % 2);
    EXPECT_EQ(got[got.numel() - 1].item<double>(), rank % 2 + 2);
    const at::Tensor told = number(rank);
    row->Broadcast(told, "a number");
    EXPECT_EQ(told[0].item<double>(), row_start);
    // Of a group's group.
    const auto self = row->Sub({row->rank()}, "self");
    EXPECT_EQ(self->size(), 1);
    const at::Tensor own = number(rank);
    self->AllReduce(own, "a sum of one");
    EXPECT_EQ(own[0].item<double>(), rank);
    EXPECT_EQ(row->waited_seconds(), group->waited_seconds());
    EXPECT_EQ(row->under_way_seconds(), group->under_way_seconds());
    EXPECT_THROW(group->Sub({(rank + 1) % 4}, "others"), Error);
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST(ProcessGroupTest, MissingRanksAreNamed) {
  Job job(4);
  job.options()->rendezvous_seconds = 4;
  job.Start(0, [](ProcessGroup*) {});
  job.Start(2, [](ProcessGroup*) {});
  ExpectRetry(job.Wait(0), {"ranks 1, 3 of 4", "within 4 s"});
  ExpectRetry(job.Wait(1), {"ranks 1, 3 of 4", "within 4 s"});
}

TEST(ProcessGroupTest, RankZeroIsMissing) {
  Job job(2);
  job.options()->rendezvous_seconds = 1;
  job.Start(1, [](ProcessGroup*) {});
  ExpectRetry(job.Wait(0), {"rank 1 of 2 can't reach rank 0 at 127.0.0.1:"});
}

TEST(ProcessGroupTest, TwoOfOneRankAndOtherSizes) {
  Job job(3);
  job.options()->rendezvous_seconds = 6;
  job.options()->silence_seconds = 1;
  job.Start(0, [](ProcessGroup*) {});
  job.Start(1, [](ProcessGroup*) {});
  job.Start(1, [](ProcessGroup*) {});
  const Job::End one = job.Wait(1);
  const Job::End other = job.Wait(2);
  ExpectRetry(one, {});
  ExpectRetry(other, {});
  EXPECT_NE((one.message + other.message).find("say that they are rank 1"),
            std::string::npos);
  ExpectRetry(job.Wait(0), {"rank 2 of 3"});

  Job sizes(2);
  sizes.Start(0, [](ProcessGroup*) {});
  sizes.cluster()->world_size = 3;
  sizes.Start(1, [](ProcessGroup*) {});
  ExpectRetry(sizes.Wait(0), {"rank 1", "told of 3 ranks, rank 0 of 2"});
  ExpectRetry(sizes.Wait(1), {"told of 3 ranks"});
}

// Another process takes the place of one that was killed before all were here.
TEST(ProcessGroupTest, ARankKilledWhileOthersAreAwaited) {
  Job job(3);
  const auto body = [](ProcessGroup* group) { group->Barrier("the end"); };
  job.Start(0, body);
  job.Start(1, body);
  ::usleep(1'000'000);
  job.Signal(1, SIGKILL);
  EXPECT_EQ(job.Wait(1).code, -SIGKILL);
  job.Start(1, body);
  ::usleep(300'000);
  job.Start(2, body);
  for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) {
    const Job::End end = job.Wait(i);
    EXPECT_EQ(end.code, 0) << end.message;
  }
}

// Rank 1 dies when all are told that the ranks are complete: Gloo alone would
// wait for it for as long as it may, and refuse its successor.
TEST(ProcessGroupTest, ARankKilledWhileConnecting) {
  Job job(3);
  const auto body = [](ProcessGroup* group) { group->Barrier("the end"); };
  job.Start(0, body);
  job.Start(2, body);
  const pid_t pid = ::fork();
  if (pid == 0) {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(job.cluster()->port);
    options.waitWorkers = false;
    c10d::TCPStore store("127.0.0.1", options);
    const std::vector<uint8_t> place = store.get("t2t/lifeline");
    int64_t port = 0;
    ParseInt(Split(std::string(place.begin(), place.end()), ' ')[0], &port);
    const auto line = Lifeline::Connect("127.0.0.1", port, 1, "a test\n3", 5);
    store.get("t2t/verdict");
    ::_exit(9);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 9);
  const double start = NowSeconds();
  ExpectRetry(job.Wait(0), {"rank 1 (a test) is lost"});
  ExpectRetry(job.Wait(1), {"rank 1 (a test) is lost"});
  EXPECT_LT(NowSeconds() - start, 5);
}

// Sums until something happens, from when all ranks are there.
void SumForEver(const Job& job, ProcessGroup* group) {
  group->Barrier("the start");
  job.TellReady();
  while (true) group->AllReduce(at::ones(1000), "the sum of gradients");
}

TEST(ProcessGroupTest, AKilledRankIsNamed) {
  for (const size_t victim : {size_t{2}, size_t{0}}) {
    Job job(3);
    job.StartAll([&job](ProcessGroup* group) { SumForEver(job, group); });
    job.AwaitReady(3);
    job.Signal(victim, SIGKILL);
    const double start = NowSeconds();
    for (size_t rank = 0; rank < 3; ++rank) {
      if (rank == victim) continue;
      ExpectRetry(job.Wait(rank), {"rank " + std::to_string(victim) + " (",
                                   "is lost", "start the job again"});
    }
    EXPECT_LT(NowSeconds() - start, 5);
    EXPECT_EQ(job.Wait(victim).code, -SIGKILL);
  }
}

// Its loss ends the ranks of the other groups, too.
TEST(ProcessGroupTest, AKilledRankOfAnotherGroupIsNamed) {
  Job job(4);
  job.StartAll([&job](ProcessGroup* group) {
    const int64_t start = group->rank() / 2 * 2;
    const auto row = group->Sub({start, start + 1}, "row");
    SumForEver(job, row.get());
  });
  job.AwaitReady(4);
  job.Signal(3, SIGKILL);
  const double start = NowSeconds();
  for (const size_t rank : {size_t{0}, size_t{1}, size_t{2}}) {
    ExpectRetry(job.Wait(rank), {"rank 3 (", "is lost", "sum of gradients"});
  }
  EXPECT_LT(NowSeconds() - start, 5);
  EXPECT_EQ(job.Wait(3).code, -SIGKILL);
}

// An error that is only told when the group with its work under way is gone.
TEST(ProcessGroupTest, AFailureWithAGroupsWorkUnderWay) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    const at::Tensor numbers = at::ones(1000);
    try {
      const auto both = group->Sub({0, 1}, "both");
      if (group->rank() == 1) {
        both->StartAllReduce(numbers);
        throw Error(ExitCode::kBadData, "a batch is damaged");
      }
      group->Barrier("the next step");
    } catch (const Error& error) {
      if (group->rank() == 1) group->Fail(error.what());
      throw;
    }
  });
  ExpectRetry(job.Wait(0), {"rank 1 (", "a batch is damaged"});
  EXPECT_EQ(job.Wait(1).code, 3);
}

TEST(ProcessGroupTest, SubGroupsHaveALimit) {
  Job job(2);
  job.options()->collective_seconds = 0.5;
  job.StartAll([](ProcessGroup* group) {
    const auto both = group->Sub({0, 1}, "both");
    if (group->rank() == 1) ::usleep(3'000'000);
    both->Barrier("the next step");
  });
  ExpectRetry(job.Wait(0), {"the next step", "0.5 s", "alive"});
  ExpectRetry(job.Wait(1), {"rank 0 (", "is lost"});
}

TEST(ProcessGroupTest, AStoppedRankIsNamed) {
  Job job(3);
  job.options()->silence_seconds = 2.5;
  job.StartAll([&job](ProcessGroup* group) { SumForEver(job, group); });
  job.AwaitReady(3);
  job.Signal(1, SIGSTOP);
  const double start = NowSeconds();
  ExpectRetry(job.Wait(0), {"rank 1 (", "nothing was heard of it"});
  ExpectRetry(job.Wait(2), {"rank 1 (", "nothing was heard of it"});
  EXPECT_LT(NowSeconds() - start, 5);
  job.Signal(1, SIGCONT);
  EXPECT_EQ(job.Wait(1).code, 138);
}

TEST(ProcessGroupTest, AFailureIsTold) {
  Job job(3);
  job.StartAll([&job](ProcessGroup* group) {
    if (group->rank() == 1) {
      group->Barrier("the start");
      group->Fail("the disk is full");
      throw Error(ExitCode::kIo, "the disk is full");
    }
    SumForEver(job, group);
  });
  EXPECT_EQ(job.Wait(1).code, 5);
  ExpectRetry(job.Wait(0),
              {"rank 1 (", "the disk is full", "sum of gradients"});
  ExpectRetry(job.Wait(2), {"rank 1 (", "the disk is full"});
}

TEST(ProcessGroupTest, CollectivesHaveALimit) {
  Job job(2);
  job.options()->collective_seconds = 0.5;
  job.StartAll([](ProcessGroup* group) {
    if (group->rank() == 1) ::usleep(1'500'000);
    group->Barrier("a long wait", ProcessGroup::Limit::kNone);
    if (group->rank() == 1) ::usleep(3'000'000);
    group->Barrier("the next step");
  });
  ExpectRetry(job.Wait(0), {"the next step", "0.5 s", "alive"});
  ExpectRetry(job.Wait(1), {"rank 0 (", "is lost"});
}

}  // namespace
}  // namespace t2t
