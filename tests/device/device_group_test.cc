// How ranks exchange a device's tensors: all of ProcessGroup but NCCL itself,
// for which strict_backend.h stands.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/distributed/process_group.h"
#include "t2t/distributed/testing_job.h"
#include "t2t/ops/cuda/device.h"
#include "t2t/ops/cuda/strict_backend.h"
#include "t2t/ops/cuda/strict_device.h"
#include "t2t/ops/tensor_memory.h"

namespace t2t {
namespace {

class DeviceGroupTest : public ::testing::Test {
 protected:
  void SetUp() override { SetDeviceBackendMaker(MakeStrictBackend); }
  void TearDown() override { SetDeviceBackendMaker(nullptr); }
};

at::Tensor OnStrict(const at::Tensor& tensor) {
  return tensor.to(StrictDevice());
}

// Each collective of a group gives a device's tensors what it gives the CPU's.
void ExpectAsOnTheCpu(ProcessGroup* group) {
  const int64_t rank = group->rank();
  const int64_t size = group->size();
  for (const at::ScalarType type :
       {at::kFloat, at::kDouble, at::kLong, at::kByte}) {
    const at::Tensor own =
        at::arange(60, at::kDouble).mul(rank + 1.5).add(rank).to(type);
    const auto expect = [&](const at::Tensor& device, const at::Tensor& cpu,
                            const std::string& what) {
      EXPECT_EQ(device.device(), StrictDevice());
      EXPECT_TRUE(at::equal(device.cpu(), cpu)) << what << " of " << type;
    };
    at::Tensor cpu = own.clone();
    at::Tensor device = OnStrict(own);
    group->AllReduce(cpu, "test");
    group->AllReduce(device, "test");
    expect(device, cpu, "the sum");
    expect(group->AllGather(OnStrict(own), "test"),
           group->AllGather(own, "test"), "the gathered");
    cpu = own.clone();
    device = OnStrict(own);
    group->Broadcast(cpu, "test");
    group->Broadcast(device, "test");
    expect(device, cpu, "the broadcast");
    const at::Tensor even = own.narrow(0, 0, 8 * size);
    expect(group->ReduceScatter(OnStrict(even), "test"),
           group->ReduceScatter(even, "test"), "the part of the sum");
    // To rank r go 3 r numbers; nothing to rank 0.
    std::vector<int64_t> sent;
    for (int64_t r = 0; r < size; ++r) sent.push_back(3 * r);
    const std::vector<int64_t> received(static_cast<size_t>(size), 3 * rank);
    const at::Tensor uneven = own.narrow(0, 0, 3 * size * (size - 1) / 2);
    expect(group->AllToAll(OnStrict(uneven), sent, received, "test"),
           group->AllToAll(uneven, sent, received, "test"), "the exchanged");
  }
}

TEST_F(DeviceGroupTest, TheCollectivesOfTheCpu) {
  for (const int64_t size : {2, 4}) {
    Job job(size);
    job.StartAll([](ProcessGroup* group) {
      ExpectAsOnTheCpu(group);
      const int64_t first = group->rank() % 2;
      std::vector<int64_t> ranks;
      for (int64_t r = first; r < group->size(); r += 2) ranks.push_back(r);
      const auto some = group->Sub(ranks, "halves");
      std::vector<int64_t> every;
      for (int64_t r = 0; r < group->size(); ++r) every.push_back(r);
      const auto own = group->Sub(every, "all");
      ExpectAsOnTheCpu(some.get());
      ExpectAsOnTheCpu(own.get());
      // Both at once.
      const at::Tensor one = OnStrict(at::ones(9));
      const at::Tensor other = OnStrict(at::ones(7));
      const auto first_work = some->StartAllReduce(one);
      const auto second_work = own->StartAllReduce(other);
      own->Wait(second_work, "test");
      some->Wait(first_work, "test");
      EXPECT_EQ(one.cpu()[8].item<double>(), some->size());
      EXPECT_EQ(other.cpu()[6].item<double>(), own->size());
      group->Barrier("the end");
    });
    job.ExpectAllWell();
  }
}

// What the test's own connection finds in a program that does not wait.
TEST_F(DeviceGroupTest, WhatIsNotWaitedForIsNoticed) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    const at::Tensor sum = OnStrict(at::ones(5));
    const auto work = group->StartAllReduce(sum);
    EXPECT_TRUE(sum.cpu().isnan().all().item<bool>());
    group->Wait(work, "test");
    EXPECT_TRUE(at::equal(sum.cpu(), at::full(5, 2.0)));
    const at::Tensor from = OnStrict(at::ones(4));
    const auto gather = group->StartAllGather(from, OnStrict(at::ones(8)));
    if (group->rank() == 0) {
      from.add_(1);
    } else {
      DropMemory(from);
      RestoreMemory(from);
    }
    const std::string wanted =
        group->rank() == 0 ? "it was changed" : "its memory was freed";
    try {
      group->Wait(gather, "test");
      ADD_FAILURE() << "it was not noticed";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(wanted), std::string::npos)
          << error.what();
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST_F(DeviceGroupTest, TensorsOfTwoDevicesAreRefused) {
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    try {
      group->StartAllGather(at::ones(2), OnStrict(at::ones(4)));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInternal);
      EXPECT_NE(std::string(error.what()).find("on cpu and on"),
                std::string::npos)
          << error.what();
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST_F(DeviceGroupTest, ADeviceWithoutAConnection) {
  SetDeviceBackendMaker(nullptr);
  Job job(2);
  job.StartAll([](ProcessGroup* group) {
    try {
      group->StartAllReduce(OnStrict(at::ones(2)));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kInternal);
    }
    group->Barrier("the end");
  });
  job.ExpectAllWell();
}

TEST_F(DeviceGroupTest, ALostRankIsNamed) {
  Job job(3);
  job.StartAll([](ProcessGroup* group) {
    const auto some = group->Sub({0, 1, 2}, "some");
    const at::Tensor tensor = OnStrict(at::ones(1000));
    some->AllReduce(tensor, "the first sum");
    if (group->rank() == 1) ::raise(SIGKILL);
    some->AllReduce(tensor, "the second sum");
  });
  for (const size_t rank : {0, 2}) {
    const Job::End end = job.Wait(rank);
    EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
    EXPECT_NE(end.message.find("rank 1"), std::string::npos) << end.message;
  }
  EXPECT_EQ(job.Wait(1).code, -SIGKILL);
}

// Two ranks connect a group whose third is killed before it comes.
TEST_F(DeviceGroupTest, ARankLostWhileOthersConnectIsNamed) {
  Job job(3);
  job.StartAll([](ProcessGroup* group) {
    if (group->rank() == 2) ::raise(SIGKILL);
    group->Sub({0, 1, 2}, "some");
  });
  for (const size_t rank : {0, 1}) {
    const Job::End end = job.Wait(rank);
    EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
    EXPECT_NE(end.message.find("rank 2"), std::string::npos) << end.message;
  }
  EXPECT_EQ(job.Wait(2).code, -SIGKILL);
}

TEST_F(DeviceGroupTest, ACollectiveHasALimit) {
  Job job(2);
  job.options()->collective_seconds = 1;
  job.StartAll([](ProcessGroup* group) {
    if (group->rank() == 1) ::sleep(4);
    group->AllReduce(OnStrict(at::ones(2)), "the sum");
  });
  const Job::End end = job.Wait(0);
  EXPECT_EQ(end.code, static_cast<int>(ExitCode::kRetry)) << end.message;
  EXPECT_NE(end.message.find("the sum has not come to an end within 1 s"),
            std::string::npos)
      << end.message;
  EXPECT_EQ(job.Wait(1).code, static_cast<int>(ExitCode::kRetry));
}

}  // namespace
}  // namespace t2t
