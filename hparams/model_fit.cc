#include "hparams/model_fit.h"

#include <cstddef>

#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// What a feature is made of.
enum class Content { kNothing, kText, kLabel, kPixels, kOther };

struct MadeFor {
  const char* model;
  Content inputs;
  Content targets;
  // What else it would fail on. Others only do worse.
  bool needs_inputs = false;
  bool needs_targets = false;
};

constexpr Content kText = Content::kText;
constexpr Content kLabel = Content::kLabel;
constexpr Content kPixels = Content::kPixels;

// The most used first.
constexpr MadeFor kMadeFor[] = {
    {"transformer", kText, kText},
    {"universal_transformer", kText, kText},
    {"evolved_transformer", kText, kText},
    {"lstm_seq2seq_attention_bidirectional_encoder", kText, kText},
    {"transformer", Content::kNothing, kText},
    {"attention_lm", Content::kNothing, kText},
    {"transformer_memory", Content::kNothing, kText},
    {"transformer_encoder", kText, kLabel},
    {"universal_transformer_encoder", kText, kLabel},
    {"text_cnn", kText, kLabel},
    {"lstm_encoder", kText, kLabel},
    {"resnet", kPixels, kLabel, true},
    {"shake_shake", kPixels, kLabel, true},
    {"xception", kPixels, kLabel, true},
    {"revnet", kPixels, kLabel, true},
    {"mtf_res_net", kPixels, kLabel, true},
    {"transformer_sketch", kPixels, kText, true},
    {"imagetransformer", kLabel, kPixels, false, true},
    {"imagetransformer2d", kLabel, kPixels, false, true},
    {"imagetransformer_moe", kLabel, kPixels, false, true},
    {"mtf_image_transformer", kLabel, kPixels, false, true},
    {"img2img_transformer", kPixels, kPixels, true, true},
    {"img2img_transformer_block_parallel", kPixels, kPixels, true, true},
};

Content ContentOf(const Problem& problem, const std::string& name) {
  const auto found = problem.features.find(name);
  if (found == problem.features.end() || found->second.in_shards_only) {
    return Content::kNothing;
  }
  const FeatureSpec& feature = found->second;
  if (feature.vocabulary.kind == Vocabulary::Kind::kPixels) return kPixels;
  const ModalityTraits& traits = TraitsOfModality(feature.modality);
  if (traits.is_image) return kPixels;
  if (traits.is_class_label) return kLabel;
  return traits.is_symbols ? kText : Content::kOther;
}

const char* TextOf(Content content) {
  switch (content) {
    case Content::kNothing:
      return "nothing";
    case Content::kText:
      return "text";
    case Content::kLabel:
      return "labels";
    case Content::kPixels:
      return "images";
    case Content::kOther:
      return "numbers";
  }
  return "";
}

void CheckFeature(const std::string& model, const Problem& problem,
                  const std::string& feature, Content needed) {
  const Content content = ContentOf(problem, feature);
  if (content == needed) return;
  const std::vector<std::string> fitting = ModelsFor(problem);
  throw UsageError(
      "the model " + model + " needs " + feature + " that are " +
          TextOf(needed) + ", and those of problem '" + problem.name +
          "' are " + TextOf(content),
      "a model for it" + (fitting.empty() ? "" : ", as " + Join(fitting, ", ")),
      "choose another --model or --problem (--registry_help lists them)");
}

}  // namespace

void CheckModelFits(const std::string& model, const Problem& problem) {
  for (const MadeFor& row : kMadeFor) {
    if (model != row.model) continue;
    if (row.needs_inputs) CheckFeature(model, problem, "inputs", row.inputs);
    if (row.needs_targets) CheckFeature(model, problem, "targets", row.targets);
  }
}

std::vector<std::string> ModelsFor(const Problem& problem) {
  const Content inputs = ContentOf(problem, "inputs");
  const Content targets = ContentOf(problem, "targets");
  std::vector<std::string> models;
  for (const MadeFor& row : kMadeFor) {
    const CatalogueModel* const model = FindCatalogueModel(row.model);
    if (row.inputs == inputs && row.targets == targets && model != nullptr &&
        model->here) {
      models.emplace_back(row.model);
    }
  }
  return models;
}

}  // namespace t2t
