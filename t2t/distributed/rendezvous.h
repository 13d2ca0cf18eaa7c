#ifndef T2T_DISTRIBUTED_RENDEZVOUS_H_
#define T2T_DISTRIBUTED_RENDEZVOUS_H_

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/distributed/cluster.h"
#include "t2t/distributed/lifeline.h"

namespace t2t {

// Of process_group.cc alone.

// How a job's ranks meet: in c10d's TCPStore at rank 0, which waits until every
// rank has come, and says so to all, or says what is wrong.
class Rendezvous {
 public:
  // How often a wait looks whether a rank is lost.
  static constexpr std::chrono::milliseconds kSlice{250};

  // seconds: that ranks may take to come. silence_seconds: of the lifeline.
  Rendezvous(const Cluster& cluster, double seconds, double silence_seconds);

  void Meet();
  // Where Meet() did not come as far as a lifeline.
  Error MeetingError(const std::string& why) const;

  // Null before the ranks know of each other.
  Lifeline* lifeline() const { return lifeline_.get(); }
  const c10::intrusive_ptr<c10d::Store>& store() const { return store_; }
  // This host's, as rank 0 sees it.
  const std::string& address() const { return address_; }
  // "host a, pid 12", or "" where it is not known.
  std::string NameOf(int64_t rank) const;

  // The time that is left to meet, from now on or as it was started before.
  void RestartClock();
  double Left() const;

  // The store stays until the program ends.
  void Forget() { store_.release(); }

  // make(), which may wait for a rank for long, in a thread of its own: it is
  // left behind where one is lost.
  template <typename F>
  std::invoke_result_t<F> Watched(F make) const {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(make));
    auto result = task.get_future();
    std::thread(std::move(task)).detach();
    while (result.wait_for(kSlice) != std::future_status::ready) {
      if (lifeline_->loss()) throw std::runtime_error("a rank is lost");
    }
    return result.get();
  }

 private:
  std::string Place() const;
  std::string OwnName() const;
  void OpenStore();
  void MeetAsFirst();
  std::string WaitForRanks();
  std::string Verdict() const;
  std::string Missing() const;
  void TakeVerdict(const std::string& verdict);

  const Cluster cluster_;
  const double seconds_;
  const double silence_seconds_;
  double deadline_;
  std::string address_;
  std::vector<std::string> names_;  // by rank
  c10::intrusive_ptr<c10d::Store> store_;
  std::unique_ptr<Lifeline> lifeline_;
};

std::chrono::milliseconds Milliseconds(double seconds);

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_RENDEZVOUS_H_
