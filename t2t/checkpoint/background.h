#ifndef T2T_CHECKPOINT_BACKGROUND_H_
#define T2T_CHECKPOINT_BACKGROUND_H_

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace t2t {

// One job at a time on a thread of its own. All calls come from one thread.
class BackgroundJob {
 public:
  BackgroundJob() = default;
  // Waits; an error that nobody asked for is printed.
  ~BackgroundJob();
  BackgroundJob(const BackgroundJob&) = delete;
  BackgroundJob& operator=(const BackgroundJob&) = delete;

  // Waits for the job before it, as Wait() does.
  void Start(std::function<void()> job);
  // Until no job runs. Throws, once, what the job threw.
  void Wait();
  // As Wait() where the job has failed already; else returns at once.
  void ThrowIfFailed();

 private:
  std::thread thread_;
  std::exception_ptr error_;  // the thread's until it is joined
  std::atomic<bool> failed_{false};
};

}  // namespace t2t

#endif  // T2T_CHECKPOINT_BACKGROUND_H_
