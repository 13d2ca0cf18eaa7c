#include "t2t/serve/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace t2t {
namespace {

using std::chrono::milliseconds;
using Queue = BatchQueue<int, int>;
using ::testing::ElementsAre;

Queue::Time In(int64_t ms) {
  return std::chrono::steady_clock::now() + milliseconds(ms);
}

// A model that says each number's tenfold, keeps its batches and takes `cost`
// a batch. It waits while `closed`; -1 makes it fail.
class FakeModel {
 public:
  std::vector<int> operator()(const std::vector<int>& inputs) {
    while (closed) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(cost);
    {
      const std::lock_guard<std::mutex> lock(mutex);
      batches.push_back(inputs);
    }
    std::vector<int> outputs;
    for (const int input : inputs) {
      if (input < 0) throw std::runtime_error("a negative number");
      outputs.push_back(input * 10);
    }
    return outputs;
  }

  Queue::Run AsRun() {
    return [this](const std::vector<int>& inputs, const Queue::IsGone&) {
      return (*this)(inputs);
    };
  }

  std::atomic<bool> closed{false};
  milliseconds cost{0};
  std::mutex mutex;
  std::vector<std::vector<int>> batches;
};

// Submits rows of (input, tokens); the reply is ready when the future is.
struct Call {
  BatchStatus status;
  std::future<Queue::Reply> reply;
};
Call Submit(Queue* queue, std::vector<Queue::Row> rows, int64_t ms = 10000) {
  const auto promise = std::make_shared<std::promise<Queue::Reply>>();
  Call call;
  call.reply = promise->get_future();
  call.status = queue->Submit(
      std::move(rows), In(ms),
      [promise](Queue::Reply reply) { promise->set_value(std::move(reply)); });
  return call;
}

// The first row goes alone while the model is closed; what comes after waits.
void Block(Queue* queue, FakeModel* model) {
  model->closed = true;
  Submit(queue, {{0, 1}});
  while (queue->load().rows > 0) {
    std::this_thread::sleep_for(milliseconds(1));
  }
}

BatchOptions Options() {
  BatchOptions options;
  options.latency_budget = std::chrono::microseconds(0);
  return options;
}

TEST(BatchQueueTest, AnswersAllRowsInOrder) {
  FakeModel model;
  Queue queue(Options(), model.AsRun());
  Call call = Submit(&queue, {{1, 5}, {2, 3}, {3, 9}});
  const Queue::Reply reply = call.reply.get();
  EXPECT_EQ(reply.status, BatchStatus::kOk);
  EXPECT_THAT(reply.outputs, ElementsAre(10, 20, 30));
  EXPECT_EQ(queue.load().tokens, 0);
}

TEST(BatchQueueTest, BatchesByTokensWithTheOldestFirst) {
  FakeModel model;
  BatchOptions options = Options();
  options.max_batch_tokens = 20;
  options.max_batch_rows = 3;
  Queue queue(options, model.AsRun());
  Block(&queue, &model);
  Call call = Submit(&queue, {{1, 5},  // with 2 and 4: 3 * 5
                              {2, 5},
                              {3, 30},  // larger than a batch: alone
                              {4, 5},
                              {5, 1},     // too many rows
                              {6, 15}});  // 2 * 15 is too much
  model.closed = false;
  EXPECT_EQ(call.reply.get().status, BatchStatus::kOk);
  EXPECT_THAT(model.batches,
              ElementsAre(ElementsAre(0), ElementsAre(1, 2, 4), ElementsAre(3),
                          ElementsAre(5), ElementsAre(6)));
}

TEST(BatchQueueTest, WaitsForOthersWithinTheBudget) {
  FakeModel model;
  BatchOptions options;
  options.latency_budget = milliseconds(500);
  options.arrival_gap = milliseconds(500);
  options.max_batch_rows = 3;
  Queue queue(options, model.AsRun());
  const auto start = std::chrono::steady_clock::now();
  Call first = Submit(&queue, {{1, 1}});
  Call second = Submit(&queue, {{2, 1}});
  first.reply.get();
  second.reply.get();
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(400));
  // A full batch goes at once.
  Call full = Submit(&queue, {{3, 1}, {4, 1}, {5, 1}});
  const auto full_start = std::chrono::steady_clock::now();
  full.reply.get();
  EXPECT_LT(std::chrono::steady_clock::now() - full_start, milliseconds(400));
  EXPECT_THAT(model.batches,
              ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4, 5)));
}

TEST(BatchQueueTest, WaitsNoLongerThanTheGap) {
  FakeModel model;
  BatchOptions options;
  options.latency_budget = milliseconds(60000);
  options.arrival_gap = milliseconds(20);
  Queue queue(options, model.AsRun());
  Call first = Submit(&queue, {{1, 1}});
  Call second = Submit(&queue, {{2, 1}});
  const auto start = std::chrono::steady_clock::now();
  first.reply.get();
  second.reply.get();
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(30000));
}

TEST(BatchQueueTest, IdleLanesShareWhatWaits) {
  std::mutex mutex;
  std::vector<size_t> sizes;
  std::atomic<int> running = 0;
  BatchOptions options = Options();
  options.lanes = 2;
  Queue queue(options,
              [&](const std::vector<int>& inputs, const Queue::IsGone&) {
                ++running;
                {
                  const std::lock_guard<std::mutex> lock(mutex);
                  sizes.push_back(inputs.size());
                }
                // Both are in here at the same time, or this is no test of two
                // lanes.
                for (int i = 0; i < 5000 && running < 2; ++i) {
                  std::this_thread::sleep_for(milliseconds(1));
                }
                return inputs;
              });
  Call call = Submit(&queue, {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}});
  EXPECT_THAT(call.reply.get().outputs, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(running, 2);
  EXPECT_THAT(sizes, ::testing::UnorderedElementsAre(3, 2));
}

TEST(BatchQueueTest, EndsRowsOfARunningBatch) {
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> begun = false;
  std::vector<bool> gone(4, false);
  Queue queue(Options(), [&](const std::vector<int>& inputs,
                             const Queue::IsGone& is_gone) {
    begun = true;
    while (inputs.size() == 1 && !*cancelled) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    for (int i = 0; inputs.size() == 4 && i < 5000 && !gone[2]; ++i) {
      for (size_t row = 0; row < 4; ++row) gone[row] = is_gone(row);
      std::this_thread::sleep_for(milliseconds(1));
    }
    return inputs;
  });
  // One that is cancelled while it runs alone, behind it a batch of three.
  std::promise<BatchStatus> first;
  ASSERT_EQ(queue.Submit(
                {{0, 1}}, In(10000),
                [&](Queue::Reply reply) { first.set_value(reply.status); },
                cancelled),
            BatchStatus::kOk);
  while (!begun) std::this_thread::sleep_for(milliseconds(1));
  const auto also_cancelled = std::make_shared<std::atomic<bool>>(false);
  std::promise<BatchStatus> second;
  queue.Submit(
      {{1, 1}, {2, 1}}, In(10000),
      [&](Queue::Reply reply) { second.set_value(reply.status); },
      also_cancelled);
  Call late = Submit(&queue, {{3, 1}}, 1000);
  Call patient = Submit(&queue, {{4, 1}});
  *cancelled = true;
  EXPECT_EQ(first.get_future().get(), BatchStatus::kOk);  // it had ended
  while (queue.load().rows > 0) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  *also_cancelled = true;
  EXPECT_EQ(second.get_future().get(), BatchStatus::kCancelled);
  EXPECT_EQ(late.reply.get().status, BatchStatus::kDeadline);
  EXPECT_THAT(patient.reply.get().outputs, ElementsAre(4));
  EXPECT_THAT(gone, ElementsAre(true, true, true, false));
}

TEST(BatchQueueTest, RefusesWhenFull) {
  FakeModel model;
  BatchOptions options = Options();
  options.max_queue_tokens = 10;
  options.max_queue_rows = 3;
  Queue queue(options, model.AsRun());
  Block(&queue, &model);
  Call taken = Submit(&queue, {{1, 6}});
  EXPECT_EQ(taken.status, BatchStatus::kOk);
  EXPECT_EQ(Submit(&queue, {{2, 5}}).status, BatchStatus::kFull);
  EXPECT_EQ(Submit(&queue, {{2, 1}, {3, 1}, {4, 1}}).status,
            BatchStatus::kFull);
  Call also = Submit(&queue, {{2, 1}, {3, 1}});
  EXPECT_EQ(also.status, BatchStatus::kOk);
  EXPECT_FALSE(queue.CanHold(4, 4));
  EXPECT_FALSE(queue.CanHold(1, 11));
  model.closed = false;
  EXPECT_EQ(taken.reply.get().status, BatchStatus::kOk);
  EXPECT_THAT(also.reply.get().outputs, ElementsAre(20, 30));
  EXPECT_EQ(Submit(&queue, {{2, 5}}).status, BatchStatus::kOk);
}

TEST(BatchQueueTest, DoesNotRunWhatNobodyWaitsFor) {
  FakeModel model;
  Queue queue(Options(), model.AsRun());
  Block(&queue, &model);
  Call late = Submit(&queue, {{1, 1}, {2, 1}}, 10);
  Call patient = Submit(&queue, {{3, 1}});
  std::this_thread::sleep_for(milliseconds(30));
  model.closed = false;
  EXPECT_EQ(late.reply.get().status, BatchStatus::kDeadline);
  EXPECT_EQ(patient.reply.get().status, BatchStatus::kOk);
  EXPECT_THAT(model.batches, ElementsAre(ElementsAre(0), ElementsAre(3)));
  EXPECT_EQ(queue.load().rows, 0);
}

TEST(BatchQueueTest, ABadRowFailsAlone) {
  FakeModel model;
  Queue queue(Options(), model.AsRun());
  Block(&queue, &model);
  Call good = Submit(&queue, {{1, 1}, {2, 1}});
  Call bad = Submit(&queue, {{-1, 1}, {3, 1}});
  model.closed = false;
  EXPECT_THAT(good.reply.get().outputs, ElementsAre(10, 20));
  const Queue::Reply reply = bad.reply.get();
  EXPECT_EQ(reply.status, BatchStatus::kOk);
  EXPECT_THAT(reply.errors, ElementsAre("error: a negative number", ""));
  EXPECT_EQ(reply.outputs.at(1), 30);
  EXPECT_EQ(Submit(&queue, {{-1, 1}, {-2, 1}}).reply.get().status,
            BatchStatus::kFailed);
  EXPECT_EQ(Submit(&queue, {{4, 1}}).reply.get().status, BatchStatus::kOk);
}

TEST(BatchQueueTest, StopRunsWhatIsThere) {
  FakeModel model;
  Queue queue(Options(), model.AsRun());
  Block(&queue, &model);
  Call waits = Submit(&queue, {{1, 1}});
  std::thread opener([&] {
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(Submit(&queue, {{2, 1}}).status, BatchStatus::kStopped);
    model.closed = false;
  });
  queue.Stop();
  opener.join();
  EXPECT_THAT(waits.reply.get().outputs, ElementsAre(10));
}

TEST(BatchQueueTest, ManyCallersShareBatches) {
  FakeModel model;
  model.cost = milliseconds(5);
  BatchOptions options;
  options.latency_budget = milliseconds(2);
  Queue queue(options, model.AsRun());
  constexpr int kCallers = 16;
  constexpr int kCalls = 20;
  std::atomic<int> right = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int j = 0; j < kCalls; ++j) {
        Call call = Submit(&queue, {{i * 1000 + j, 10}});
        const Queue::Reply reply = call.reply.get();
        right += reply.outputs == std::vector<int>{(i * 1000 + j) * 10};
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(right, kCallers * kCalls);
  // One by one it would be 320.
  EXPECT_LT(model.batches.size(), 160U);
}

}  // namespace
}  // namespace t2t
