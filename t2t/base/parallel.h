#ifndef T2T_BASE_PARALLEL_H_
#define T2T_BASE_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace t2t {

// 0: one thread a core.
inline int NumThreads(int threads) {
  if (threads > 0) return threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// work(i, thread) for each i < count, on at most `threads` threads. The first
// exception is thrown again here, after all threads have ended.
template <typename Work>
void ParallelFor(size_t count, int threads, const Work& work) {
  std::atomic<size_t> next{0};
  std::exception_ptr error;
  std::mutex mutex;
  const auto run = [&](int thread) {
    try {
      for (size_t i; (i = next.fetch_add(1)) < count;) work(i, thread);
    } catch (...) {
      next = count;
      const std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  const int helpers =
      static_cast<int>(std::min<size_t>(NumThreads(threads), count)) - 1;
  std::vector<std::thread> pool;
  try {
    for (int thread = 1; thread <= helpers; ++thread) {
      pool.emplace_back(run, thread);
    }
  } catch (const std::system_error&) {
    // No more threads can be had: those there are do the work.
  }
  run(0);
  for (std::thread& thread : pool) thread.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace t2t

#endif  // T2T_BASE_PARALLEL_H_
