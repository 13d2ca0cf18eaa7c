#ifndef T2T_BIN_COMMON_TORCH_NAMES_H_
#define T2T_BIN_COMMON_TORCH_NAMES_H_

namespace t2t {

// Registers what users pick by name and is made of tensors: models and
// optimizers.
void RegisterTorchNames();

}  // namespace t2t

#endif  // T2T_BIN_COMMON_TORCH_NAMES_H_
