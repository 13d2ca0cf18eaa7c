#include "t2t/model/autocast.h"

#include <ATen/autocast_mode.h>

#include "t2t/ops/device.h"

namespace t2t {

Autocast::Autocast(at::ScalarType type)
    : active_(type != at::kFloat),
      device_(ComputeDevice().type()),
      was_enabled_(at::autocast::is_autocast_enabled(device_)),
      old_type_(at::autocast::get_autocast_dtype(device_)) {
  if (!active_) return;
  at::autocast::increment_nesting();
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, type);
}

Autocast::~Autocast() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, old_type_);
}

}  // namespace t2t
