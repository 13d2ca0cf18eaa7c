#include "hparams/model_names.h"

#include <vector>

#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/registries.h"

namespace t2t {

void CheckModelName(const std::string& name) {
  if (Models().Has(name)) return;
  std::vector<std::string> names = Models().Names();
  const CatalogueModel* const model = FindCatalogueModel(name);
  if (model != nullptr && model->here) return;
  for (const std::string& here : ModelsHere()) names.push_back(here);
  throw UsageError(
      model == nullptr ? "there is no model '" + name + "'"
                       : "the model '" + name + "' is not here yet",
      DidYouMean(name, names), "t2t-trainer --registry_help lists them all");
}

}  // namespace t2t
