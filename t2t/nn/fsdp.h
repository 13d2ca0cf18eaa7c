#ifndef T2T_NN_FSDP_H_
#define T2T_NN_FSDP_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

namespace t2t {

// What fully sharded data parallelism (ZeRO stage 3) asks of layers: to say
// where an FSDP unit begins and ends, so that its parameters can be gathered
// before it and their memory freed after it. A unit is a scope
// ("transformer/body/encoder/layer_0") whose parameters are used between its
// Enter and its Leave alone, in the forward and in the backward pass.
// t2t/parallel implements it; a ParamStore says which one, if any, there is.
class FsdpHooks {
 public:
  virtual ~FsdpHooks() = default;

  // x, the unit's input and its output, through which the backward pass leaves
  // and enters it.
  virtual at::Tensor Enter(const std::string& unit, const at::Tensor& x) = 0;
  virtual at::Tensor Leave(const std::string& unit, const at::Tensor& x) = 0;
  // at::cat() of parameters of the unit that is entered; the copy's memory is
  // freed and made again with the parameters'.
  virtual at::Tensor Join(const std::vector<at::Tensor>& parameters,
                          int64_t dim) = 0;
};

}  // namespace t2t

#endif  // T2T_NN_FSDP_H_
