#ifndef T2T_BIN_COMMON_NAMES_H_
#define T2T_BIN_COMMON_NAMES_H_

namespace t2t {

// Registers what users pick by name and LibTorch is not needed for: problems,
// hparams sets and ranges. First of all in a program's main.
void RegisterNames();

}  // namespace t2t

#endif  // T2T_BIN_COMMON_NAMES_H_
