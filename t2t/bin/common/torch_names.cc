#include "t2t/bin/common/torch_names.h"

#include "models/all_models.h"
#include "t2t/optim/optimizer.h"

namespace t2t {

void RegisterTorchNames() {
  RegisterAllModels(Models());
  RegisterOptimizers(Optimizers());
}

}  // namespace t2t
