#ifndef T2T_MODEL_AUTOCAST_H_
#define T2T_MODEL_AUTOCAST_H_

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

namespace t2t {

// While it lives, matrix products of this thread run in `type` (at::kFloat:
// nothing changes).
class Autocast {
 public:
  explicit Autocast(at::ScalarType type);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool active_;
  at::DeviceType device_;
  bool was_enabled_;
  at::ScalarType old_type_;
};

}  // namespace t2t

#endif  // T2T_MODEL_AUTOCAST_H_
