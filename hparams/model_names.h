#ifndef HPARAMS_MODEL_NAMES_H_
#define HPARAMS_MODEL_NAMES_H_

#include <string>

namespace t2t {

// Whether a model can be made is known without LibTorch: it is in the catalogue
// and here, or a plug-in has registered it. Throws a usage error with
// did-you-mean where there is none of that name.
void CheckModelName(const std::string& name);

}  // namespace t2t

#endif  // HPARAMS_MODEL_NAMES_H_
