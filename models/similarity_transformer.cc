// How alike two kinds of texts are (a question and code that answers it, say):
// a Transformer's encoder for each kind makes a vector of a text, and cosines
// of two vectors tell a pair from all others that are in the batch. T2T has it
// without a paper; with its labels the cosines of pairs become the small ones.
// Shapes: B batch, D hidden_size.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>
#include <string>
#include <utility>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/scoped_stacks.h"
#include "t2t/model/autocast.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/model/text_embedder.h"

namespace t2t {
namespace {

constexpr char kName[] = "similarity_transformer";
constexpr int64_t kEnglish = 3;  // T2T's SpaceID.EN_TOK, for both kinds

TransformerConfig ConfigOf(const HParams& hparams) {
  RefuseScheduledSampling(hparams);
  TransformerConfig config = TransformerConfig::FromHParams(hparams);
  // It shows here: the output is averaged over padding, too.
  config.remove_padding = hparams.GetBool("use_pad_remover") &&
                          (config.ffn.type == "dense_relu_dense" ||
                           config.ffn.type == "conv_hidden_relu");
  return config;
}

at::Tensor Normalized(const at::Tensor& x_BD) {
  return x_BD *
         x_BD.square().sum(-1, /*keepdim=*/true).clamp_min(1e-12).rsqrt();
}

class SimilarityTransformer : public Model, public TextEmbedder {
 public:
  SimilarityTransformer(HParams hparams, ProblemInfo info,
                        const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(ConfigOf(hparams_)) {
    RequireInputs(info_, kName);
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    set_precision(config_.sequence.activation_type);
    MakeEndsButTop(root);
    const Scope body = root.Sub("body");
    inputs_.emplace(body.Sub("string_embedding"), config_,
                    config_.sequence.dropout);
    targets_.emplace(body.Sub("code_embedding"), config_,
                     config_.sequence.dropout);
  }

  at::Tensor EmbedTexts(const Features& features, bool as_target) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const at::Tensor& ids = RequiredFeature(features, "inputs");
    return as_target ? Embed(EmbedTargets(ids, context), *targets_, context)
                     : Embed(EmbedInputs(features, context), *inputs_, context);
  }

 protected:
  // The inputs' vectors.
  at::Tensor Body(const Features& features, nn::Context& context) override {
    return Embed(EmbedInputs(features, context), *inputs_, context);
  }
  at::Tensor Top(const at::Tensor& body_output) const override {
    return body_output;
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const at::Tensor inputs_BD = RunBody(features, context).to(at::kFloat);
    at::Tensor targets_BD;
    {
      const Autocast autocast(PrecisionOf(context));
      targets_BD =
          Embed(EmbedTargets(RequiredFeature(features, "targets"), context),
                *targets_, context)
              .to(at::kFloat);
    }
    // Each with each. T2T's "logits" of two classes, and a cross entropy for
    // each class by itself.
    const at::Tensor cosines_BB = at::matmul(inputs_BD, targets_BD.t());
    const at::Tensor logits = at::stack({cosines_BB, 1.0 - cosines_BB}, -1);
    const at::Tensor pairs_BB =
        at::eye(cosines_BB.size(0), cosines_BB.options());
    const at::Tensor labels = at::stack({1.0 - pairs_BB, pairs_BB}, -1);
    LossParts parts;
    parts.numerator = at::binary_cross_entropy_with_logits(logits, labels);
    parts.denominator = at::ones({}, parts.numerator.options());
    return parts;
  }

 private:
  at::Tensor Embed(const at::Tensor& x, const ScopedEncoder& encoder,
                   nn::Context& context) const {
    return Normalized(encoder(AsSequence(x), kEnglish, context).output.mean(1));
  }

  const TransformerConfig config_;
  std::optional<ScopedEncoder> inputs_, targets_;
};

}  // namespace

void RegisterSimilarityTransformer(ModelRegistry& models) {
  AddModel<SimilarityTransformer>(models, kName);
}

}  // namespace t2t
