#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/all_models.h"
#include "models/encoder_only.h"
#include "models/lstm_layers.h"
#include "t2t/base/error.h"
#include "t2t/model/model.h"
#include "t2t/model/scheduled_sampling.h"
#include "t2t/nn/positional.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

// How many of the embedded symbols [batch, time, depth] are not all zero.
at::Tensor LengthsOf(const at::Tensor& embedded) {
  return embedded.detach().ne(0).any(-1).sum(1);
}

at::Tensor SwapTimeAndBatch(const at::Tensor& x) {
  return x.transpose(0, 1).contiguous();
}

LstmAttentionOptions AttentionOptionsOf(const HParams& hparams,
                                        const std::string& model) {
  if (!hparams.Has("attention_mechanism")) {
    throw UsageError("the hparams set has no attention_mechanism",
                     "a set for attention, for the model " + model,
                     "use --hparams_set=lstm_attention or "
                     "lstm_luong_attention");
  }
  LstmAttentionOptions options;
  options.mechanism = hparams.GetString("attention_mechanism");
  options.heads = hparams.GetInt("num_heads");
  options.layer_size = hparams.GetInt("attention_layer_size");
  options.output_attention = hparams.GetBool("output_attention");
  options.masks_padding = hparams.Has("attention_masks_padding") &&
                          hparams.GetBool("attention_masks_padding");
  // T2T knows no height here.
  options.area.max_width = hparams.GetInt("max_area_width");
  options.area.key_mode = hparams.GetString("area_key_mode");
  options.area.value_mode = hparams.GetString("area_value_mode");
  if (options.area.enabled() && options.area.value_mode == "max") {
    throw UsageError("area_value_mode=max with the model " + model,
                     "mean or sum, as in T2T",
                     "change --hparams=area_value_mode=...");
  }
  return options;
}

struct LstmEncoded {
  at::Tensor outputs;  // [batch, time, depth]
  at::Tensor lengths;  // int64 [batch]
  LstmState state;
};

// Reads the inputs backwards, or both ways.
class LstmEncoder {
 public:
  LstmEncoder(const Scope& scope, const HParams& hparams, bool both_ways)
      : LstmEncoder(scope.Sub("encoder"), hparams.GetInt("hidden_size"),
                    hparams.GetInt("num_hidden_layers"),
                    hparams.GetDouble("dropout"), both_ways) {}

  LstmEncoded operator()(const at::Tensor& embedded, const at::Tensor& lengths,
                         const nn::Context& context) const {
    LstmEncoded encoded;
    encoded.lengths = lengths;
    LstmState backward_state;
    const at::Tensor reversed =
        Read(*backward_, ReverseSequence(embedded, lengths), lengths, context,
             &backward_state);
    if (forward_ == nullptr) {
      encoded.outputs = reversed;
      encoded.state = std::move(backward_state);
      return encoded;
    }
    LstmState& state = encoded.state;
    const at::Tensor straight =
        Read(*forward_, embedded, lengths, context, &state);
    encoded.outputs =
        at::cat({straight, ReverseSequence(reversed, lengths)}, 2);
    for (size_t i = 0; i < state.h.size(); ++i) {
      state.h[i] = at::cat({state.h[i], backward_state.h[i]}, 1);
      state.c[i] = at::cat({state.c[i], backward_state.c[i]}, 1);
    }
    return encoded;
  }

 private:
  LstmEncoder(const Scope& scope, int64_t size, int64_t layers, double dropout,
              bool both_ways) {
    const auto make = [&](const std::string& name) {
      return std::make_unique<LstmStack>(scope.Sub(name + "/multi_rnn_cell"),
                                         size, size, layers, dropout);
    };
    if (both_ways) forward_ = make("bidirectional_rnn/fw");
    backward_ = make(both_ways ? "bidirectional_rnn/bw" : "rnn");
  }

  static at::Tensor Read(const LstmStack& stack, const at::Tensor& x,
                         const at::Tensor& lengths, const nn::Context& context,
                         LstmState* state) {
    *state = stack.ZeroState(x.size(0));
    return SwapTimeAndBatch(
        stack(SwapTimeAndBatch(x), lengths, context, state));
  }

  std::unique_ptr<LstmStack> forward_;  // null where one way is read
  std::unique_ptr<LstmStack> backward_;
};

// Without attention cells is used, with it attention.
class LstmDecodeState : public DecodeState {
 public:
  void Select(const at::Tensor& rows) override {
    rows_ = rows.size(0);
    has_padding_ = has_padding_.index_select(0, rows);
    if (!attention.attention.defined()) {
      cells.Select(rows);
      return;
    }
    attention.Select(rows);
    // Hypotheses of one source share its memory, so that most reorderings
    // leave it as it is.
    const at::Tensor sources = sources_.index_select(0, rows);
    if (!sources.equal(sources_)) memory.Select(rows);
    sources_ = sources;
  }

  void Begin(int64_t rows) {
    rows_ = rows;
    sources_ = at::arange(rows, at::kLong);
    has_padding_ = at::zeros({rows}, at::kBool);
  }
  int64_t rows() const { return rows_; }

  // A hypothesis that has come to hold padding: T2T counts its length by what
  // is no padding, so that its next step is past its end and gives zeros.
  void Feed(const at::Tensor& ids) {
    has_padding_ = has_padding_.logical_or(ids.eq(kPadId).cpu());
  }
  at::Tensor WithoutEnded(const at::Tensor& output) const {
    if (!has_padding_.any().item<bool>()) return output;
    return output.masked_fill(has_padding_.to(output.device()).view({1, -1, 1}),
                              0);
  }

  LstmState cells;
  LstmAttentionDecoder::State attention;
  LstmMemory memory;

 private:
  int64_t rows_ = 0;
  at::Tensor sources_;
  at::Tensor has_padding_;  // bool [rows]
};

struct Variant {
  const char* name;   // the model's
  const char* scope;  // within its body
  bool attention;
  bool both_ways;
};

// T2T's LSTM translators: an encoder whose last state the decoder begins with
// and, with attention, looks back at.
class LstmSeq2seq : public Model {
 public:
  LstmSeq2seq(const Variant& variant, HParams hparams, ProblemInfo info,
              const ParamOptions& params)
      : Model(std::move(hparams), std::move(info), params), variant_(variant) {
    RefuseScheduledSampling(hparams_);
    if (!info_.has_inputs() && variant.attention) {
      throw UsageError(
          "problem '" + info_.name + "' has no inputs",
          std::string("one with inputs, for the model ") + variant.name,
          "choose another --problem or --model");
    }
    const Scope root(&params_, variant.name, DefaultInitializer(hparams_));
    const Scope body = root.Sub("body").Sub(variant.scope);
    hidden_size_ = hparams_.GetInt("hidden_size");
    const int64_t size = hidden_size_;
    const int64_t layers = hparams_.GetInt("num_hidden_layers");
    const double dropout = hparams_.GetDouble("dropout");
    if (layers < 1) {
      throw UsageError("num_hidden_layers is " + std::to_string(layers),
                       "at least 1", "change --hparams=num_hidden_layers=...");
    }
    const int64_t decoder_size = variant.both_ways ? 2 * size : size;
    int64_t body_size = decoder_size;
    if (info_.has_inputs()) {
      encoder_ =
          std::make_unique<LstmEncoder>(body, hparams_, variant.both_ways);
    }
    if (variant.attention) {
      attention_ = std::make_unique<LstmAttentionDecoder>(
          body, size, decoder_size, decoder_size, layers, dropout,
          AttentionOptionsOf(hparams_, variant.name));
      body_size = attention_->output_size();
    } else {
      decoder_ =
          std::make_unique<LstmStack>(body.Sub("decoder/rnn/multi_rnn_cell"),
                                      size, decoder_size, layers, dropout);
    }
    MakeEnds(root, body_size);
  }

  std::unique_ptr<DecodeState> StartDecoding(
      const Features& features) override {
    const at::NoGradGuard no_grad;
    auto state = std::make_unique<LstmDecodeState>();
    const int64_t rows =
        RequiredFeature(features, info_.has_inputs() ? "inputs" : "targets")
            .size(0);
    state->Begin(rows);
    Features here = features;
    for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
    const nn::Context context;
    LstmEncoded encoded = Encode(here, rows, context);
    if (attention_ != nullptr) {
      state->memory =
          attention_->Remember(encoded.outputs, encoded.lengths, context);
      state->attention = attention_->Start(std::move(encoded.state));
    } else {
      state->cells = std::move(encoded.state);
    }
    return state;
  }

  at::Tensor DecodeStep(DecodeState* state, const at::Tensor& ids) override {
    const at::NoGradGuard no_grad;
    const nn::Context context;
    auto* own = static_cast<LstmDecodeState*>(state);
    at::Tensor x;  // [1, rows, hidden]
    if (ids.defined()) {
      own->Feed(ids.view(-1));
      x = EmbedTargets(ids.view({-1, 1}).to(ComputeDevice()), context)
              .transpose(0, 1);
    } else {
      x = at::zeros({1, own->rows(), hidden_size_}, OnDevice(at::kFloat));
    }
    const at::Tensor output =
        attention_ != nullptr
            ? (*attention_)(x, own->memory, {}, context, &own->attention)
            : (*decoder_)(x, {}, context, &own->cells);
    return target_modality()
        .Top(own->WithoutEnded(output).transpose(0, 1))
        .squeeze(1);
  }

 protected:
  // [batch, time, depth].
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor& raw = RequiredFeature(features, "targets");
    LstmEncoded encoded = Encode(features, raw.size(0), context);
    const at::Tensor targets = AsSequence(EmbedTargets(raw, context));
    const at::Tensor shifted = ShiftRight(targets);
    const bool by_ids =
        variant_.attention && !variant_.both_ways && raw.dim() == 2;
    const at::Tensor lengths =
        (by_ids ? raw.ne(0).sum(1) : LengthsOf(shifted)) + 1;
    const at::Tensor x = SwapTimeAndBatch(shifted);
    if (attention_ == nullptr) {
      return (*decoder_)(x, lengths, context, &encoded.state).transpose(0, 1);
    }
    const LstmMemory memory =
        attention_->Remember(encoded.outputs, encoded.lengths, context);
    LstmAttentionDecoder::State state =
        attention_->Start(std::move(encoded.state));
    return (*attention_)(x, memory, lengths, context, &state).transpose(0, 1);
  }

 private:
  LstmEncoded Encode(const Features& features, int64_t rows,
                     const nn::Context& context) const {
    if (features.count("inputs_segmentation") > 0 ||
        features.count("targets_segmentation") > 0) {
      throw UsageError(
          std::string("packed examples for the model ") + variant_.name,
          "one example a row", "set --hparams=pack_dataset=false");
    }
    LstmEncoded encoded;
    if (encoder_ == nullptr) {
      encoded.state = decoder_->ZeroState(rows);
      return encoded;
    }
    const at::Tensor& raw = RequiredFeature(features, "inputs");
    const at::Tensor embedded = AsSequence(EmbedInputs(features, context));
    // T2T's model with attention goes by the ids, the others by what was
    // embedded: it tells in training with symbol_dropout.
    const bool by_ids =
        variant_.attention && !variant_.both_ways && raw.dim() == 2;
    return (*encoder_)(
        embedded, by_ids ? raw.ne(0).sum(1) : LengthsOf(embedded), context);
  }

  Variant variant_;
  int64_t hidden_size_ = 0;
  std::unique_ptr<LstmEncoder> encoder_;  // null without inputs
  std::unique_ptr<LstmStack> decoder_;    // one of these two
  std::unique_ptr<LstmAttentionDecoder> attention_;
};

// The encoder alone: an output for each input, last one first as T2T has it.
class LstmEncoderModel : public EncoderOnlyModel {
 public:
  LstmEncoderModel(HParams hparams, ProblemInfo info,
                   const ParamOptions& params)
      : EncoderOnlyModel("lstm_encoder", std::move(hparams), std::move(info),
                         params),
        encoder_(root().Sub("body"), hparams_, /*both_ways=*/false) {
    MakeEnds(root());
  }

 protected:
  at::Tensor Body(const Features& features, nn::Context& context) override {
    const at::Tensor embedded = AsSequence(EmbedInputs(features, context));
    return encoder_(embedded, LengthsOf(embedded), context).outputs;
  }

 private:
  LstmEncoder encoder_;
};

template <int kIndex>
class LstmVariant : public LstmSeq2seq {
 public:
  LstmVariant(HParams hparams, ProblemInfo info, const ParamOptions& params)
      : LstmSeq2seq(kVariants[kIndex], std::move(hparams), std::move(info),
                    params) {}

 private:
  static constexpr Variant kVariants[] = {
      {"lstm_seq2seq", "lstm_seq2seq", false, false},
      {"lstm_seq2seq_attention", "lstm_seq2seq_attention", true, false},
      {"lstm_seq2seq_bidirectional_encoder", "lstm_seq2seq_bid_encoder", false,
       true},
      {"lstm_seq2seq_attention_bidirectional_encoder",
       "lstm_seq2seq_attention_bid_encoder", true, true}};
};

}  // namespace

void RegisterLstm(ModelRegistry& models) {
  AddModel<LstmEncoderModel>(models, "lstm_encoder");
  AddModel<LstmVariant<0>>(models, "lstm_seq2seq");
  AddModel<LstmVariant<1>>(models, "lstm_seq2seq_attention");
  AddModel<LstmVariant<2>>(models, "lstm_seq2seq_bidirectional_encoder");
  AddModel<LstmVariant<3>>(models,
                           "lstm_seq2seq_attention_bidirectional_encoder");
}

}  // namespace t2t
