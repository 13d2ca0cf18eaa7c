#include "t2t/checkpoint/background.h"

#include <string>
#include <utility>

#include "t2t/base/log.h"

namespace t2t {

BackgroundJob::~BackgroundJob() {
  try {
    Wait();
  } catch (const std::exception& error) {
    Warn(error.what());
  }
}

void BackgroundJob::Start(std::function<void()> job) {
  Wait();
  thread_ = std::thread([this, job = std::move(job)] {
    try {
      job();
    } catch (...) {
      error_ = std::current_exception();
      failed_.store(true);
    }
  });
}

void BackgroundJob::Wait() {
  if (!thread_.joinable()) return;
  thread_.join();
  failed_.store(false);
  if (error_ != nullptr) {
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
}

void BackgroundJob::ThrowIfFailed() {
  if (failed_.load()) Wait();
}

}  // namespace t2t
