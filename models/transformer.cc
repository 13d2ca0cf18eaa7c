#include "models/transformer.h"

#include <ATen/core/grad_mode.h>

#include <utility>
#include <vector>

#include "models/all_models.h"
#include "t2t/base/error.h"
#include "t2t/nn/moe.h"
#include "t2t/ops/device.h"

namespace t2t {
namespace {

const at::Tensor& Required(const Features& features, const char* name) {
  const auto found = features.find(name);
  if (found == features.end()) {
    throw DataError(std::string("the batch has no '") + name + "'",
                    "examples with inputs and targets as the problem says",
                    "look whether the data was generated for this problem");
  }
  return found->second;
}

// Images and other grids as one sequence.
at::Tensor Flatten(const at::Tensor& x) {
  return x.dim() <= 3 ? x : x.reshape({x.size(0), -1, x.size(-1)});
}

// Longer ones are better off with ATen's large matrix products.
constexpr int64_t kMaxRaggedLength = 512;

struct RaggedIds {
  RaggedRows rows;
  std::vector<int64_t> ids;
  std::vector<int64_t> before;  // the id before each, 0 for a row's first
};

// Of ids [batch, length]: all that are not padding, or (until_last) all up to
// the last of each row that is not.
RaggedIds Compact(const at::Tensor& tensor, bool until_last) {
  const at::Tensor whole = tensor.to(at::kLong).contiguous();
  const int64_t* data = whole.const_data_ptr<int64_t>();
  const int64_t length = whole.size(1);
  RaggedIds compact;
  std::vector<int64_t> positions;
  compact.rows.offsets.push_back(0);
  for (int64_t row = 0; row < whole.size(0); ++row, data += length) {
    int64_t end = length;
    while (end > 0 && data[end - 1] == 0) --end;
    for (int64_t i = 0; i < end; ++i) {
      if (data[i] == 0 && !until_last) continue;
      compact.ids.push_back(data[i]);
      compact.before.push_back(i == 0 ? 0 : data[i - 1]);
      positions.push_back(i);
    }
    compact.rows.offsets.push_back(static_cast<int64_t>(compact.ids.size()));
  }
  compact.rows.positions = at::tensor(positions, at::kLong).unsqueeze(0);
  return compact;
}

at::Tensor Row(const std::vector<int64_t>& ids) {
  return at::tensor(ids, at::kLong).unsqueeze(0);
}

}  // namespace

Transformer::Transformer(HParams hparams, ProblemInfo info, uint64_t seed)
    : Transformer("transformer", TransformerConfig::FromHParams(hparams),
                  hparams, std::move(info), seed) {}

Transformer::Transformer(const std::string& name,
                         const TransformerConfig& config, HParams hparams,
                         ProblemInfo info, uint64_t seed)
    : Model(std::move(hparams), std::move(info), seed),
      config_(config),
      sampling_(ScheduledSampling::FromHParams(hparams_, info_)) {
  const Scope root(&params_, name, DefaultInitializer(hparams_));
  const Scope body = root.Sub("body");
  modalities_ = MakeModalities(root, info_, hparams_);
  if (info_.has_inputs()) {
    encoder_ = std::make_unique<TransformerEncoderStack>(body, config_);
  }
  decoder_ = std::make_unique<TransformerDecoderStack>(
      body, config_, /*has_memory=*/info_.has_inputs());
  ragged_ = config_.CanBeRagged() && ComputeDevice().is_cpu() &&
            !config_.memory.enabled() &&
            hparams_.GetDouble("symbol_dropout") == 0.0 &&
            hparams_.GetString("prepend_mode") == "none";
  for (const auto& [name, feature] : info_.features) {
    ragged_ = ragged_ && feature.modality == "symbol";
  }
}

std::vector<std::string> Transformer::UnitNames() const {
  std::vector<std::string> names;
  if (encoder_ != nullptr) names = encoder_->UnitNames();
  for (std::string& name : decoder_->UnitNames()) {
    names.push_back(std::move(name));
  }
  return names;
}

Encoded Transformer::Encode(const Features& features, Mode mode) const {
  if (encoder_ == nullptr) return {};
  const at::Tensor inputs =
      Flatten(modalities_.inputs->Bottom(Required(features, "inputs"), mode));
  return (*encoder_)(inputs, info_.target_space_id, features,
                     mode == Mode::kTrain);
}

at::Tensor Transformer::EmbedTargets(const at::Tensor& targets,
                                     Mode mode) const {
  return Flatten(modalities_.targets->TargetsBottom(targets, mode));
}

at::Tensor Transformer::Body(const Features& features, Mode mode) {
  const Autocast autocast(config_.activation_type);
  const Encoded encoded = Encode(features, mode);
  const at::Tensor targets =
      modalities_.targets->TargetsBottom(Required(features, "targets"), mode);
  const at::Tensor output =
      (*decoder_)(Flatten(targets), encoded, features, mode == Mode::kTrain);
  return output.reshape(targets.sizes());
}

at::Tensor Transformer::Logits(const Features& features, Mode mode) {
  const at::Tensor body = Body(features, mode);
  const Autocast autocast(config_.activation_type);
  return modalities_.targets->Top(body).to(at::kFloat);
}

std::optional<LossParts> Transformer::RaggedLoss(const Features& features,
                                                 Mode mode) const {
  const at::Tensor& targets = Required(features, "targets");
  if (!ragged_ || features.count("targets_segmentation") > 0 ||
      targets.dim() != 2 || targets.size(1) > kMaxRaggedLength) {
    return std::nullopt;
  }
  const bool training = mode == Mode::kTrain;
  const RaggedIds compact = Compact(targets, /*until_last=*/true);
  if (compact.ids.empty()) return std::nullopt;
  at::Tensor memory;
  RaggedRows memory_rows;
  if (encoder_ != nullptr) {
    const at::Tensor& inputs = Required(features, "inputs");
    // A row of nothing but padding has its own ways.
    if (inputs.dim() != 2 || inputs.size(1) > kMaxRaggedLength ||
        inputs.ne(0).any(1).logical_not().any().item<bool>()) {
      return std::nullopt;
    }
    const RaggedIds sources = Compact(inputs, /*until_last=*/false);
    memory_rows = sources.rows;
    memory =
        encoder_->Ragged(modalities_.inputs->Bottom(Row(sources.ids), mode),
                         memory_rows, info_.target_space_id, training);
  }
  const at::Tensor body = decoder_->Ragged(
      modalities_.targets->TargetsBottom(Row(compact.before), mode),
      compact.rows, memory, memory_rows, training);
  return modalities_.targets->Loss(body, Row(compact.ids), {}, mode);
}

LossParts Transformer::SampledLoss(const Features& features) {
  const at::Tensor& gold = Required(features, "targets");
  const double share = sampling_.Share(step_);
  Features given = features;
  for (int64_t pass = 0; pass < sampling_.passes; ++pass) {
    const at::NoGradGuard no_grad;
    const ExtraLoss not_counted;
    const at::Tensor logits = Logits(given, Mode::kTrain);
    given["targets"] =
        MixSampled(gold, given.at("targets"), logits, share, pass);
  }
  return modalities_.targets->Loss(Body(given, Mode::kTrain).to(at::kFloat),
                                   gold, {}, Mode::kTrain);
}

LossParts Transformer::Loss(const Features& features, Mode mode) {
  const ExtraLoss extra;
  LossParts parts = TargetLoss(features, mode);
  if (extra.sum().defined()) parts.extra["extra"] = extra.sum();
  return parts;
}

LossParts Transformer::TargetLoss(const Features& features, Mode mode) {
  if (mode == Mode::kTrain && sampling_.passes > 0) {
    return SampledLoss(features);
  }
  if (std::optional<LossParts> loss = RaggedLoss(features, mode)) {
    return *std::move(loss);
  }
  return modalities_.targets->Loss(Body(features, mode).to(at::kFloat),
                                   Required(features, "targets"), {}, mode);
}

std::unique_ptr<DecodeState> Transformer::StartDecoding(
    const Features& features) {
  const at::NoGradGuard no_grad;
  const Autocast autocast(config_.activation_type);
  for (const auto& [name, tensor] : features) {
    if (name == "inputs_segmentation" || name == "targets_segmentation") {
      throw UsageError("decoding a packed batch", "one example a row",
                       "set --hparams=pack_dataset=False");
    }
  }
  const char* first = encoder_ != nullptr ? "inputs" : "targets";
  // A language model needs nothing but the number of rows.
  const auto inputs = features.find("inputs");
  const int64_t rows = inputs != features.end()
                           ? inputs->second.size(0)
                           : Required(features, first).size(0);
  Features here = features;
  for (auto& [name, tensor] : here) tensor = tensor.to(ComputeDevice());
  return decoder_->Start(Encode(here, Mode::kPredict), rows);
}

at::Tensor Transformer::DecodeStep(DecodeState* state, const at::Tensor& ids) {
  const at::NoGradGuard no_grad;
  const Autocast autocast(config_.activation_type);
  auto* own = static_cast<TransformerDecodeState*>(state);
  at::Tensor embedding;
  if (ids.defined()) {
    embedding = modalities_.targets->TargetsBottom(
        ids.view({-1, 1}).to(ComputeDevice()), Mode::kPredict);
  } else {
    embedding =
        at::zeros({own->rows(), 1, config_.hidden_size}, OnDevice(at::kFloat));
  }
  const at::Tensor output = decoder_->Step(embedding, own);
  return modalities_.targets->Top(output).to(at::kFloat).squeeze(1);
}

void RegisterTransformer(ModelRegistry& models) {
  AddModel<Transformer>(models, "transformer");
  // In T2T it scores instead of decoding; its checkpoints are transformer's.
  AddModel<Transformer>(models, "transformer_scorer");
}

}  // namespace t2t
