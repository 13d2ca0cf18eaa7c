#ifndef T2T_PROBLEM_REGISTRIES_H_
#define T2T_PROBLEM_REGISTRIES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "t2t/base/registry.h"
#include "t2t/hparams/hparams.h"
#include "t2t/hparams/ranges.h"
#include "t2t/problem/problem.h"

// Everything that a user picks by name, and the one door by which built-in
// families and plug-ins bring it: a function Register...(registry), called at
// start-up. Torch-free: what stands for tensors is declared only, so that
// programs look names up before LibTorch is loaded.

namespace t2t {

class Modality;
class Model;
class Optimizer;
class Scope;
struct ModalitySpec;
struct NamedTensor;
struct ParamOptions;  // t2t/nn/params.h; a seed alone is one

using ModelFactory = std::unique_ptr<Model>(const HParams&, const ProblemInfo&,
                                            const ParamOptions&);
using ModelRegistry = Registry<ModelFactory>;

using OptimizerFactory = std::unique_ptr<Optimizer>(const HParams&,
                                                    std::vector<NamedTensor>);
using OptimizerRegistry = Registry<OptimizerFactory>;

// See t2t/modality/modality_base.h.
using ModalityFactory = std::unique_ptr<Modality>(const Scope& scope,
                                                  const ModalitySpec& spec);
using ModalityRegistry = Registry<ModalityFactory>;

struct Registries {
  ProblemRegistry& problems;
  ModelRegistry& models;
  HParamsRegistry& hparams_sets;
  HParamsRangeRegistry& hparams_ranges;
  ModalityRegistry& modalities;  // besides T2T's own
  OptimizerRegistry& optimizers;

  // Ends the registration.
  void Freeze() const;
};

// Those of the process.
ModelRegistry& Models();
ModalityRegistry& PluginModalities();
OptimizerRegistry& Optimizers();
Registries AllRegistries();

}  // namespace t2t

#endif  // T2T_PROBLEM_REGISTRIES_H_
