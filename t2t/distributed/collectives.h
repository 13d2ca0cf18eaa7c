#ifndef T2T_DISTRIBUTED_COLLECTIVES_H_
#define T2T_DISTRIBUTED_COLLECTIVES_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <vector>

#include "t2t/distributed/busy_clock.h"
#include "t2t/distributed/process_group.h"

namespace t2t {

// Of process_group.cc alone.

struct ProcessGroup::Pending {
  c10::intrusive_ptr<c10d::Work> work;
  std::vector<at::Tensor> tensors;
  bool on_device = false;
};

// c10d's own limit: Wait() has the real ones.
inline constexpr std::chrono::milliseconds kNoLimit =
    std::chrono::hours(24 * 365);

std::string FirstLine(const std::string& text);

// The collectives over c10d's backends: one for tensors of the CPU, one for
// those of a device.
class BackendCollectives : public ProcessGroup {
 public:
  Work StartAllReduce(const at::Tensor& tensor) override;
  Work StartAllGather(const at::Tensor& input,
                      const at::Tensor& output) override;
  Work StartAllToAll(const at::Tensor& input,
                     const std::vector<int64_t>& input_counts,
                     const at::Tensor& output,
                     const std::vector<int64_t>& output_counts) override;
  Work StartBroadcast(const at::Tensor& tensor) override;
  double under_way_seconds() const override;

  // Ends with the error that tells of the rank lost.
  [[noreturn]] virtual void Lost(const std::string& what,
                                 const std::string& why) = 0;

 protected:
  // Their threads may wait for a lost rank for ever.
  void ForgetBackends();

  c10::intrusive_ptr<c10d::Backend> backend_;         // for tensors of the CPU
  c10::intrusive_ptr<c10d::Backend> device_backend_;  // null: no other device
  // Null: others than Gloo do not tell when a collective has ended.
  std::shared_ptr<BusyClock> clock_;

 private:
  c10d::Backend* For(const at::Tensor& tensor) const;
  // Ranks that take different connections would wait for each other.
  void CheckDevices(const std::vector<at::Tensor>& tensors) const;
  Work Keep(const std::function<c10::intrusive_ptr<c10d::Work>()>& start,
            std::vector<at::Tensor> tensors);
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_COLLECTIVES_H_
