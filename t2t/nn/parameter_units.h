#ifndef T2T_NN_PARAMETER_UNITS_H_
#define T2T_NN_PARAMETER_UNITS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace t2t {

// Who brings and takes away the memory of a model's parameters while it
// computes (ZeRO stage 3). A unit is a scope ("transformer/body/encoder/
// layer_0") whose parameters are used between its Enter and its Leave alone, in
// the forward and in the backward pass.
class ParameterUnits {
 public:
  virtual ~ParameterUnits() = default;

  // While it lives, models of this thread tell these units (null: none) where
  // they are.
  class Use {
   public:
    explicit Use(ParameterUnits* units);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    ParameterUnits* const outer_;
  };
  // This thread's; null: all parameters are there all the time.
  static ParameterUnits* Current();

  // x, the unit's input and its output, through which the backward pass leaves
  // and enters it.
  virtual at::Tensor Enter(const std::string& unit, const at::Tensor& x) = 0;
  virtual at::Tensor Leave(const std::string& unit, const at::Tensor& x) = 0;
  // at::cat() of parameters of the unit that is entered.
  virtual at::Tensor Join(const std::vector<at::Tensor>& parameters,
                          int64_t dim) = 0;
};

// For models; without ParameterUnits they cost nothing.
at::Tensor EnterUnit(const std::string& unit, const at::Tensor& x);
at::Tensor LeaveUnit(const std::string& unit, const at::Tensor& x);
// at::cat(), but that the copy's memory goes and comes with the parameters'.
at::Tensor JoinParameters(const std::vector<at::Tensor>& parameters,
                          int64_t dim);

// A model that enters and leaves units.
class ModelWithUnits {
 public:
  // In the order in which the forward pass enters them.
  virtual std::vector<std::string> UnitNames() const = 0;

 protected:
  ~ModelWithUnits() = default;
};

// What makes the initial value of a parameter, on the CPU.
using DrawParameter = std::function<at::Tensor()>;

// While it lives, models made by this thread have trainable parameters without
// values and without memory.
class AbsentParameters {
 public:
  AbsentParameters();
  ~AbsentParameters();
  AbsentParameters(const AbsentParameters&) = delete;
  AbsentParameters& operator=(const AbsentParameters&) = delete;

  // Null where parameters are made as usual.
  static AbsentParameters* Current();

  // By the parameter's name.
  const std::map<std::string, DrawParameter>& draws() const { return draws_; }
  void Add(const std::string& name, DrawParameter draw) {
    draws_[name] = std::move(draw);
  }

 private:
  AbsentParameters* const outer_;
  std::map<std::string, DrawParameter> draws_;
};

}  // namespace t2t

#endif  // T2T_NN_PARAMETER_UNITS_H_
