// Seq2Edits. Stahlberg and Kumar 2020, "Seq2Edits: Sequence Transduction Using
// Span-level Edit Operations", arXiv:2009.11136. An output is an edit: the kind
// of error, the span of the inputs that it is about (it begins where the last
// one ended), and what stands there instead. They are predicted one after the
// other out of the decoder's middle, each seeing those before it.
// T2T's model, and its sets of variables; T2T itself has no decoding for it.
// Shapes: B batch, M inputs' length, L edits, D hidden_size, F filter_size,
// T kinds of errors.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/edits_config.h"
#include "models/encoder_only.h"
#include "models/transformer_config.h"
#include "models/transformer_layers.h"
#include "t2t/base/error.h"
#include "t2t/hparams/values_or.h"
#include "t2t/model/autocast.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/model/sequence_decoder.h"
#include "t2t/model/sequence_encoder.h"
#include "t2t/model/stacked_model.h"
#include "t2t/nn/dense.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/cross_entropy.h"
#include "t2t/ops/device.h"
#include "t2t/ops/dropout.h"

namespace t2t {
namespace {

constexpr char kTag[] = "targets_error_tag";
constexpr char kStart[] = "targets_start_token";
constexpr char kEnd[] = "targets_end_token";

// Of each edit its kind and its span, int64 [B, L].
struct Edits {
  at::Tensor tags_BL, start_BL, end_BL;
  // The last edit's are not known: what is likeliest is chosen, and kept here.
  bool choose_last = false;
};

// What a prediction sees and leaves.
struct Prediction {
  Edits* edits;
  at::Tensor weights_BL;  // 0 on padding; undefined: there is no loss
  double loss_multiplier;
  nn::Context* context;
};

// Chooses the last one, where that is to be done, and adds the loss.
void Settle(const std::string& name, const at::Tensor& logits,
            const at::Tensor& labels_BL, const Prediction& prediction) {
  if (prediction.edits->choose_last) {
    labels_BL.select(1, -1).copy_(logits.select(1, -1).argmax(-1));
  }
  if (!prediction.weights_BL.defined()) return;
  const at::Tensor& weights_BL = prediction.weights_BL;
  const at::Tensor losses_BL = SmoothedCrossEntropy(logits, labels_BL, 0.0);
  prediction.context->losses.Add(name, (losses_BL * weights_BL).sum() /
                                           weights_BL.sum().clamp_min(1.0) *
                                           prediction.loss_multiplier);
}

// memory_BMD at positions [B, L].
at::Tensor Pointed(const at::Tensor& memory_BMD, const at::Tensor& at_BL) {
  return memory_BMD.gather(
      1, at_BL.unsqueeze(2).expand({-1, -1, memory_BMD.size(2)}));
}

// The kinds' embeddings, where T2T's modality has them.
class Tags {
 public:
  Tags(const Scope& root, const ProblemInfo& info, const HParams& hparams)
      : size_(info.features.at(kTag).vocab_size) {
    const int64_t divisor = IntOr(hparams, "vocab_divisor", 1);
    size_ = (size_ + divisor - 1) / divisor * divisor;
    const int64_t hidden_size = hparams.GetInt("hidden_size");
    const bool shared =
        hparams.GetBool("shared_embedding_and_softmax_weights") ||
        BoolOr(hparams, "shared_embedding", false);
    if (hparams.GetString("multiply_embedding_mode") == "sqrt_depth") {
      scale_ = std::sqrt(static_cast<double>(hidden_size));
    }
    table_TD_ =
        root.Sub("symbol_modality_" + std::to_string(size_) + "_" +
                 std::to_string(hidden_size))
            .Sub(kTag)
            .Sub(shared ? "shared" : "target_emb")
            .Param("weights", {size_, hidden_size},
                   NormalInit(
                       0.0, 1.0 / std::sqrt(static_cast<double>(hidden_size))));
  }

  int64_t size() const { return size_; }
  const at::Tensor& table_TD() const { return table_TD_; }
  // As an input: scaled, and nothing for padding.
  at::Tensor Embed(const at::Tensor& tags_BL) const {
    return at::embedding(table_TD_, tags_BL) * scale_ *
           tags_BL.ne(0).unsqueeze(2);
  }

 private:
  int64_t size_;
  double scale_ = 1.0;
  at::Tensor table_TD_;
};

// The decoder's input sees what the last edit was, too.
class EditsLayer {
 public:
  EditsLayer(const Scope& scope, const EditsConfig& config)
      : config_(config),
        before_(scope, "layer_prepostprocess", config.transformer.preprocess),
        after_(scope, "layer_postprocess", config.transformer.postprocess) {
    int64_t parts = 1;
    if (config.has_tags) {
      ++parts;
      tags_before_.emplace(scope, "layer_prepostprocess_1",
                           config.transformer.preprocess);
    }
    parts += (config.predicts_start || !config.feeds_end) ? 1 : 0;
    parts += config.feeds_end ? 1 : 0;
    const FfnOptions& ffn = config.transformer.ffn;
    first_ =
        Dense(scope.Sub("conv1"), parts * ffn.hidden_size, ffn.filter_size);
    second_ = Dense(scope.Sub("conv2"), ffn.filter_size, ffn.hidden_size);
  }

  // tags_BLD: embedded; undefined without.
  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& memory_BMD,
                        const Edits& edits, const at::Tensor& tags_BLD,
                        nn::Context& context) const {
    std::vector<at::Tensor> parts = {before_({}, x_BLD, context)};
    if (tags_before_) {
      parts.push_back((*tags_before_)({}, ShiftRight(tags_BLD), context));
    }
    if (config_.predicts_start || !config_.feeds_end) {
      // Where it isn't predicted, it is known of this edit.
      parts.push_back(Pointed(memory_BMD, config_.feeds_end
                                              ? Earlier(edits.start_BL)
                                              : edits.start_BL));
    }
    if (config_.feeds_end) {
      parts.push_back(Pointed(memory_BMD, Earlier(edits.end_BL)));
    }
    const double rate =
        context.training ? config_.transformer.ffn.dropout : 0.0;
    const at::Tensor x_BLF =
        ReluDropout(first_(at::cat(parts, 2)), rate, context.rng);
    return after_(x_BLD, second_(x_BLF), context);
  }

 private:
  static at::Tensor Earlier(const at::Tensor& ids_BL) {
    return at::constant_pad_nd(ids_BL, {1, 0}).narrow(1, 0, ids_BL.size(1));
  }

  EditsConfig config_;
  PrePost before_, after_;
  std::optional<PrePost> tags_before_;
  Dense first_, second_;
};

// What was predicted joins x, then feed-forward layers follow.
class AfterPrediction {
 public:
  AfterPrediction(const Scope& body, const Scope& prediction,
                  const std::string& name, const EditsConfig& config)
      : before_(prediction, "layer_prepostprocess",
                config.transformer.preprocess),
        after_(prediction, "layer_postprocess",
               config.transformer.postprocess) {
    for (int64_t i = 0; i < config.layers_between; ++i) {
      layers_.push_back(ResidualOf<nn::Transition>(
          body.Sub(name).Sub(LayerName(i)), config.transformer,
          config.transformer.ffn));
    }
  }

  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& made_BLD,
                        nn::Pass& pass) const {
    nn::Context& context = pass.context();
    at::Tensor x = after_(x_BLD, before_({}, made_BLD, context), context);
    for (const nn::Residual& layer : layers_) x = layer(x, pass);
    return x;
  }

 private:
  PrePost before_, after_;
  std::vector<nn::Residual> layers_;
};

class TagPrediction {
 public:
  TagPrediction(const Scope& body, const EditsConfig& config, int64_t tags)
      : TagPrediction(body, body.Sub("error_tag_prediction"), config, tags) {}

  at::Tensor operator()(const at::Tensor& x_BLD, const at::Tensor& table_TD,
                        nn::Pass& pass, const Prediction& prediction) const {
    const at::Tensor& labels_BL = prediction.edits->tags_BL;
    Settle(kTag, logits_(bottleneck_(x_BLD)), labels_BL, prediction);
    return then_(x_BLD, at::embedding(table_TD, labels_BL), pass);
  }

 private:
  TagPrediction(const Scope& body, const Scope& own, const EditsConfig& config,
                int64_t tags)
      : bottleneck_(own.Sub("projection").Sub("bottleneck"),
                    config.transformer.sequence.hidden_size, config.tag_size),
        logits_(own.Sub("projection").Sub("logits"), config.tag_size, tags,
                /*use_bias=*/false),
        then_(body, own.Sub("embedding"), "post_error_tag", config) {}

  Dense bottleneck_, logits_;
  AfterPrediction then_;
};

// Where in the inputs a span starts or ends: attention whose weights are the
// answer.
class PointerPrediction {
 public:
  PointerPrediction(const Scope& body, const std::string& name,
                    const EditsConfig& config)
      : PointerPrediction(body, body.Sub(name + "_prediction"), name, config) {}

  at::Tensor operator()(const at::Tensor& x_BLD, const Encoded& encoded,
                        const at::Tensor& labels_BL, nn::Pass& pass,
                        const Prediction& prediction) const {
    const at::Tensor query_BLD =
        query_(x_BLD) / std::sqrt(static_cast<double>(x_BLD.size(2)));
    at::Tensor logits_BLM =
        at::matmul(query_BLD, key_(encoded.output).transpose(1, 2));
    logits_BLM = logits_BLM + encoded.memory_bias.squeeze(1);
    Settle(name_, logits_BLM, labels_BL, prediction);
    return then_(x_BLD, Pointed(encoded.output, labels_BL), pass);
  }

 private:
  PointerPrediction(const Scope& body, const Scope& own,
                    const std::string& name, const EditsConfig& config)
      : name_(name),
        // TF's default names.
        query_(own.Sub("c"), config.transformer.sequence.hidden_size,
               config.transformer.sequence.hidden_size, /*use_bias=*/false),
        key_(own.Sub("c_1"), config.transformer.sequence.hidden_size,
             config.transformer.sequence.hidden_size, /*use_bias=*/false),
        then_(body, own, "post_" + name, config) {}

  std::string name_;
  Dense query_, key_;
  AfterPrediction then_;
};

// What was decoded so far, of each hypothesis.
class EditsState : public DecodeState {
 public:
  EditsState(Features features, int64_t rows)
      : given(std::move(features)), ids(at::empty({rows, 0}, at::kLong)) {
    edits.tags_BL = edits.start_BL = edits.end_BL =
        at::empty({rows, 0}, OnDevice(at::kLong));
    edits.choose_last = true;
  }

  void Select(const at::Tensor& rows) override {
    ids = ids.index_select(0, rows);
    const at::Tensor here = rows.to(ComputeDevice());
    for (at::Tensor* tensor :
         {&edits.tags_BL, &edits.start_BL, &edits.end_BL}) {
      *tensor = tensor->index_select(0, here);
    }
    for (auto& [name, tensor] : given) tensor = tensor.index_select(0, here);
  }

  // Room for the next edit; a span that isn't predicted begins where the last
  // one ended.
  void Next() {
    const int64_t length = edits.end_BL.size(1);
    const at::Tensor last =
        length > 0 ? edits.end_BL.narrow(1, length - 1, 1)
                   : at::zeros({ids.size(0), 1}, edits.end_BL.options());
    edits.start_BL = at::cat({edits.start_BL, last}, 1);
    edits.end_BL = at::constant_pad_nd(edits.end_BL, {0, 1});
    edits.tags_BL = at::constant_pad_nd(edits.tags_BL, {0, 1});
  }

  Features given;  // but for the targets
  at::Tensor ids;  // [rows, length]
  Edits edits;
};

void RequireEdits(const ProblemInfo& info, const EditsConfig& config) {
  RequireInputs(info, "transformer_seq2edits");
  for (const char* const name : {kStart, kEnd, kTag}) {
    if (info.features.count(name) > 0) continue;
    if (std::string(name) == kTag && !config.has_tags) continue;
    throw UsageError(
        "problem '" + info.name + "' has no feature '" + name + "'",
        "a problem of edits, as seq2edits_gec, for the model "
        "transformer_seq2edits",
        "choose another --problem or --model");
  }
}

class TransformerSeq2Edits : public Model {
 public:
  TransformerSeq2Edits(HParams hparams, ProblemInfo info,
                       const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params),
        config_(EditsConfig::FromHParams(hparams_)) {
    RequireEdits(info_, config_);
    RefuseScheduledSampling(hparams_);
    const TransformerConfig& transformer = config_.transformer;
    set_precision(transformer.sequence.activation_type);
    const Scope root(&params_, "transformer_seq2edits",
                     DefaultInitializer(hparams_));
    RefuseSplitModel(root);
    MakeEnds(root);
    const Scope body = root.Sub("body");
    encoder_.emplace(body, transformer.sequence);
    encoder_layers_ = EncoderStack(body.Sub("encoder"), transformer);
    // Its dropout comes after the last edit has joined.
    SequenceOptions without_dropout = transformer.sequence;
    without_dropout.dropout = 0.0;
    decoder_.emplace(body, without_dropout);
    last_edit_.emplace(body.Sub("edit_ops_layer").Sub("ffn"), config_);
    decoder_layers_ =
        DecoderStack(body.Sub("decoder"), transformer, /*has_memory=*/true);
    if (config_.has_tags) {
      tags_.emplace(root, info_, hparams_);
      tag_.emplace(body, config_, tags_->size());
    }
    if (config_.predicts_start) start_.emplace(body, kStart, config_);
    end_.emplace(body, kEnd, config_);
    if (config_.in_the_middle) {
      later_layers_ =
          DecoderStack(body.Sub("after_prediction").Sub("decoder"), transformer,
                       /*has_memory=*/true);
    }
  }

  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    Features given;
    for (const auto& [name, tensor] : features) {
      if (name.find("targets") == 0) continue;
      given[name] = tensor.to(ComputeDevice());
    }
    return std::make_unique<EditsState>(
        std::move(given), RequiredFeature(features, "inputs").size(0));
  }

  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    const at::NoGradGuard no_grad;
    auto* const own = static_cast<EditsState*>(state);
    if (ids.defined()) {
      own->ids = at::cat({own->ids, ids.cpu().view({-1, 1})}, 1);
    }
    own->Next();
    Features features = own->given;
    features["targets"] =
        at::constant_pad_nd(own->ids, {0, 1}).to(ComputeDevice());
    nn::Context context;
    const Autocast autocast(PrecisionOf(context));
    const at::Tensor body = Run(features, {}, &own->edits, context);
    return Top(body).to(at::kFloat).select(1, own->ids.size(1));
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& targets_BL = RequiredFeature(features, "targets");
    const auto ids = [&](const char* name) {
      return RequiredFeature(features, name)
          .to(at::kLong)
          .reshape(targets_BL.sizes());
    };
    Edits edits;
    edits.start_BL = ids(kStart);
    edits.end_BL = ids(kEnd);
    if (config_.has_tags) edits.tags_BL = ids(kTag);
    const at::Tensor weights_BL = targets_BL.ne(0).to(at::kFloat);
    return Run(features, weights_BL, &edits, context);
  }

 private:
  at::Tensor Run(const Features& features, const at::Tensor& weights_BL,
                 Edits* edits, nn::Context& context) const {
    const Encoded encoded = encoder_->Whole(
        AsSequence(EmbedInputs(features, context)), info_.target_space_id,
        features, context, [this](const at::Tensor& x, nn::Pass& pass) {
          return encoder_layers_(x, pass);
        });
    CheckSpans(*edits, encoded.output.size(1));
    const Prediction prediction = {edits, weights_BL, info_.loss_multiplier,
                                   &context};
    return decoder_->Whole(
        AsSequence(EmbedTargets(features.at("targets"), context)), encoded,
        features, context, [&](const at::Tensor& x, nn::Pass& pass) {
          return Decode(x, encoded, pass, prediction);
        });
  }

  at::Tensor Decode(const at::Tensor& shifted_BLD, const Encoded& encoded,
                    nn::Pass& pass, const Prediction& prediction) const {
    nn::Context& context = pass.context();
    const Edits& edits = *prediction.edits;
    const auto drop = [&](const at::Tensor& x) {
      return context.training
                 ? Dropout(x, config_.transformer.sequence.dropout, context.rng)
                 : x;
    };
    const at::Tensor input_BLD = (*last_edit_)(
        shifted_BLD, encoded.output, edits,
        tags_ ? tags_->Embed(edits.tags_BL) : at::Tensor(), context);
    at::Tensor x_BLD = decoder_layers_(drop(input_BLD), pass);
    if (tag_) x_BLD = (*tag_)(x_BLD, tags_->table_TD(), pass, prediction);
    if (start_) {
      x_BLD = (*start_)(x_BLD, encoded, edits.start_BL, pass, prediction);
    }
    x_BLD = (*end_)(x_BLD, encoded, edits.end_BL, pass, prediction);
    if (!config_.in_the_middle) return x_BLD;
    return later_layers_(drop(input_BLD + x_BLD), pass);
  }

  static void CheckSpans(const Edits& edits, int64_t length) {
    for (const at::Tensor* at_BL : {&edits.start_BL, &edits.end_BL}) {
      if (at_BL->numel() == 0 || !at_BL->device().is_cpu()) continue;
      if (at_BL->min().item<int64_t>() >= 0 &&
          at_BL->max().item<int64_t>() < length) {
        continue;
      }
      throw DataError("an edit's span reaches to token " +
                          std::to_string(at_BL->max().item<int64_t>()) +
                          " of an input",
                      "from 0 to " + std::to_string(length - 1) +
                          ", which the batch's inputs have",
                      "check that spans count from 0, and that max_length "
                      "cuts no inputs");
    }
  }

  EditsConfig config_;
  std::optional<SequenceEncoder> encoder_;
  nn::Stack encoder_layers_;
  std::optional<SequenceDecoder> decoder_;
  std::optional<EditsLayer> last_edit_;
  nn::Stack decoder_layers_;
  std::optional<Tags> tags_;
  std::optional<TagPrediction> tag_;
  std::optional<PointerPrediction> start_, end_;
  nn::Stack later_layers_;
};

}  // namespace

void RegisterTransformerSeq2Edits(ModelRegistry& models) {
  AddModel<TransformerSeq2Edits>(models, "transformer_seq2edits");
}

}  // namespace t2t
