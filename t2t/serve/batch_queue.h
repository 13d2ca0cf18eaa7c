#ifndef T2T_SERVE_BATCH_QUEUE_H_
#define T2T_SERVE_BATCH_QUEUE_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace t2t {

struct BatchOptions {
  // A batch's rows times its longest row. A single row may be longer.
  int64_t max_batch_tokens = 2048;
  int64_t max_batch_rows = 64;
  // What may wait; more is refused.
  int64_t max_queue_tokens = 16384;
  int64_t max_queue_rows = 1024;
  // How long the first row waits for others to share its batch.
  std::chrono::microseconds latency_budget{5000};
};

enum class BatchStatus { kOk, kFull, kStopped, kDeadline, kFailed };

// Puts rows of many callers into batches and runs them, one at a time, in the
// order they came: the longest waiting row is always in the next batch, with
// those behind it that fit.
template <typename In, typename Out>
class BatchQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // One output an input. Where it throws, each row is run again alone, and
  // whose row throws then is told so.
  using Run = std::function<std::vector<Out>(const std::vector<In>&)>;
  struct Row {
    In input;
    int64_t tokens = 1;
  };
  struct Reply {
    BatchStatus status = BatchStatus::kOk;
    std::vector<Out> outputs;  // one a row
    std::string error;
  };
  using Done = std::function<void(Reply)>;
  struct Load {
    int64_t rows = 0;
    int64_t tokens = 0;
  };

  BatchQueue(const BatchOptions& options, Run run)
      : options_(options), run_(std::move(run)), worker_([this] { Work(); }) {}
  ~BatchQueue() { Stop(); }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // All rows or none. With kOk, done is called once, on another thread, unless
  // there are no rows; else (kFull, kStopped) never. Rows that have not been
  // run by the deadline are not run at all.
  BatchStatus Submit(std::vector<Row> rows, Time deadline, Done done) {
    int64_t tokens = 0;
    for (const Row& row : rows) tokens += row.tokens;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) return BatchStatus::kStopped;
      if (load_.tokens + tokens > options_.max_queue_tokens ||
          load_.rows + static_cast<int64_t>(rows.size()) >
              options_.max_queue_rows) {
        return BatchStatus::kFull;
      }
      const auto group = std::make_shared<Group>();
      group->reply.outputs.resize(rows.size());
      group->left = rows.size();
      group->deadline = deadline;
      group->done = std::move(done);
      const Time now = std::chrono::steady_clock::now();
      for (size_t i = 0; i < rows.size(); ++i) {
        queue_.push_back({group, i, std::move(rows[i]), now});
      }
      load_.tokens += tokens;
      load_.rows += static_cast<int64_t>(rows.size());
    }
    changed_.notify_one();
    return BatchStatus::kOk;
  }

  // Whether Submit() would ever take so much.
  bool CanHold(int64_t rows, int64_t tokens) const {
    return rows <= options_.max_queue_rows &&
           tokens <= options_.max_queue_tokens;
  }

  Load load() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return load_;
  }

  // Takes nothing more, runs what is there and ends.
  void Stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (worker_.joinable()) worker_.join();
  }

 private:
  // The rows of one Submit(). Only the worker touches it later.
  struct Group {
    Reply reply;
    size_t left = 0;
    Time deadline;
    Done done;
    bool finished = false;
  };
  struct Entry {
    std::shared_ptr<Group> group;
    size_t index;
    Row row;
    Time arrived;
  };
  using Batch = std::vector<Entry>;

  bool FillsBatch() const {
    return load_.tokens >= options_.max_batch_tokens ||
           load_.rows >= options_.max_batch_rows;
  }

  void Forget(const Entry& entry) {
    load_.tokens -= entry.row.tokens;
    load_.rows -= 1;
  }

  // Takes the rows out that nobody waits for any more.
  std::vector<std::shared_ptr<Group>> TakeExpired() {
    const Time now = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<Group>> expired;
    std::erase_if(queue_, [&](const Entry& entry) {
      Group* group = entry.group.get();
      if (!group->finished && group->deadline <= now) {
        group->finished = true;
        group->reply.status = BatchStatus::kDeadline;
        expired.push_back(entry.group);
      }
      if (group->finished) Forget(entry);
      return group->finished;
    });
    return expired;
  }

  Batch TakeBatch() {
    Batch batch;
    int64_t longest = 0;
    std::erase_if(queue_, [&](Entry& entry) {
      const int64_t rows = static_cast<int64_t>(batch.size()) + 1;
      const int64_t length = std::max(longest, entry.row.tokens);
      const bool fits =
          rows == 1 || (rows <= options_.max_batch_rows &&
                        rows * length <= options_.max_batch_tokens);
      if (!fits) return false;
      longest = length;
      Forget(entry);
      batch.push_back(std::move(entry));
      return true;
    });
    return batch;
  }

  static void Finish(Group* group) {
    group->finished = true;
    // Callbacks free what they hold before the next batch.
    const Done done = std::move(group->done);
    done(std::move(group->reply));
  }

  void RunBatch(Batch batch) {
    std::vector<In> inputs;
    for (Entry& entry : batch) inputs.push_back(std::move(entry.row.input));
    std::vector<Out> outputs;
    std::string error;
    try {
      outputs = run_(inputs);
      if (outputs.size() != inputs.size()) error = "outputs are missing";
    } catch (const std::exception& exception) {
      error = std::string("error: ") + exception.what();
    }
    if (!error.empty() && batch.size() > 1) {
      // One bad row must not be the others' loss.
      for (size_t i = 0; i < batch.size(); ++i) {
        batch[i].row.input = std::move(inputs[i]);
        Batch alone;
        alone.push_back(std::move(batch[i]));
        RunBatch(std::move(alone));
      }
      return;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      Group* group = batch[i].group.get();
      if (group->finished) continue;
      if (error.empty()) {
        group->reply.outputs[batch[i].index] = std::move(outputs[i]);
        if (--group->left == 0) Finish(group);
      } else {
        group->reply.status = BatchStatus::kFailed;
        group->reply.error = error;
        Finish(group);
      }
    }
  }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      changed_.wait_until(lock,
                          queue_.front().arrived + options_.latency_budget,
                          [this] { return stopping_ || FillsBatch(); });
      const auto expired = TakeExpired();
      Batch batch = TakeBatch();
      lock.unlock();
      for (const auto& group : expired) Finish(group.get());
      if (!batch.empty()) RunBatch(std::move(batch));
      lock.lock();
    }
  }

  const BatchOptions options_;
  const Run run_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  Load load_;
  bool stopping_ = false;
  std::thread worker_;  // last: it uses all of the above
};

}  // namespace t2t

#endif  // T2T_SERVE_BATCH_QUEUE_H_
