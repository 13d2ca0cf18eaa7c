#include "t2t/nn/parameter_units.h"

namespace t2t {
namespace {

thread_local ParameterUnits* current = nullptr;
thread_local AbsentParameters* absent = nullptr;

}  // namespace

ParameterUnits::Use::Use(ParameterUnits* units) : outer_(current) {
  current = units;
}
ParameterUnits::Use::~Use() { current = outer_; }

ParameterUnits* ParameterUnits::Current() { return current; }

at::Tensor EnterUnit(const std::string& unit, const at::Tensor& x) {
  return current == nullptr ? x : current->Enter(unit, x);
}

at::Tensor LeaveUnit(const std::string& unit, const at::Tensor& x) {
  return current == nullptr ? x : current->Leave(unit, x);
}

at::Tensor JoinParameters(const std::vector<at::Tensor>& parameters,
                          int64_t dim) {
  return current == nullptr ? at::cat(parameters, dim)
                            : current->Join(parameters, dim);
}

AbsentParameters::AbsentParameters() : outer_(absent) { absent = this; }
AbsentParameters::~AbsentParameters() { absent = outer_; }

AbsentParameters* AbsentParameters::Current() { return absent; }

}  // namespace t2t
