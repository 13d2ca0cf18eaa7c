// A Transformer that predicts a block of symbols from each position. Stern,
// Shazeer and Uszkoreit 2018, "Blockwise Parallel Decoding for Deep
// Autoregressive Models", arXiv:1811.03115.
// On the decoder stands a feed-forward layer with one output, a head, for each
// of the next block_size symbols. The first head's model is the Transformer
// that the others' guesses are checked by, so that blockwise decoding
// (t2t/decode/blockwise_search.h) finds what greedy decoding finds. A training
// step trains one head, drawn for each batch, as the paper's and T2T's do.
// Shapes: B batch, L length, D hidden_size, F filter_size, K block_size, R
// rows, N positions of a step, V vocabulary.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/transformer.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/autocast.h"
#include "t2t/model/block_proposer.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr char kName[] = "transformer_block_parallel";

int64_t BlockSizeOf(const HParams& hparams) {
  const int64_t size = IntOr(hparams, "block_size", 0);
  if (size >= 1) return size;
  throw UsageError(
      "block_size=" + std::to_string(size) + " with the model " + kName,
      "how many symbols it predicts at once, 1 at least",
      "take a set that has it (transformer_base_bs4), or set "
      "--hparams=block_size=4");
}

// The symbols that stand `count` later, and padding at the end.
at::Tensor ShiftLeft(const at::Tensor& ids_BL, int64_t count) {
  return at::constant_pad_nd(ids_BL, {0, count})
      .narrow(1, count, ids_BL.size(1));
}

class TransformerBlockParallel : public Transformer, public BlockProposer {
 public:
  TransformerBlockParallel(HParams hparams, ProblemInfo info,
                           const ParamOptions& params)
      : Transformer(kName, TransformerConfig::FromHParams(hparams), hparams,
                    std::move(info), params),
        block_size_(BlockSizeOf(hparams_)) {
    RefuseScheduledSampling(hparams_);
    const Scope body(&params_, "transformer_block_parallel/body",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(body);
    const int64_t size = config().sequence.hidden_size;
    const int64_t filter = block_size_ * config().ffn.filter_size;
    const Scope own = body.Sub("block_size_" + std::to_string(block_size_));
    first_ = Dense(own.Sub("conv1"), size, filter);
    const Scope second = own.Sub("conv2");
    kernel_ = second.Param("kernel", {filter, block_size_ * size});
    bias_ = second.Param("bias", {block_size_ * size}, ZerosInit());
    after_.emplace(body, "layer_postprocess", config().postprocess);
  }

  // By the first head.
  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    return Symbols(Head(StepOutput(state, ids, context), 0, context))
        .squeeze(1);
  }

  int64_t block_size() const override { return block_size_; }

  void CheckCanPropose() const override {
    if (CanStepInBlocks() && LayersCanBeRagged()) return;
    throw UsageError(
        "blockwise decoding of a decoder whose layers see more of other "
        "positions than attention does",
        "pos=timing, emb or none, no proximity_bias, "
        "self_attention_type=dot_product, ffn_layer=dense_relu_dense, and no "
        "dropout_broadcast_dims",
        "decode with --decode_hparams=beam_size=1,block_size=1");
  }

  at::Tensor VerifyStep(DecodeState* state, const at::Tensor& ids) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    return Symbols(Head(BlockOutput(state, ids, context), 0, context));
  }

  at::Tensor Propose(DecodeState* state,
                     const std::vector<int64_t>& counts) override {
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    const at::Tensor base_RD =
        static_cast<CachedDecodeState*>(state)->Keep(counts);
    if (block_size_ == 1) return base_RD.new_empty({base_RD.size(0), 0, 0});
    return Symbols(Heads(base_RD, 1, block_size_ - 1, context));
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    return BodyOf(0, features, context);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    // Over whole rows: training without padding knows no heads.
    if (!context.training) return Model::TargetLoss(features, context);
    const int64_t head =
        at::randint(block_size_, {}, context.rng, at::dtype(at::kLong))
            .item<int64_t>();
    at::Tensor body_BLD;
    {
      const Autocast autocast(PrecisionOf(context));
      body_BLD = BodyOf(head, features, context);
    }
    return target_modality().Loss(
        body_BLD.to(at::kFloat),
        ShiftLeft(RequiredFeature(features, "targets"), head), {},
        Mode::kTrain);
  }

 private:
  at::Tensor BodyOf(int64_t head, const Features& features,
                    nn::Context& context) const {
    const Encoded encoded = EncodeInputs(features, context);
    const at::Tensor targets_BLD =
        EmbedTargets(RequiredFeature(features, "targets"), context);
    return Head(DecodeTargets(targets_BLD, encoded, features, context), head,
                context);
  }

  // base [.., D], the decoder's output -> [.., count, D]: for the symbols that
  // stand `first` places after the next one, and behind.
  at::Tensor Heads(const at::Tensor& base, int64_t first, int64_t count,
                   nn::Context& context) const {
    const FfnOptions& ffn = config().ffn;
    at::Tensor hidden = first_(base);
    if (context.training && ffn.dropout_broadcast_dims.empty()) {
      hidden = ReluDropout(hidden, ffn.dropout, context.rng);
    } else {
      hidden = at::relu(hidden);
      if (context.training) {
        hidden = Dropout(hidden, ffn.dropout, context.rng,
                         ffn.dropout_broadcast_dims);
      }
    }
    const int64_t size = base.size(-1);
    const at::Tensor y =
        at::linear(hidden, kernel_.narrow(1, first * size, count * size).t(),
                   bias_.narrow(0, first * size, count * size));
    return (*after_)(base.unsqueeze(-2), y.unflatten(-1, {count, size}),
                     context);
  }

  at::Tensor Head(const at::Tensor& base, int64_t head,
                  nn::Context& context) const {
    return Heads(base, head, 1, context).squeeze(-2);
  }

  at::Tensor Symbols(const at::Tensor& x) const {
    return target_modality().Top(x).to(at::kFloat);
  }

  const int64_t block_size_;
  Dense first_;               // [D, K * F]
  at::Tensor kernel_, bias_;  // [K * F, K * D], [K * D]
  std::optional<PrePost> after_;
};

}  // namespace

void RegisterTransformerBlockParallel(ModelRegistry& models) {
  AddModel<TransformerBlockParallel>(models, kName);
}

}  // namespace t2t
