#ifndef T2T_BIN_COMMON_NAMES_H_
#define T2T_BIN_COMMON_NAMES_H_

#include <string>

#include "t2t/base/flags.h"

namespace t2t {

// Registers what users pick by name and LibTorch is not needed for: problems,
// hparams sets and ranges. Models and optimizers come with LibTorch
// (torch_half.h).
void RegisterNames();

// What every program has that looks names up.
struct NameFlags {
  std::string t2t_usr_dir;

  void AddTo(Flags* flags);
  // RegisterNames(), and what the plug-in in --t2t_usr_dir brings.
  void Register() const;
};

}  // namespace t2t

#endif  // T2T_BIN_COMMON_NAMES_H_
