#ifndef T2T_SERVE_BATCH_QUEUE_H_
#define T2T_SERVE_BATCH_QUEUE_H_

#include <algorithm>
#include <atomic>
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
  // It waits no longer than this for one more to come: callers that were
  // answered together ask again together.
  std::chrono::microseconds arrival_gap{1500};
  // Batches that run at the same time. Those that are idle share what waits.
  int64_t lanes = 1;
};

enum class BatchStatus { kOk, kFull, kStopped, kDeadline, kCancelled, kFailed };

// Puts rows of many callers into batches and runs them in the order they came:
// the longest waiting row is always in the next batch, with those behind it
// that fit.
template <typename In, typename Out>
class BatchQueue {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Whether nobody waits for a row of the batch any more: its caller has
  // cancelled it or its deadline is over. Its output counts for nothing then.
  using IsGone = std::function<bool(size_t row)>;
  // One output an input. Where it throws, each row is run again alone, and
  // whose row throws then is told so. Called by all lanes at once.
  using Run =
      std::function<std::vector<Out>(const std::vector<In>&, const IsGone&)>;
  struct Row {
    In input;
    int64_t tokens = 1;
  };
  struct Reply {
    BatchStatus status = BatchStatus::kOk;
    std::vector<Out> outputs;  // one a row
    // What Run threw for each row, "" where nothing; kFailed where that is for
    // all of them.
    std::vector<std::string> errors;
  };
  using Done = std::function<void(Reply)>;
  struct Load {
    int64_t rows = 0;
    int64_t tokens = 0;
  };

  BatchQueue(const BatchOptions& options, Run run)
      : options_(options),
        run_(std::move(run)),
        idle_(std::max<int64_t>(options.lanes, 1)) {
    const int64_t lanes = idle_;
    for (int64_t i = 0; i < lanes; ++i) {
      workers_.emplace_back([this] { Work(); });
    }
  }
  ~BatchQueue() { Stop(); }
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  // All rows or none. With kOk, done is called once, on another thread, unless
  // there are no rows; else (kFull, kStopped) never. From the deadline on, or
  // when *cancelled (may be null) becomes true, the rows are not run any
  // further.
  BatchStatus Submit(
      std::vector<Row> rows, Time deadline, Done done,
      std::shared_ptr<const std::atomic<bool>> cancelled = nullptr) {
    const int64_t count = static_cast<int64_t>(rows.size());
    int64_t tokens = 0;
    for (const Row& row : rows) tokens += row.tokens;
    const auto is_full = [&] {
      return load_.tokens + tokens > options_.max_queue_tokens ||
             load_.rows + count > options_.max_queue_rows;
    };
    std::vector<std::shared_ptr<Group>> gone;
    bool refused = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) return BatchStatus::kStopped;
      if (is_full()) gone = TakeGone();
      refused = is_full();
      if (!refused) Add(std::move(rows), tokens, deadline, done, cancelled);
    }
    for (const auto& group : gone) Answer(group.get());
    if (refused) return BatchStatus::kFull;
    changed_.notify_all();
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
    changed_.notify_all();
    for (std::thread& worker : workers_) {
      if (worker.joinable()) worker.join();
    }
  }

 private:
  // The rows of one Submit(), under the mutex. Who sets finished calls done.
  struct Group {
    Reply reply;
    size_t left = 0;
    Time deadline;
    Done done;
    std::shared_ptr<const std::atomic<bool>> cancelled;
    bool finished = false;
  };
  struct Entry {
    std::shared_ptr<Group> group;
    size_t index;
    Row row;
    Time arrived;
  };
  using Batch = std::vector<Entry>;

  // The mutex is held.
  void Add(std::vector<Row> rows, int64_t tokens, Time deadline, Done done,
           std::shared_ptr<const std::atomic<bool>> cancelled) {
    const auto group = std::make_shared<Group>();
    group->reply.outputs.resize(rows.size());
    group->reply.errors.resize(rows.size());
    group->left = rows.size();
    group->deadline = deadline;
    group->done = std::move(done);
    group->cancelled = std::move(cancelled);
    const Time now = std::chrono::steady_clock::now();
    load_.tokens += tokens;
    load_.rows += static_cast<int64_t>(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      queue_.push_back({group, i, std::move(rows[i]), now});
    }
  }

  bool FillsBatch() const {
    return load_.tokens >= options_.max_batch_tokens ||
           load_.rows >= options_.max_batch_rows;
  }

  void Forget(const Entry& entry) {
    load_.tokens -= entry.row.tokens;
    load_.rows -= 1;
  }

  // Ends a group that nobody waits for any more; the mutex is held.
  static bool EndIfGone(Group* group, Time now) {
    if (group->finished) return false;
    if (group->cancelled != nullptr && *group->cancelled) {
      group->reply.status = BatchStatus::kCancelled;
    } else if (group->deadline <= now) {
      group->reply.status = BatchStatus::kDeadline;
    } else {
      return false;
    }
    group->finished = true;
    return true;
  }

  // Takes the rows out that nobody waits for any more.
  std::vector<std::shared_ptr<Group>> TakeGone() {
    const Time now = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<Group>> gone;
    std::erase_if(queue_, [&](const Entry& entry) {
      if (EndIfGone(entry.group.get(), now)) gone.push_back(entry.group);
      if (entry.group->finished) Forget(entry);
      return entry.group->finished;
    });
    return gone;
  }

  Batch TakeBatch() {
    Batch batch;
    int64_t longest = 0;
    const int64_t share = (load_.rows + idle_ - 1) / idle_;
    const int64_t most_rows = std::min(options_.max_batch_rows, share);
    std::erase_if(queue_, [&](Entry& entry) {
      const int64_t rows = static_cast<int64_t>(batch.size()) + 1;
      const int64_t length = std::max(longest, entry.row.tokens);
      const bool fits =
          rows == 1 ||
          (rows <= most_rows && rows * length <= options_.max_batch_tokens);
      if (!fits) return false;
      longest = length;
      Forget(entry);
      batch.push_back(std::move(entry));
      return true;
    });
    return batch;
  }

  // Says it to the caller of a finished group.
  static void Answer(Group* group) {
    // Callbacks free what they hold before the next batch.
    const Done done = std::move(group->done);
    done(std::move(group->reply));
  }

  bool CheckGone(Group* group) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (group->finished) return true;
      if (!EndIfGone(group, std::chrono::steady_clock::now())) return false;
    }
    Answer(group);
    return true;
  }

  // Whether the group has come to its end by this.
  bool TakeOutput(const Entry& entry, const std::string& error,
                  std::vector<Out>* outputs, size_t i) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Group* group = entry.group.get();
    if (group->finished) return false;
    Reply& reply = group->reply;
    reply.errors[entry.index] = error;
    if (error.empty()) reply.outputs[entry.index] = std::move((*outputs)[i]);
    group->finished = --group->left == 0;
    if (group->finished &&
        std::none_of(reply.errors.begin(), reply.errors.end(),
                     [](const std::string& e) { return e.empty(); })) {
      reply.status = BatchStatus::kFailed;
    }
    return group->finished;
  }

  void RunBatch(Batch batch) {
    std::vector<In> inputs;
    for (Entry& entry : batch) inputs.push_back(std::move(entry.row.input));
    std::vector<Out> outputs;
    std::string error;
    try {
      outputs = run_(inputs, [&](size_t row) {
        return CheckGone(batch[row].group.get());
      });
      if (outputs.size() != inputs.size()) error = "outputs are missing";
    } catch (const std::exception& exception) {
      error = std::string("error: ") + exception.what();
    }
    if (!error.empty() && batch.size() > 1) {
      // One bad row must not be the others' loss.
      for (size_t i = 0; i < batch.size(); ++i) {
        if (CheckGone(batch[i].group.get())) continue;
        batch[i].row.input = std::move(inputs[i]);
        Batch alone;
        alone.push_back(std::move(batch[i]));
        RunBatch(std::move(alone));
      }
      return;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      if (TakeOutput(batch[i], error, &outputs, i)) {
        Answer(batch[i].group.get());
      }
    }
  }

  void WaitForOthers(std::unique_lock<std::mutex>* lock) {
    while (!stopping_ && !queue_.empty() && !FillsBatch()) {
      const Time until =
          std::min(queue_.front().arrived + options_.latency_budget,
                   queue_.back().arrived + options_.arrival_gap);
      if (changed_.wait_until(*lock, until) == std::cv_status::timeout &&
          std::chrono::steady_clock::now() >= until) {
        return;
      }
    }
  }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      WaitForOthers(&lock);
      const auto gone = TakeGone();
      Batch batch = TakeBatch();
      --idle_;
      lock.unlock();
      for (const auto& group : gone) Answer(group.get());
      if (!batch.empty()) RunBatch(std::move(batch));
      lock.lock();
      ++idle_;
    }
  }

  const BatchOptions options_;
  const Run run_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  Load load_;
  int64_t idle_;  // lanes without a batch
  bool stopping_ = false;
  std::vector<std::thread> workers_;  // last: they use all of the above
};

}  // namespace t2t

#endif  // T2T_SERVE_BATCH_QUEUE_H_
