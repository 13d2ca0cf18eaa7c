#ifndef T2T_NN_PARAMS_H_
#define T2T_NN_PARAMS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace t2t {

class FsdpHooks;
class Int8Weights;
class TensorParallel;

// Fills a new parameter: (seed, shape) -> fp32 CPU tensor.
using Initializer =
    std::function<at::Tensor(uint64_t seed, at::IntArrayRef shape)>;

Initializer ZerosInit();
Initializer OnesInit();
Initializer ConstantInit(double value);
Initializer NormalInit(double mean, double stddev);
Initializer UniformInit(double low, double high);
// TF's variance_scaling(scale, mode, distribution); fan computed as TF does.
Initializer VarianceScalingInit(double scale, const std::string& mode,
                                const std::string& distribution);
Initializer OrthogonalInit(double gain);

// Inputs and outputs of one unit of a parameter of this shape, as TF counts.
struct Fans {
  double in;
  double out;
};
Fans FansOf(at::IntArrayRef shape);

// What makes the initial value of a parameter, on the CPU.
using DrawParameter = std::function<at::Tensor()>;

// How a model's parameters are made and stored. Whoever makes a model decides
// it; the model's own code is the same for all.
struct ParamOptions {
  // A seed alone: every parameter whole, with its initial value.
  ParamOptions(uint64_t seed_of_values) : seed(seed_of_values) {}

  uint64_t seed = 0;
  // Trainable parameters are meta tensors: they have shapes, but neither values
  // nor memory until somebody gives them some (t2t/ops/tensor_memory.h).
  bool meta = false;
  // What shards the parameters by tensor parallelism; outlives the model.
  // Null: they are whole.
  TensorParallel* tensor_parallel = nullptr;
};

// A model's parameters by name, in order of creation. Names are T2T's
// variable names ("transformer/body/encoder/layer_0/self_attention/
// multihead_attention/q/kernel"). A parameter's initial value depends only on
// the store's seed and its name.
//
// Layers also ask it, by their scope, how parameters lie: it is settled once,
// when the model is made or loaded, for all of the model's layers.
class ParamStore {
 public:
  explicit ParamStore(const ParamOptions& options) : options_(options) {}

  // ParamOptions' tensor_parallel.
  TensorParallel* tensor_parallel() const { return options_.tensor_parallel; }
  // The int8 copies that matrix products use in place of the parameters, for
  // inference; null: there are none.
  Int8Weights* int8() const { return int8_; }
  // weights outlive the use of the model.
  void set_int8(Int8Weights* weights) { int8_ = weights; }
  // Where the parameters of FSDP units come and go while the model computes;
  // null: all are there all the time.
  FsdpHooks* fsdp() const { return fsdp_; }
  // hooks outlive the use of the model.
  void set_fsdp(FsdpHooks* hooks) { fsdp_ = hooks; }
  // The scopes that can be FSDP units, in the order in which the forward pass
  // enters them. Blocks add their own.
  const std::vector<std::string>& fsdp_units() const { return fsdp_units_; }
  void AddFsdpUnit(const std::string& scope) { fsdp_units_.push_back(scope); }
  // at::cat() of parameters that one layer uses together.
  at::Tensor Join(const std::vector<at::Tensor>& parameters, int64_t dim) const;

  // Makes a leaf that requires a gradient; the same name again returns the
  // same tensor (the shape must agree).
  at::Tensor Create(const std::string& name, at::IntArrayRef shape,
                    const Initializer& init);
  // As Create, but not trained (no gradient); saved in checkpoints too.
  at::Tensor CreateBuffer(const std::string& name, at::IntArrayRef shape,
                          const Initializer& init);

  // Takes a parameter of another model, which is part of this store's, under a
  // name of its own: they are one tensor. trainable: false for one that is not
  // to be trained here.
  void Adopt(const std::string& name, const ParamStore& other,
             const std::string& their_name, bool trainable);

  bool Has(const std::string& name) const { return index_.count(name) > 0; }
  at::Tensor Get(const std::string& name) const;  // throws where absent

  struct Entry {
    std::string name;
    at::Tensor tensor;
    bool trainable;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<at::Tensor> Trainable() const;
  int64_t NumParameters() const;  // trainable scalars
  // Of meta tensors: what makes their initial values, by name.
  const std::map<std::string, DrawParameter>& draws() const { return draws_; }

 private:
  at::Tensor Add(const std::string& name, at::IntArrayRef shape,
                 const Initializer& init, bool trainable);

  const ParamOptions options_;
  Int8Weights* int8_ = nullptr;
  FsdpHooks* fsdp_ = nullptr;
  std::vector<std::string> fsdp_units_;
  std::map<std::string, DrawParameter> draws_;
  std::vector<Entry> entries_;
  std::map<std::string, size_t> index_;
};

// A name prefix in a store and the default initializer, handed down a model's
// constructors.
class Scope {
 public:
  Scope(ParamStore* store, std::string prefix, Initializer init)
      : store_(store), prefix_(std::move(prefix)), init_(std::move(init)) {}

  Scope Sub(const std::string& name) const {
    return Scope(store_, prefix_.empty() ? name : prefix_ + "/" + name, init_);
  }
  at::Tensor Param(const std::string& name, at::IntArrayRef shape) const {
    return Param(name, shape, init_);
  }
  at::Tensor Param(const std::string& name, at::IntArrayRef shape,
                   const Initializer& init) const {
    return store_->Create(prefix_.empty() ? name : prefix_ + "/" + name, shape,
                          init);
  }
  const Initializer& init() const { return init_; }
  const std::string& prefix() const { return prefix_; }
  ParamStore* store() const { return store_; }
  // Null: the model is whole.
  TensorParallel* tensor_parallel() const { return store_->tensor_parallel(); }

 private:
  ParamStore* store_;
  std::string prefix_;
  Initializer init_;
};

}  // namespace t2t

#endif  // T2T_NN_PARAMS_H_
