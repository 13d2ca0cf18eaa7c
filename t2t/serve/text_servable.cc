#include "t2t/serve/text_servable.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <malloc.h>

#include <algorithm>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/formats/example.h"
#include "t2t/nn/context.h"
#include "t2t/problem/problem.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

// Lengths and sizes of the batches that warm up.
constexpr int64_t kWarmUpLength = 16;
constexpr int64_t kWarmUpRows[] = {1, 8};

std::string InputName(const TextDecoder& decoder) {
  return decoder.has_inputs() ? "inputs" : "targets";
}

const FeatureInfo& InputInfo(const TextDecoder& decoder) {
  return decoder.model()->info().features.at(InputName(decoder));
}

}  // namespace

TextServable::TextServable(LoadedModel loaded, const HParams& decode_hparams,
                           bool int8)
    : loaded_(std::move(loaded)),
      int8_(int8 ? std::make_unique<Int8Weights>() : nullptr),
      decoder_(loaded_.model.get(), decode_hparams, /*seed=*/0) {
  const FeatureInfo& info = InputInfo(decoder_);
  if (info.modality != "symbol" || info.encoder == nullptr) {
    throw UsageError("the inputs of " + loaded_.problem_name + " are no text",
                     "a problem with text inputs");
  }
  if (int8 && !Int8Weights::IsAvailable()) {
    throw UsageError("this machine has no FBGEMM for int8 weights",
                     "an x86 processor with AVX2", "serve without --int8");
  }
  loaded_.model->params().set_int8(int8_.get());
}

std::string TextServable::Description() const {
  return loaded_.model_name + " on " + loaded_.problem_name + ", step " +
         std::to_string(loaded_.weights.step) +
         (int8_ != nullptr ? ", int8" : "");
}

TextServable::Ids TextServable::Encode(std::string_view text) const {
  const std::string_view stripped = StripWhitespace(text);
  if (stripped.empty()) return {};
  return decoder_.Encode(stripped);
}

TextServable::Ids TextServable::EncodeExample(std::string_view bytes) const {
  Example example = ParseExample(bytes);
  const std::string name = InputName(decoder_);
  example.Ints(name);  // throws where it is not there
  // What all problems share; a problem's own changes (_rev's swap) are of the
  // examples of its shards, while this one's inputs are the model's.
  PreprocessExampleCommon(&example, Mode::kPredict, loaded_.model->hparams());
  const Ids& ids = example.Ints(name);
  const int64_t size = InputInfo(decoder_).vocab_size;
  if (ids.empty()) throw DataError("the Example's " + name + " are empty");
  for (const int64_t id : ids) {
    if (id < 0 || id >= size) {
      throw DataError("the Example has the id " + std::to_string(id),
                      "0 to " + std::to_string(size - 1));
    }
  }
  // An empty line's ids, as T2T's clients send them.
  const bool says_nothing = std::all_of(ids.begin(), ids.end(), [](int64_t id) {
    return id == kPadId || id == kEosId;
  });
  if (decoder_.has_inputs() && says_nothing) return {};
  return ids;
}

std::string TextServable::Decode(const Ids& ids) const {
  return decoder_.OutputText(ids);
}

std::vector<Prediction> TextServable::Predict(const std::vector<Ids>& rows,
                                              const IsGone& is_gone) {
  std::vector<TextDecoder::Request> requests;
  for (const Ids& row : rows) requests.push_back({row, 0});
  std::vector<Prediction> predictions;
  for (std::vector<Hypothesis>& hypotheses :
       decoder_.Decode(requests, is_gone)) {
    Prediction& prediction = predictions.emplace_back();
    for (Hypothesis& hypothesis : hypotheses) {
      prediction.hypotheses.push_back(
          {std::move(hypothesis.ids), hypothesis.score});
    }
  }
  return predictions;
}

std::optional<AttentionWeights> TextServable::Attend(const Ids& input,
                                                     const Ids& output) const {
  if (!decoder_.has_inputs() || decoder_.is_class_label() || output.empty()) {
    return std::nullopt;
  }
  const at::NoGradGuard no_grad;
  nn::AttentionRecorder recorder;
  nn::Context context;
  context.recorder = &recorder;
  loaded_.model->Logits({{"inputs", at::tensor(input).unsqueeze(0)},
                         {"targets", at::tensor(output).unsqueeze(0)}},
                        context);
  const auto& features = loaded_.model->info().features;
  AttentionWeights attention;
  attention.inputs = features.at("inputs").encoder->DecodeList(input);
  attention.outputs = features.at("targets").encoder->DecodeList(output);
  for (const at::Tensor& layer : recorder.weights()) {
    const at::Tensor weights = layer.to(at::kFloat).contiguous();
    // Models whose memory is not their input's symbols.
    if (weights.dim() != 4 ||
        weights.size(2) != static_cast<int64_t>(output.size()) ||
        weights.size(3) != static_cast<int64_t>(input.size()) ||
        (attention.layers > 0 && weights.size(1) != attention.heads)) {
      return std::nullopt;
    }
    ++attention.layers;
    attention.heads = weights.size(1);
    const float* data = weights.const_data_ptr<float>();
    attention.weights.insert(attention.weights.end(), data,
                             data + weights.numel());
  }
  if (attention.layers == 0) return std::nullopt;
  return attention;
}

int64_t TextServable::beams() const {
  const HParams& h = decoder_.decode_hparams();
  const bool returns_beams = h.GetBool("return_beams") &&
                             h.GetInt("beam_size") > 1 &&
                             !decoder_.is_class_label();
  return returns_beams ? h.GetInt("beam_size") : 0;
}

bool TextServable::gives_int32() const {
  return decoder_.decode_hparams().GetInt("beam_size") > 1;
}

void TextServable::WarmUp() {
  const int64_t id =
      std::min<int64_t>(kNumReservedTokens, InputInfo(decoder_).vocab_size - 1);
  for (const int64_t count : kWarmUpRows) {
    Ids row(kWarmUpLength, id);
    if (decoder_.has_inputs()) row.back() = kEosId;
    Predict(std::vector<Ids>(count, row), nullptr);
  }
  if (int8_ == nullptr) return;
  // Every weight of a matrix product was used by now. Tables of embeddings are
  // looked up as they are, whatever they are multiplied with besides.
  int64_t bytes = 0;
  for (const ParamStore::Entry& entry : loaded_.model->params().entries()) {
    if (EndsWith(entry.name, "/weights")) continue;
    bytes += int8_->Free(entry.tensor);
  }
  ::malloc_trim(0);  // gives them back
  Log("int8: " + std::to_string(int8_->count()) + " weights; " +
      Format("%.1f MB of fp32 freed", static_cast<double>(bytes) / 1e6));
}

}  // namespace t2t
