#include "t2t/modality/modality.h"

#include <functional>
#include <map>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/values_or.h"
#include "t2t/modality/modality_base.h"
#include "t2t/problem/registries.h"

namespace t2t {
namespace {

// The scope of a modality's variables; {} stands for "<vocab>_<hidden>".
struct Kind {
  const char* scope;
  std::unique_ptr<Modality> (*make)(const Scope&, ModalitySpec);
};

const std::map<std::string, Kind>& Kinds() {
  static const auto* const kinds = new std::map<std::string, Kind>{
      {"symbol", {"symbol_modality_{}", MakeSymbol}},
      {"symbol_weights_all", {"symbol_modality_{}", MakeSymbol}},
      {"ctc_symbol", {"symbol_modality_{}", MakeCtcSymbol}},
      {"symbol_one_hot", {"symbol_modality_{}", MakeSymbolOneHot}},
      {"identity_symbol", {"symbol_modality_{}", MakeIdentity}},
      {"identity", {"identity_modality", MakeIdentity}},
      {"generic_l2", {"generic_l2_loss_modality", MakeIdentity}},
      {"class_label", {"class_label_modality_{}", MakeClassLabel}},
      {"multi_label", {"class_label_modality_{}", MakeClassLabel}},
      {"one_hot_class_label", {"class_label_modality_{}", MakeClassLabel}},
      {"sigmoid_class_label",
       {"sigmoid_class_symbol_modality_{}", MakeClassLabel}},
      {"sigmoid_max_pooling_class_label",
       {"sigmoid_max_pooling_class_symbol_modality_{}", MakeClassLabel}},
      {"softmax_average_pooling_class_label",
       {"softmax_average_pooling_onehot_class_label_modality_{}",
        MakeClassLabel}},
      {"softmax_last_timestep_class_label",
       {"softmax_last_timestep_onehot_class_label_modality_{}",
        MakeClassLabel}},
      {"softmax_max_pooling_class_label",
       {"softmax_max_pooling_onehot_class_label_modality_{}", MakeClassLabel}},
      {"image", {"image_modality", MakeImage}},
      {"image_channel_bottom_identity",
       {"image_channel_bottom_identity_modality", MakeImageChannelIdentity}},
      {"image_channel_compress",
       {"image_channel_compress_modality", MakeImageChannelCompress}},
      {"image_channel_embeddings_bottom",
       {"image_channel_embeddings_bottom", MakeImageChannelEmbeddings}},
      {"real", {"real_modality", MakeReal}},
      {"real_l2", {"real_l2_loss_modality", MakeReal}},
      {"real_log_poisson", {"real_log_poisson_loss_modality", MakeReal}},
  };
  return *kinds;
}

int64_t RoundUp(int64_t size, int64_t divisor) {
  return divisor > 1 ? (size + divisor - 1) / divisor * divisor : size;
}

template <typename T>
T ValueOr(const HParams& hparams, const std::string& name, T otherwise,
          T (HParams::*get)(const std::string&) const) {
  return hparams.Has(name) ? (hparams.*get)(name) : otherwise;
}

int64_t VocabSize(const FeatureInfo& feature, const HParams& hparams) {
  return RoundUp(feature.vocab_size, ValueOr<int64_t>(hparams, "vocab_divisor",
                                                      1, &HParams::GetInt));
}

std::unique_ptr<Modality> Make(const Scope& scope, const FeatureInfo& feature,
                               const HParams& hparams, Side side,
                               int64_t body_size, double loss_multiplier,
                               bool unshare, bool has_top = true,
                               const std::string& under = "") {
  const auto found = Kinds().find(feature.modality);
  const bool built_in = found != Kinds().end();
  if (!built_in && !PluginModalities().Has(feature.modality)) {
    throw UsageError("modality '" + feature.modality + "' is not supported",
                     Join(SupportedModalities(), ", "));
  }
  ModalitySpec spec;
  spec.name = feature.modality;
  spec.side = side;
  spec.has_top = has_top;
  spec.vocab_size = VocabSize(feature, hparams);
  spec.hidden_size = hparams.GetInt("hidden_size");
  spec.body_size = body_size > 0 ? body_size : spec.hidden_size;
  spec.scope_name = ReplaceAll(
      built_in ? found->second.scope : feature.modality + "_{}", "{}",
      std::to_string(spec.vocab_size) + "_" + std::to_string(spec.hidden_size));
  if (feature.shape.size() == 3) spec.num_channels = feature.shape[2];
  spec.label_smoothing = hparams.GetDouble("label_smoothing");
  spec.symbol_dropout = hparams.GetDouble("symbol_dropout");
  spec.scale_embedding =
      hparams.GetString("multiply_embedding_mode") == "sqrt_depth";
  spec.share_softmax =
      !unshare && hparams.GetBool("shared_embedding_and_softmax_weights");
  spec.share_embedding =
      spec.share_softmax ||
      ValueOr<bool>(hparams, "shared_embedding", false, &HParams::GetBool);
  spec.prepend_mode = hparams.GetString("prepend_mode");
  spec.layer_preprocess_sequence = StringOr(
      hparams, "layer_preprocess_sequence", spec.layer_preprocess_sequence);
  spec.norm_type = StringOr(hparams, "norm_type", spec.norm_type);
  spec.norm_epsilon = DoubleOr(hparams, "norm_epsilon", spec.norm_epsilon);
  spec.loss_multiplier = loss_multiplier;
  if (spec.vocab_size <= 0 && built_in && found->second.make != MakeIdentity) {
    throw MismatchError(
        "a feature of modality '" + feature.modality +
            "' has a vocabulary of " + std::to_string(feature.vocab_size),
        "at least one symbol", "check the problem's vocabulary in --data_dir");
  }
  if (!under.empty()) spec.scope_name += "/" + under;
  const Scope own = scope.Sub(spec.scope_name);
  if (!built_in) return PluginModalities().Get(spec.name)(own, spec);
  return found->second.make(own, std::move(spec));
}

// T2T: where a problem has several features that are targets, the scope of each
// has its name.
bool HasSeveralTargets(const ProblemInfo& info) {
  int count = 0;
  for (const auto& [name, feature] : info.features) {
    count += name.find("target") != std::string::npos &&
                     name != "targets_segmentation" &&
                     name != "targets_position"
                 ? 1
                 : 0;
  }
  return count > 1;
}

}  // namespace

std::vector<std::string> SupportedModalities() {
  std::vector<std::string> names;
  for (const auto& [name, kind] : Kinds()) names.push_back(name);
  for (const std::string& name : PluginModalities().Names()) {
    names.push_back(name);
  }
  return names;
}

void CheckPluginModalities() {
  for (const std::string& name : PluginModalities().Names()) {
    if (Kinds().count(name) == 0) continue;
    throw UsageError("modality '" + name + "' of a plug-in is T2T's own",
                     "a name of its own", "rename it");
  }
}

std::unique_ptr<Modality> MakeModality(const Scope& scope,
                                       const FeatureInfo& feature,
                                       const HParams& hparams, Side side,
                                       int64_t body_size,
                                       double loss_multiplier) {
  return Make(scope, feature, hparams, side, body_size, loss_multiplier, false);
}

Modalities MakeModalities(const Scope& scope, const ProblemInfo& info,
                          const HParams& hparams, int64_t body_size,
                          bool has_top) {
  const auto targets = info.features.find("targets");
  if (targets == info.features.end()) {
    throw Error(ExitCode::kInternal,
                "problem '" + info.name + "' has no feature 'targets'");
  }
  const auto inputs = info.features.find("inputs");
  const bool has_inputs = inputs != info.features.end();
  // T2T: a table can't be shared by two vocabularies.
  const bool unshare =
      has_inputs && VocabSize(inputs->second, hparams) > 0 &&
      VocabSize(targets->second, hparams) > 0 &&
      VocabSize(inputs->second, hparams) != VocabSize(targets->second, hparams);
  Modalities made;
  if (has_inputs) {
    made.inputs =
        Make(scope, inputs->second, hparams, Side::kInputs, 0, 1.0, unshare);
  }
  made.targets = Make(scope, targets->second, hparams, Side::kTargets,
                      body_size, info.loss_multiplier, unshare, has_top,
                      HasSeveralTargets(info) ? "targets" : "");
  return made;
}

}  // namespace t2t
