#ifndef T2T_PROBLEM_MODALITY_TRAITS_H_
#define T2T_PROBLEM_MODALITY_TRAITS_H_

#include <string>
#include <vector>

namespace t2t {

// What programs must know of a modality without making one: how its feature is
// batched, weighed, shown and decoded. (What it computes is in t2t/modality.)
struct ModalityTraits {
  // A sequence of ids of a vocabulary: batch_size counts its tokens.
  bool is_symbols = false;
  // Those that an embedding takes as ids and a softmax gives: text that can be
  // encoded, searched for and, for scheduled sampling, drawn.
  bool is_plain_symbols = false;
  // One id an example, chosen among classes: decoded by an argmax.
  bool is_class_label = false;
  // Pixels: nothing that can be read from a line of text or shown as one.
  bool is_image = false;
  // Targets are ids, so that T2T's metrics on ids can be computed.
  bool targets_are_ids = false;
  // Id 0 weighs nothing (T2T's weights_nonzero).
  bool padding_weighs_nothing = false;
  // Nothing computes it: T2T's of audio, speech and video are names alone.
  bool is_absent = false;
};

// Of T2T's modalities and of those that a plug-in has added. Throws a usage
// error, with did-you-mean, where there is no such modality.
const ModalityTraits& TraitsOfModality(const std::string& modality);

// For a modality of one's own. Throws where the name is taken.
void AddModalityTraits(const std::string& modality,
                       const ModalityTraits& traits);

std::vector<std::string> ModalitiesWithTraits();  // sorted

}  // namespace t2t

#endif  // T2T_PROBLEM_MODALITY_TRAITS_H_
