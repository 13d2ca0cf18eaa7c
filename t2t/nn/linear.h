#ifndef T2T_NN_LINEAR_H_
#define T2T_NN_LINEAR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace t2t {

// Weights of matrix products as int8 with a scale for each output, for
// inference: FBGEMM multiplies them with inputs that are made int8 row by row,
// so that a row's result does not depend on the others. Made when a weight is
// first used; may be used by several threads at once.
class Int8Weights {
 public:
  Int8Weights();
  ~Int8Weights();
  Int8Weights(const Int8Weights&) = delete;
  Int8Weights& operator=(const Int8Weights&) = delete;

  // Whether this machine's LibTorch can do it.
  static bool IsAvailable();

  // x [..., in] times weight [out, in].
  at::Tensor Multiply(const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias);

  int64_t count() const;
  // Frees a parameter's own numbers, if it is kept as int8; returns how many
  // bytes those were. It can't be used in any other way after.
  int64_t Free(const at::Tensor& parameter);

 private:
  struct Packed;

  Packed* Find(const at::Tensor& weight);

  mutable std::mutex mutex_;
  // By the storage, which views share.
  std::map<const void*, std::unique_ptr<Packed>> packed_;
};

// x [..., in] times kernel [in, out], plus bias [out] where it is defined.
// int8: what holds the kernel as int8, or null.
at::Tensor Linear(const at::Tensor& x, const at::Tensor& kernel,
                  const at::Tensor& bias = {}, Int8Weights* int8 = nullptr);
// x [..., in] times the transpose of rows [out, in].
at::Tensor LinearRows(const at::Tensor& x, const at::Tensor& rows,
                      Int8Weights* int8 = nullptr);

}  // namespace t2t

#endif  // T2T_NN_LINEAR_H_
