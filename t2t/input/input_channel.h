#ifndef T2T_INPUT_INPUT_CHANNEL_H_
#define T2T_INPUT_INPUT_CHANNEL_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <utility>

namespace t2t {

// A bounded queue from one thread to another that also carries the end and
// the error that ended it.
template <typename T>
class Channel {
 public:
  explicit Channel(size_t capacity) : capacity_(capacity) {}

  // Waits for room. False: cancelled, stop.
  bool WaitForSpace() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return cancelled_ || items_.size() < capacity_; });
    return !cancelled_;
  }

  bool Push(T item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return cancelled_ || items_.size() < capacity_; });
    if (cancelled_) return false;
    items_.push_back(std::move(item));
    changed_.notify_all();
    return true;
  }

  // No more items come; error may be null.
  void Finish(std::exception_ptr error) {
    std::lock_guard lock(mutex_);
    finished_ = true;
    error_ = std::move(error);
    changed_.notify_all();
  }

  // False at the end. Throws the error given to Finish() once the items before
  // it are taken.
  bool Pop(T* item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return cancelled_ || finished_ || !items_.empty(); });
    if (cancelled_) return false;
    if (items_.empty()) {
      if (error_ != nullptr) std::rethrow_exception(error_);
      return false;
    }
    *item = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return true;
  }

  // Makes both sides stop.
  void Cancel() {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    items_.clear();
    changed_.notify_all();
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
  std::exception_ptr error_;
  bool finished_ = false;
  bool cancelled_ = false;
};

}  // namespace t2t

#endif  // T2T_INPUT_INPUT_CHANNEL_H_
