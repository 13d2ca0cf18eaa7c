// Transformers on a mesh of devices. Shazeer et al. 2018, "Mesh-TensorFlow:
// Deep Learning for Supercomputers", arXiv:1811.02084: T2T's mtf_transformer,
// and the second edition of it as one stack (mtf_unitransformer) and as encoder
// and decoder (mtf_bitransformer). In T2T mesh_shape and layout of the hparams
// say how many devices there are and what is split; here --mesh_shape and
// --layout do, and without them the same sets train on one.
// Differs from T2T: its loss is a mean over max_length positions, padding too
// (here: over what is no padding); mixtures of experts and denoising are not
// here.
// Shapes: B batch, L length, M inputs' length, D d_model, V vocabulary.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/mesh_stacks.h"
#include "t2t/base/error.h"
#include "t2t/model/autocast.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/nn/attention_bias.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"
#include "t2t/parallel/vocab_parallel.h"

namespace t2t {
namespace {

// What was decoded so far, step by step.
class MeshDecodeState : public DecodeState {
 public:
  MeshDecodeState(int64_t rows, at::Tensor memory, at::Tensor bias)
      : cache(rows, std::move(memory), std::move(bias)) {}

  void Select(const at::Tensor& rows) override { cache.Select(rows); }

  nn::StepCache cache;
};

class MeshTransformer : public Model {
 public:
  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    if (!decoder_.CanStep()) return Model::StartDecoding(features);
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    const int64_t rows =
        RequiredFeature(features, encoder_ ? "inputs" : "targets").size(0);
    if (!encoder_) {
      return std::make_unique<MeshDecodeState>(rows, at::Tensor(),
                                               at::Tensor());
    }
    Features here = features;
    here["inputs"] = features.at("inputs").to(ComputeDevice());
    auto [memory, bias] = Encode(here, context);
    return std::make_unique<MeshDecodeState>(rows, memory, bias);
  }

  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    if (!decoder_.CanStep()) return Model::DecodeStep(state, ids);
    const at::NoGradGuard no_grad;
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    nn::StepCache& cache = static_cast<MeshDecodeState*>(state)->cache;
    // What stands before the first is padding's.
    const at::Tensor last_R1 =
        ids.defined() ? Before(ids.view({-1, 1}).to(ComputeDevice()))
                      : at::zeros({cache.rows(), 1}, OnDevice(at::kLong));
    const at::Tensor x =
        Embed(targets_VD_, last_R1) +
        PositionalEmbedding(target_positions_, 1, cache.position());
    nn::Pass pass(&context, &cache, cache.position(), at::Tensor());
    const at::Tensor y = decoder_(x, pass);
    cache.Advance();
    return Top(y).to(at::kFloat).squeeze(1);
  }

 protected:
  MeshTransformer(const std::string& name, Edition edition, HParams hparams,
                  ProblemInfo info, const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        edition_(edition),
        config_(MeshConfigOf(hparams_, edition)),
        root_(&params_, "transformer", DefaultInitializer(hparams_)) {
    RefuseScheduledSampling(hparams_);
    set_precision(ActivationTypeOf());
    TensorParallel* const parallel = root_.tensor_parallel();
    if (parallel != nullptr) {
      if (parallel->layout().length || parallel->layout().experts) {
        throw UsageError(
            "--layout with length or experts with the model " + name,
            "vocab:model, d_ff:model and heads:model", "change --layout");
      }
      if (parallel->layout().vocab) vocab_parallel_ = parallel;
    }
  }

  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets_BL = RequiredFeature(features, "targets");
    nn::WholeRows rows;
    rows.length = targets_BL.size(1);
    rows.bias = BiasLowerTriangle(rows.length).to(targets_BL.device());
    const auto segments = features.find("targets_segmentation");
    if (segments != features.end()) {
      rows.bias =
          rows.bias + BiasSameSegment(segments->second, segments->second);
    }
    if (encoder_) {
      std::tie(rows.memory_BMD, rows.memory_bias) = Encode(features, context);
    }
    const at::Tensor before_BL = Before(
        at::constant_pad_nd(targets_BL, {1, 0}).narrow(1, 0, rows.length));
    const at::Tensor x = Start(targets_VD_, target_positions_, before_BL,
                               features, "targets_position", context);
    nn::Pass pass(&context, /*causal=*/true, &rows);
    return decoder_(x, pass);
  }

  at::Tensor Top(const at::Tensor& body_output) const override {
    at::Tensor x = body_output;
    if (config_.shares_softmax) {
      x = x / std::sqrt(static_cast<double>(config_.size));
    }
    const at::Tensor kernel_DV =
        (softmax_DV_.defined() ? softmax_DV_ : softmax_VD_.t())
            .to(x.scalar_type());
    if (vocab_parallel_ == nullptr) return at::matmul(x, kernel_DV);
    const at::Tensor own = at::matmul(vocab_parallel_->CopyIn(x), kernel_DV);
    return vocab_parallel_->Gather(own.to(at::kFloat), own.dim() - 1,
                                   target_ids_);
  }

  LossParts TargetLoss(const Features& features,
                       nn::Context& context) override {
    at::Tensor logits = Logits(features, context);
    // Against bfloat16's rounding, by the paper's authors.
    if (context.training && edition_ == Edition::kFirst) {
      logits = logits * (0.99 + 0.02 * nn::UniformLike(logits, context));
    }
    const at::Tensor& targets_BL = RequiredFeature(features, "targets");
    const at::Tensor normaliser = logits.logsumexp(-1);
    const at::Tensor of_target =
        logits.gather(-1, targets_BL.unsqueeze(-1)).squeeze(-1);
    const double smoothing = context.training ? config_.label_smoothing : 0.0;
    const at::Tensor losses = normaliser - (1 - smoothing) * of_target -
                              smoothing * logits.mean(-1) +
                              config_.z_loss * normaliser.square();
    const at::Tensor weights = targets_BL.ne(0).to(at::kFloat);
    LossParts parts;
    parts.numerator = (losses * weights).sum();
    parts.denominator = weights.sum();
    return parts;
  }

  int64_t VocabularyOf(const std::string& feature) const {
    const int64_t divisor = hparams_.GetInt("vocab_divisor");
    const int64_t size = info_.features.at(feature).vocab_size;
    return (size + divisor - 1) / divisor * divisor;
  }

  // A table of vectors of ids; split with vocab:model.
  at::Tensor Table(const Scope& scope, const std::string& name, int64_t ids,
                   double stddev) const {
    const std::vector<int64_t> shape = {ids, config_.size};
    const Initializer init = NormalInit(0.0, stddev);
    return vocab_parallel_ == nullptr
               ? scope.Param(name, shape, init)
               : vocab_parallel_->Param(scope, name, {shape, 0, 1}, init);
  }
  // Mesh TensorFlow's is a dense layer's kernel, [D, V].
  at::Tensor SoftmaxKernel(const Scope& scope) const {
    const std::vector<int64_t> shape = {config_.size, target_ids_};
    const Scope own = scope.Sub("logits");
    const Initializer init =
        NormalInit(0.0, 1.0 / std::sqrt(static_cast<double>(config_.size)));
    return vocab_parallel_ == nullptr
               ? own.Param("kernel", shape, init)
               : vocab_parallel_->Param(own, "kernel", {shape, 1, 1}, init);
  }
  at::Tensor PositionTable(const Scope& scope) const {
    return scope.Param("positional_embedding",
                       {config_.max_length, config_.size},
                       NormalInit(0.0, 1.0));
  }

  const MeshConfig& config() const { return config_; }
  const Scope& root() const { return root_; }

  // Made by a family's constructor.
  std::optional<MeshStack> encoder_;
  MeshStack decoder_;
  at::Tensor inputs_VD_, targets_VD_;
  at::Tensor softmax_VD_, softmax_DV_;  // one of them
  at::Tensor input_positions_, target_positions_;
  int64_t target_ids_ = 0;

 private:
  at::ScalarType ActivationTypeOf() const {
    const std::string type = hparams_.GetString("activation_dtype");
    if (type == "bfloat16") return at::kBFloat16;
    if (type == "float16") return at::kHalf;
    return at::kFloat;
  }

  // What follows an end is a beginning: the second edition's rule for packed
  // texts.
  at::Tensor Before(const at::Tensor& ids) const {
    return edition_ == Edition::kFirst ? ids : ids.masked_fill(ids.eq(1), 0);
  }

  at::Tensor Embed(const at::Tensor& table, const at::Tensor& ids) const {
    const int64_t count = table.data_ptr() == targets_VD_.data_ptr()
                              ? target_ids_
                              : VocabularyOf("inputs");
    if (ids.numel() > 0 && ids.device().is_cpu() &&
        ids.max().item<int64_t>() >= count) {
      throw MismatchError("there is a symbol of id " +
                              std::to_string(ids.max().item<int64_t>()),
                          "from 0 to " + std::to_string(count - 1) +
                              ", by the vocabulary's size",
                          "check that data and vocabulary are of the same "
                          "--problem and --data_dir");
    }
    return vocab_parallel_ == nullptr
               ? at::embedding(table, ids)
               : VocabParallelEmbedding(*vocab_parallel_, table,
                                        vocab_parallel_->Own(count), ids);
  }

  // ids with their positions and dropout.
  at::Tensor Start(const at::Tensor& table, const at::Tensor& positions,
                   const at::Tensor& ids, const Features& features,
                   const char* position_feature,
                   const nn::Context& context) const {
    const auto given = features.find(position_feature);
    const at::Tensor at_positions =
        given != features.end() && !config_.global_positions
            ? at::embedding(positions,
                            given->second.clamp_max(positions.size(0) - 1))
            : PositionalEmbedding(positions, ids.size(1));
    return MeshDropout(Embed(table, ids) + at_positions, config_.dropout,
                       context);
  }

  // The encoder's output and what the decoder may see of it.
  std::pair<at::Tensor, at::Tensor> Encode(const Features& features,
                                           nn::Context& context) const {
    const at::Tensor inputs_BM = RequiredFeature(features, "inputs").flatten(1);
    nn::WholeRows rows;
    rows.length = inputs_BM.size(1);
    rows.bias = BiasIgnorePadding(inputs_BM.eq(0).to(at::kFloat));
    at::Tensor memory_bias = rows.bias;
    const auto segments = features.find("inputs_segmentation");
    if (segments != features.end()) {
      rows.bias = BiasSameSegment(segments->second, segments->second);
      memory_bias = BiasSameSegment(
          RequiredFeature(features, "targets_segmentation"), segments->second);
    }
    nn::Pass pass(&context, /*causal=*/false, &rows);
    const at::Tensor x = Start(inputs_VD_, input_positions_, inputs_BM,
                               features, "inputs_position", context);
    return {(*encoder_)(x, pass), memory_bias};
  }

  const Edition edition_;
  const MeshConfig config_;
  const Scope root_;
  TensorParallel* vocab_parallel_ = nullptr;  // null: tables are whole
};

void RequireNoInputs(const ProblemInfo& info, const std::string& name) {
  if (!info.has_inputs()) return;
  throw UsageError("problem '" + info.name + "' has inputs",
                   "one of targets alone, for " + name,
                   "choose another --problem or --model");
}

class MtfTransformer : public MeshTransformer {
 public:
  MtfTransformer(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : MeshTransformer("mtf_transformer", Edition::kFirst, std::move(hparams),
                        std::move(info), params) {
    const std::string type = hparams_.GetString("transformer_type");
    if (type != "encdec" && type != "decoder") {
      throw UsageError("transformer_type=" + type + " is not here",
                       "encdec or decoder",
                       "change --hparams=transformer_type=...");
    }
    if (hparams_.GetString("decoder_type") != "autoregressive") {
      throw UsageError(
          "decoder_type=" + hparams_.GetString("decoder_type") + " is not here",
          "autoregressive", "set --hparams=decoder_type=autoregressive");
    }
    const bool has_encoder = type == "encdec";
    if (has_encoder) {
      RequireInputs(info_, "mtf_transformer with transformer_type=encdec");
    } else {
      RequireNoInputs(info_, "mtf_transformer with transformer_type=decoder");
    }
    target_ids_ = VocabularyOf("targets");
    targets_VD_ = Table(root(), "targets_embedding", target_ids_, 1.0);
    if (has_encoder) {
      const bool shared =
          config().shares_embedding && VocabularyOf("inputs") == target_ids_;
      inputs_VD_ = shared ? targets_VD_
                          : Table(root(), "inputs_embedding",
                                  VocabularyOf("inputs"), 1.0);
    }
    softmax_VD_ =
        config().shares_softmax
            ? targets_VD_
            : Table(root(), "softmax", target_ids_,
                    1.0 / std::sqrt(static_cast<double>(config().size)));
    input_positions_ = target_positions_ = PositionTable(root());
    if (has_encoder) encoder_ = Stack("encoder");
    decoder_ = Stack("decoder");
  }

 private:
  MeshStack Stack(const std::string& side) const {
    const std::vector<std::string> once = hparams_.GetStrings(side + "_layers");
    std::vector<std::string> layers;
    const int64_t times = hparams_.GetInt(side + "_replicate_factor");
    for (int64_t i = 0; i < times; ++i) {
      layers.insert(layers.end(), once.begin(), once.end());
    }
    return FirstMeshStack(root().Sub(side), config(), side + "_layers", layers,
                          hparams_.GetInt("num_heads"));
  }
};

class MtfUnitransformer : public MeshTransformer {
 public:
  MtfUnitransformer(HParams hparams, ProblemInfo info,
                    const ParamOptions& params)
      : MeshTransformer("mtf_unitransformer", Edition::kSecond,
                        std::move(hparams), std::move(info), params) {
    if (!hparams_.GetBool("autoregressive")) {
      throw UsageError("autoregressive=False is not here",
                       "a model that predicts the next token",
                       "set --hparams=autoregressive=True");
    }
    RequireNoInputs(info_, "the model mtf_unitransformer");
    target_ids_ = VocabularyOf("targets");
    targets_VD_ = Table(root(), "embedding", target_ids_, 1.0);
    target_positions_ = PositionTable(root());
    decoder_ = SecondMeshStack(root(), config(), hparams_, "");
    if (config().shares_softmax) {
      softmax_VD_ = targets_VD_;
    } else {
      softmax_DV_ = SoftmaxKernel(root());
    }
  }
};

class MtfBitransformer : public MeshTransformer {
 public:
  MtfBitransformer(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : MeshTransformer("mtf_bitransformer", Edition::kSecond,
                        std::move(hparams), std::move(info), params) {
    RequireInputs(info_, "mtf_bitransformer");
    const Scope encoder = root().Sub("encoder");
    const Scope decoder = root().Sub("decoder");
    target_ids_ = VocabularyOf("targets");
    if (config().shares_embedding && VocabularyOf("inputs") == target_ids_) {
      inputs_VD_ = targets_VD_ =
          Table(root().Sub("shared"), "embedding", target_ids_, 1.0);
    } else {
      inputs_VD_ = Table(encoder, "embedding", VocabularyOf("inputs"), 1.0);
      targets_VD_ = Table(decoder, "embedding", target_ids_, 1.0);
    }
    input_positions_ = PositionTable(encoder);
    encoder_ = SecondMeshStack(encoder, config(), hparams_, "encoder_");
    target_positions_ = PositionTable(decoder);
    decoder_ = SecondMeshStack(decoder, config(), hparams_, "decoder_");
    if (config().shares_softmax) {
      softmax_VD_ = targets_VD_;
    } else {
      softmax_DV_ = SoftmaxKernel(decoder);
    }
  }
};

}  // namespace

void RegisterMeshTransformer(ModelRegistry& models) {
  AddModel<MtfTransformer>(models, "mtf_transformer");
  AddModel<MtfUnitransformer>(models, "mtf_unitransformer");
  AddModel<MtfBitransformer>(models, "mtf_bitransformer");
}

}  // namespace t2t
