#include "t2t/hparams/without_effect.h"

#include <algorithm>

#include "t2t/base/settings.h"

namespace t2t {
namespace {

std::string Note(const WithoutEffectRow& row, const std::string& name,
                 const HParams& hparams) {
  std::string text = "hparam " + name + "=" +
                     HParams::ValueToString(hparams.Get(name)) +
                     " has no effect: ";
  if (row.because_of != nullptr && hparams.Has(row.because_of)) {
    text += std::string(row.because_of) + "=" +
            HParams::ValueToString(hparams.Get(row.because_of)) + " ";
  }
  text += row.reason;
  if (row.instead[0] != '\0') text += "; " + std::string(row.instead);
  return text;
}

}  // namespace

std::vector<std::string> NotesOnHParams(const HParams& hparams,
                                        const std::string& given,
                                        const HParamsUse& use) {
  std::vector<std::string> notes;
  for (const Setting& setting : SplitSettings(given)) {
    const std::string& name = setting.name;
    if (!hparams.Has(name)) continue;
    for (const WithoutEffectRow& row : WithoutEffectRows()) {
      const bool about =
          std::any_of(row.names.begin(), row.names.end(),
                      [&](const char* one) { return name == one; });
      if (!about || !row.off(hparams, use)) continue;
      notes.push_back(Note(row, name, hparams));
      break;
    }
  }
  return notes;
}

}  // namespace t2t
