// Images out of images, larger ones out of small ones, say. Parmar et al. 2018,
// "Image Transformer", arXiv:1802.05751: an encoder over the numbers of one, a
// decoder over those of the other. The block-parallel form predicts several
// numbers from each position: Stern et al. 2018, "Blockwise Parallel Decoding
// for Deep Autoregressive Models", arXiv:1811.03115.
// Shapes: B batch, H height, W width, C channels, S a row's numbers (W * C), D
// hidden_size, L length, M the encoder's length, K block_size.

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/image_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

class Img2ImgTransformer : public Model {
 public:
  Img2ImgTransformer(const HParams& hparams, const ProblemInfo& info,
                     const ParamOptions& params)
      : Img2ImgTransformer("img2img_transformer", hparams, info, params) {
    top_ = Dense(Scope(&params_, "img2img_transformer/body/output_conv",
                       DefaultInitializer(hparams_)),
                 config_.layer.sequence.hidden_size, kLevels);
  }

 protected:
  // top_ is still to be made.
  Img2ImgTransformer(const std::string& name, const HParams& hparams,
                     const ProblemInfo& info, const ParamOptions& params)
      : Model(hparams, info, params),
        config_(ImageConfig::FromHParams(hparams, name)) {
    RefuseScheduledSampling(hparams_);
    const Scope root(&params_, name, DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    const int64_t size = config_.layer.sequence.hidden_size;
    const auto scope_of = [&](const std::string& feature) {
      const auto found = info_.features.find(feature);
      if (found == info_.features.end() || found->second.shape.size() != 3) {
        throw UsageError("problem '" + info_.name + "' has " + feature +
                             " that are no images",
                         "images to images, for the model " + name,
                         "choose another --problem or --model");
      }
      return ImageModalityScope(root, found->second, size);
    };
    inputs_.emplace(scope_of("inputs"), config_.channels, size);
    targets_.emplace(scope_of("targets").Sub("targets_bottom"),
                     config_.channels, size);
    const Scope body = root.Sub("body");
    encoder_.emplace(body, config_);
    decoder_.emplace(body, config_, /*has_memory=*/true);
  }

  // [B, H, W, C, D]; while it decodes, the numbers so far are a sequence: [B,
  // L, D].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets = RequiredFeature(features, "targets");
    const bool sequence = targets.dim() == 2;
    const at::Tensor memory_BMD =
        (*encoder_)((*inputs_)(RequiredFeature(features, "inputs")), context);
    const at::Tensor y_BHSD = (*decoder_)(
        (*targets_)(sequence ? decoder_->AsImage(targets) : targets),
        /*given=*/{}, memory_BMD, context);
    return sequence ? decoder_->InOrder(y_BHSD, targets.size(1))
                    : y_BHSD.unflatten(2, {-1, config_.channels});
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    return top_(body_output);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    return LevelLoss(Top(RunBody(features, context)),
                     RequiredFeature(features, "targets"), info_,
                     Smoothing(context));
  }

  double Smoothing(const nn::Context& context) const {
    return context.training ? hparams_.GetDouble("label_smoothing") : 0.0;
  }

  const ImageConfig config_;
  Dense top_;

 private:
  std::optional<ChannelEmbedding> inputs_, targets_;
  std::optional<ImageEncoder> encoder_;
  std::optional<ImageDecoder> decoder_;
};

// On the decoder stands a feed-forward layer with one output, a head, for each
// of the next block_size numbers. A training step trains one head, drawn for
// each batch, as the paper's and T2T's do; the first head alone is the model
// that evaluation and decoding ask.
class Img2ImgTransformerBlockParallel : public Img2ImgTransformer {
 public:
  Img2ImgTransformerBlockParallel(const HParams& hparams,
                                  const ProblemInfo& info,
                                  const ParamOptions& params)
      : Img2ImgTransformer(kName, hparams, info, params),
        heads_(hparams.GetInt("block_size")) {
    if (heads_ < 1) {
      RefuseImageHParam(hparams, kName, "block_size", "at least 1");
    }
    if (config_.decoder_attention == ImageConfig::Attention::kLocal2d &&
        heads_ > 1) {
      RefuseImageHParam(hparams, kName, "dec_attention_type",
                        "local_1d, with block_size above 1: the next numbers "
                        "are those of a row");
    }
    const int64_t size = config_.layer.sequence.hidden_size;
    const int64_t filter = heads_ * config_.layer.ffn.filter_size;
    const Scope root(&params_, kName, DefaultInitializer(hparams_));
    const Scope own =
        root.Sub("body").Sub("block_size_" + std::to_string(heads_));
    first_ = Dense(own.Sub("conv1"), size, filter);
    second_ = Dense(own.Sub("conv2"), filter, heads_ * size);
    after_.emplace(root.Sub("body"), "layer_postprocess",
                   config_.layer.postprocess);
    top_ = Dense(root.Sub("output_conv"), size, kLevels);
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    return Head(0, features, context);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    const int64_t head = context.training ? at::randint(heads_, {}, context.rng,
                                                        at::dtype(at::kLong))
                                                .item<int64_t>()
                                          : 0;
    at::Tensor logits;
    {
      const Autocast autocast(PrecisionOf(context));
      logits = Top(Head(head, features, context)).to(at::kFloat);
    }
    return LevelLoss(logits, Ahead(RequiredFeature(features, "targets"), head),
                     info_, Smoothing(context));
  }

 private:
  static constexpr char kName[] = "img2img_transformer_block_parallel";

  // What is `count` numbers ahead in an image [B, H, W, C], and 0 beyond it.
  static at::Tensor Ahead(const at::Tensor& image, int64_t count) {
    const at::Tensor flat = image.flatten(1);
    return at::constant_pad_nd(flat, {0, count})
        .narrow(1, count, flat.size(1))
        .reshape(image.sizes());
  }

  at::Tensor Head(int64_t head, const Features& features,
                  nn::Context& context) {
    const at::Tensor x = Img2ImgTransformer::Body(features, context);
    const at::Tensor hidden =
        ReluDropout(first_(x), context.training ? config_.layer.ffn.dropout : 0,
                    context.rng);
    const at::Tensor y =
        second_(hidden).unflatten(-1, {heads_, x.size(-1)}).select(-2, head);
    return (*after_)(x, y, context);
  }

  int64_t heads_;
  Dense first_, second_;
  std::optional<PrePost> after_;
};

}  // namespace

void RegisterImg2ImgTransformer(ModelRegistry& models) {
  AddModel<Img2ImgTransformer>(models, "img2img_transformer");
  AddModel<Img2ImgTransformerBlockParallel>(
      models, "img2img_transformer_block_parallel");
}

}  // namespace t2t
