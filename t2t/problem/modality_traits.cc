#include "t2t/problem/modality_traits.h"

#include <map>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

ModalityTraits Symbols(bool plain, bool padding_weighs_nothing) {
  ModalityTraits traits;
  traits.is_symbols = true;
  traits.is_plain_symbols = plain;
  traits.targets_are_ids = true;
  traits.padding_weighs_nothing = padding_weighs_nothing;
  return traits;
}

// Several labels an example, or scores, are no class that an argmax chooses.
ModalityTraits ClassLabel() {
  ModalityTraits traits;
  traits.is_class_label = true;
  traits.targets_are_ids = true;
  return traits;
}

ModalityTraits MultiLabel() {
  ModalityTraits traits;
  traits.padding_weighs_nothing = true;
  return traits;
}

ModalityTraits Absent() {
  ModalityTraits traits;
  traits.is_absent = true;
  return traits;
}

ModalityTraits Image() {
  ModalityTraits traits;
  traits.is_image = true;
  traits.targets_are_ids = true;
  return traits;
}

std::map<std::string, ModalityTraits>& Table() {
  // T2T's names (layers/modalities.py) and weights.
  static auto* const table = new std::map<std::string, ModalityTraits>{
      {"symbol", Symbols(true, true)},
      {"symbol_weights_all", Symbols(true, false)},
      {"symbol_one_hot", Symbols(false, true)},
      {"identity_symbol", Symbols(false, true)},
      {"ctc_symbol", Symbols(false, true)},
      {"class_label", ClassLabel()},
      {"multi_label", MultiLabel()},
      {"one_hot_class_label", {}},
      {"sigmoid_class_label", {}},
      {"sigmoid_max_pooling_class_label", {}},
      {"softmax_average_pooling_class_label", {}},
      {"softmax_last_timestep_class_label", {}},
      {"softmax_max_pooling_class_label", {}},
      {"image", Image()},
      {"image_channel_bottom_identity", {}},
      {"image_channel_compress", {}},
      {"image_channel_embeddings_bottom", {}},
      {"identity", {}},
      {"generic_l2", {}},
      {"real", {}},
      {"real_l2", {}},
      {"real_log_poisson", {}},
      {"audio", Absent()},
      {"audio_spectral", Absent()},
      {"speech_recognition", Absent()},
      {"video", Absent()},
      {"video_bitwise", Absent()},
      {"video_identity", Absent()},
      {"video_l1", Absent()},
      {"video_l1_raw", Absent()},
      {"video_l2", Absent()},
      {"video_l2_raw", Absent()},
      {"video_pixel_noise", Absent()},
  };
  return *table;
}

}  // namespace

const ModalityTraits& TraitsOfModality(const std::string& modality) {
  const auto found = Table().find(modality);
  if (found == Table().end()) {
    throw UsageError("there is no modality '" + modality + "'",
                     DidYouMean(modality, ModalitiesWithTraits()),
                     "one of " + Join(ModalitiesWithTraits(), ", "));
  }
  return found->second;
}

void AddModalityTraits(const std::string& modality,
                       const ModalityTraits& traits) {
  if (Table().emplace(modality, traits).second) return;
  throw UsageError("the modality '" + modality + "' is there already",
                   "a name of its own for each", "rename yours");
}

std::vector<std::string> ModalitiesWithTraits() {
  std::vector<std::string> names;
  for (const auto& [name, traits] : Table()) names.push_back(name);
  return names;
}

}  // namespace t2t
