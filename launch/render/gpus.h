#ifndef T2T_LAUNCH_RENDER_GPUS_H_
#define T2T_LAUNCH_RENDER_GPUS_H_

#include <string>
#include <vector>

namespace t2t {

// What estimates go by: the makers' figures, without sparsity.
struct Gpu {
  const char* name;
  double half_flops;   // bfloat16 or float16, a second
  double float_flops;  // float32
  double memory;       // bytes
};

const std::vector<Gpu>& Gpus();
// Null where there is none of that name.
const Gpu* FindGpu(const std::string& name);
// Their names, "" (none) first: what a parameter can be.
std::vector<std::string> GpuTypes();

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_GPUS_H_
