#include "t2t/decode/toy_model.h"

#include <stdexcept>
#include <utility>

#include "t2t/base/rng.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

// What a toy keeps: a tensor with a line for each row, and the step.
struct ToyState : DecodeState {
  void Select(const at::Tensor& chosen) override {
    rows = rows.index_select(0, chosen);
  }
  at::Tensor rows;
  int64_t step = 0;
};

int64_t BatchSize(const Features& features) {
  return features.begin()->second.size(0);
}

}  // namespace

std::vector<int64_t> ToyEncoder::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c) + kNumReservedTokens);
  }
  return ids;
}

std::string ToyEncoder::Decode(const std::vector<int64_t>& ids,
                               bool strip_extraneous) const {
  std::string text;
  for (const int64_t id : ids) {
    if (id >= kNumReservedTokens) {
      text += static_cast<char>(id - kNumReservedTokens);
    } else if (!strip_extraneous) {
      text += id == kEosId ? "<EOS>" : "<pad>";
    }
  }
  return text;
}

std::vector<std::string> ToyEncoder::DecodeList(
    const std::vector<int64_t>& ids) const {
  std::vector<std::string> list;
  for (const int64_t id : ids) list.push_back(Decode({id}, false));
  return list;
}

ProblemInfo ToyInfo(bool has_inputs) {
  ProblemInfo info;
  info.name = "toy";
  FeatureInfo feature;
  feature.encoder = std::make_shared<ToyEncoder>();
  feature.vocab_size = feature.encoder->vocab_size();
  if (has_inputs) info.features["inputs"] = feature;
  info.features["targets"] = feature;
  return info;
}

HashModel::HashModel(uint64_t seed, int64_t vocab_size, float eos_bias)
    : Model(HParams(), ToyInfo(), 0),
      seed_(seed),
      vocab_size_(vocab_size),
      eos_bias_(eos_bias) {}

at::Tensor HashModel::Logits(const Features&, Mode) {
  throw std::logic_error("HashModel only decodes");
}
LossParts HashModel::Loss(const Features&, Mode) {
  throw std::logic_error("HashModel only decodes");
}

std::unique_ptr<DecodeState> HashModel::StartDecoding(
    const Features& features) {
  auto state = std::make_unique<ToyState>();
  state->rows = at::arange(BatchSize(features), at::kLong);
  return state;
}

at::Tensor HashModel::DecodeStep(DecodeState* base, const at::Tensor& ids) {
  auto* state = static_cast<ToyState*>(base);
  const int64_t rows = state->rows.size(0);
  rows_stepped_ += rows;
  at::Tensor logits = at::empty({rows, vocab_size_}, at::kFloat);
  auto* out = logits.mutable_data_ptr<float>();
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t last = ids.defined() ? ids[r].item<int64_t>() : 0;
    const int64_t row = state->rows[r].item<int64_t>();
    for (int64_t symbol = 0; symbol < vocab_size_; ++symbol) {
      uint64_t hash = seed_;
      for (const int64_t part : {row, state->step, last, symbol}) {
        hash = Rng::Mix(hash * 0x9E3779B97F4A7C15ULL +
                        static_cast<uint64_t>(part) + 1);
      }
      *out = static_cast<float>(hash >> 40) / (1 << 24) * 8.F - 4.F;
      if (symbol == kEosId) *out += eos_bias_;
      ++out;
    }
  }
  ++state->step;
  return logits;
}

CopyModel::CopyModel(HParams hparams, ProblemInfo info,
                     const ParamOptions& params)
    : Model(std::move(hparams), std::move(info), params),
      strength_(params_.Create("toy/strength", {1}, ZerosInit())) {}

at::Tensor CopyModel::Logits(const Features& features, Mode) {
  const FeatureInfo& targets = info_.features.at("targets");
  at::Tensor inputs = features.at("inputs");
  if (TraitsOfModality(targets.modality).is_class_label) {
    return (at::one_hot(inputs.select(1, 0), targets.vocab_size).unsqueeze(1) *
            strength_);
  }
  // Position i says input i.
  const int64_t length = features.at("targets").size(1);
  inputs = at::constant_pad_nd(inputs, {0, length}).narrow(1, 0, length);
  return at::one_hot(inputs, targets.vocab_size) * strength_;
}

LossParts CopyModel::Loss(const Features& features, Mode mode) {
  const at::Tensor targets = features.at("targets");
  const at::Tensor losses =
      at::cross_entropy_loss(Logits(features, mode).flatten(0, 1),
                             targets.flatten(), {}, at::Reduction::None) *
      targets.flatten().ne(0);
  return {losses.sum(), targets.ne(0).sum().to(at::kFloat), {}};
}

std::unique_ptr<DecodeState> CopyModel::StartDecoding(
    const Features& features) {
  if (batches++ == fail_at_batch) throw std::runtime_error("told to fail");
  auto state = std::make_unique<ToyState>();
  const auto inputs = features.find("inputs");
  state->rows = inputs == features.end()
                    ? at::ones({BatchSize(features), 1}, at::kLong)
                    : inputs->second;
  return state;
}

at::Tensor CopyModel::DecodeStep(DecodeState* base, const at::Tensor&) {
  auto* state = static_cast<ToyState*>(base);
  const at::Tensor says = state->step < state->rows.size(1)
                              ? state->rows.select(1, state->step)
                              : at::ones({state->rows.size(0)}, at::kLong);
  ++state->step;
  return at::one_hot(says, info_.features.at("targets").vocab_size) * strength_;
}

}  // namespace t2t
