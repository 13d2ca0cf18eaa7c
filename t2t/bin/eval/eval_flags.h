#ifndef T2T_BIN_EVAL_EVAL_FLAGS_H_
#define T2T_BIN_EVAL_EVAL_FLAGS_H_

#include <cstdint>

#include "t2t/base/flags.h"
#include "t2t/decode/load_options.h"

namespace t2t {

// t2t-eval's flags.
struct EvalFlags {
  LoadModelOptions load;
  int64_t eval_steps = 100;
  bool eval_use_test_set = false;
  int64_t eval_timeout_mins = 0;
  int64_t random_seed = 1234;
  int64_t threads = 0;
  bool json = false;

  void AddTo(Flags* flags);
  void Check() const;
};

}  // namespace t2t

#endif  // T2T_BIN_EVAL_EVAL_FLAGS_H_
