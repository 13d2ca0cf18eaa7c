// Images out of images, larger ones out of small ones, say. Parmar et al. 2018,
// "Image Transformer", arXiv:1802.05751: an encoder over the numbers of one, a
// decoder over those of the other. The block-parallel form predicts several
// numbers from each position: Stern et al. 2018, "Blockwise Parallel Decoding
// for Deep Autoregressive Models", arXiv:1811.03115.
// Shapes: B batch, H height, W width, C channels, S a row's numbers (W * C), D
// hidden_size, L length, M the encoder's length, K block_size.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/image_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/block_proposer.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/ops/device.h"
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
    const at::Tensor memory_BMD = Encode(features, context);
    return targets.dim() == 2 ? DecodeSequence(targets, memory_BMD, context)
                              : Decode(targets, memory_BMD, context)
                                    .unflatten(2, {-1, config_.channels});
  }

  at::Tensor Encode(const Features& features, nn::Context& context) const {
    return (*encoder_)((*inputs_)(RequiredFeature(features, "inputs")),
                       context);
  }

  // Numbers in the order in which they are decoded, [B, L] -> [B, L, D].
  at::Tensor DecodeSequence(const at::Tensor& ids_BL,
                            const at::Tensor& memory_BMD,
                            nn::Context& context) const {
    return decoder_->InOrder(
        Decode(decoder_->AsImage(ids_BL), memory_BMD, context), ids_BL.size(1));
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
  // [B, H, W, C] -> [B, H, S, D].
  at::Tensor Decode(const at::Tensor& image, const at::Tensor& memory_BMD,
                    nn::Context& context) const {
    return (*decoder_)((*targets_)(image), /*given=*/{}, memory_BMD, context);
  }

  std::optional<ChannelEmbedding> inputs_, targets_;
  std::optional<ImageEncoder> encoder_;
  std::optional<ImageDecoder> decoder_;
};

// What was decoded so far. Rows keep as many numbers as were right, so that
// they differ in length.
class NumbersState : public DecodeState {
 public:
  explicit NumbersState(at::Tensor memory)
      : memory_BMD(std::move(memory)),
        numbers(static_cast<size_t>(memory_BMD.size(0))) {}

  void Select(const at::Tensor& rows) override {
    memory_BMD = memory_BMD.index_select(0, rows.to(memory_BMD.device()));
    if (output_RND.defined()) {
      output_RND = output_RND.index_select(0, rows.to(output_RND.device()));
    }
    std::vector<std::vector<int64_t>> old = std::move(numbers);
    numbers.clear();
    for (const int64_t row :
         std::vector<int64_t>(rows.const_data_ptr<int64_t>(),
                              rows.const_data_ptr<int64_t>() + rows.numel())) {
      numbers.push_back(old[static_cast<size_t>(row)]);
    }
  }

  at::Tensor memory_BMD;
  std::vector<std::vector<int64_t>> numbers;  // of each row
  at::Tensor output_RND;  // of the decoder, behind what was fed last
};

// On the decoder stands a feed-forward layer with one output, a head, for each
// of the next block_size numbers. A training step trains one head, drawn for
// each batch, as the paper's and T2T's do; the first head alone is the model
// that evaluation asks, and by which blockwise decoding
// (t2t/decode/blockwise_search.h) checks what the others guess. Each of its
// steps runs the decoder over all numbers so far, so that as many steps are
// spared as guesses are right.
class Img2ImgTransformerBlockParallel : public Img2ImgTransformer,
                                        public BlockProposer {
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

  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    Features here = features;
    for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
    return std::make_unique<NumbersState>(Encode(here, context));
  }

  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    return VerifyStep(state, ids.defined() ? ids.view({-1, 1}) : ids)
        .squeeze(1);
  }

  int64_t block_size() const override { return heads_; }

  void CheckCanPropose() const override {}

  at::Tensor VerifyStep(DecodeState* state, const at::Tensor& ids) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    auto* const own = static_cast<NumbersState*>(state);
    const int64_t fed = ids.defined() ? ids.size(1) : 0;
    size_t longest = 0;
    for (size_t r = 0; r < own->numbers.size(); ++r) {
      const at::Tensor row =
          ids.defined() ? ids[static_cast<int64_t>(r)].to(at::kCPU).contiguous()
                        : at::Tensor();
      if (row.defined()) {
        own->numbers[r].insert(own->numbers[r].end(),
                               row.const_data_ptr<int64_t>(),
                               row.const_data_ptr<int64_t>() + fed);
      }
      longest = std::max(longest, own->numbers[r].size());
    }
    // And the position behind the last number.
    const auto rows = static_cast<int64_t>(own->numbers.size());
    const at::Tensor ids_RL =
        at::zeros({rows, static_cast<int64_t>(longest) + 1}, at::kLong);
    // Of each row the positions behind what was fed; the first step's is the
    // start.
    const int64_t positions = std::max<int64_t>(fed, 1);
    const at::Tensor behind_RN = at::empty({rows, positions}, at::kLong);
    for (int64_t r = 0; r < rows; ++r) {
      const auto& numbers = own->numbers[static_cast<size_t>(r)];
      const auto length = static_cast<int64_t>(numbers.size());
      if (length > 0) ids_RL[r].narrow(0, 0, length).copy_(at::tensor(numbers));
      behind_RN[r].copy_(at::arange(length - positions + 1, length + 1));
    }
    const at::Tensor y_RLD =
        DecodeSequence(ids_RL.to(ComputeDevice()), own->memory_BMD, context);
    own->output_RND =
        y_RLD.gather(1, behind_RN.to(y_RLD.device())
                            .unsqueeze(2)
                            .expand({rows, positions, y_RLD.size(2)}));
    return Top(HeadOf(0, own->output_RND, context)).to(at::kFloat);
  }

  at::Tensor Propose(DecodeState* state,
                     const std::vector<int64_t>& counts) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    auto* const own = static_cast<NumbersState*>(state);
    const int64_t fed = own->output_RND.size(1);
    std::vector<at::Tensor> base, guesses;
    for (size_t r = 0; r < counts.size(); ++r) {
      // The start is no number, and always right.
      std::vector<int64_t>& numbers = own->numbers[r];
      if (!numbers.empty()) {
        numbers.resize(numbers.size() - static_cast<size_t>(fed - counts[r]));
      }
      base.push_back(own->output_RND[static_cast<int64_t>(r)][counts[r] - 1]);
    }
    const at::Tensor base_RD = at::stack(base);
    for (int64_t head = 1; head < heads_; ++head) {
      guesses.push_back(HeadOf(head, base_RD, context));
    }
    if (guesses.empty()) return base_RD.new_empty({base_RD.size(0), 0, 0});
    return Top(at::stack(guesses, 1)).to(at::kFloat);
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
    return HeadOf(head, Img2ImgTransformer::Body(features, context), context);
  }

  // x [.., D].
  at::Tensor HeadOf(int64_t head, const at::Tensor& x,
                    nn::Context& context) const {
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
