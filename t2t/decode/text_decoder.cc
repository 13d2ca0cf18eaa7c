#include "t2t/decode/text_decoder.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/problem/modality_traits.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

// Without batch_size: what one batch holds, padding included. Rows that end
// leave their batch, so large batches don't wait for their longest sentence.
constexpr int64_t kBatchTokens = 2048;
constexpr int64_t kMostSentences = 64;

std::string JoinIds(const std::vector<int64_t>& ids) {
  std::vector<std::string> parts;
  for (const int64_t id : ids) parts.push_back(std::to_string(id));
  return Join(parts, " ");
}

}  // namespace

TextDecoder::TextDecoder(Model* model, HParams decode_hparams, uint64_t seed)
    : model_(model),
      decode_hparams_(std::move(decode_hparams)),
      seed_(seed),
      is_class_label_(
          TraitsOfModality(model->info().features.at("targets").modality)
              .is_class_label),
      keeps_all_ids_(is_class_label_ ||
                     !model->info().features.at("targets").ends_at_eos ||
                     decode_hparams_.GetBool("skip_eos_postprocess")) {}

const FeatureInfo& TextDecoder::InputInfo() const {
  return model_->info().features.at(has_inputs() ? "inputs" : "targets");
}

std::vector<int64_t> TextDecoder::Encode(std::string_view line) const {
  const FeatureInfo& info = InputInfo();
  if (info.encoder == nullptr || TraitsOfModality(info.modality).is_image) {
    throw UsageError("the inputs of " + model_->info().name + " are no text",
                     "a problem with text inputs",
                     "decode from the dataset (without --decode_from_file)");
  }
  std::vector<int64_t> ids = info.encoder->Encode(line);
  const int64_t most = decode_hparams_.GetInt("max_input_size");
  if (most > 0 && static_cast<int64_t>(ids.size()) > most - 1) {
    ids.resize(most - 1);
  }
  const int64_t task = decode_hparams_.GetInt("multiproblem_task_id");
  if (has_inputs() || task > -1) ids.push_back(task < 0 ? kEosId : task);
  return ids;
}

void TextDecoder::CheckInputId(int64_t id) const {
  const int64_t size = InputInfo().vocab_size;
  if (id < 0 || id >= size) {
    throw DataError("the input has no id " + std::to_string(id),
                    "0 to " + std::to_string(size - 1));
  }
}

SearchOptions TextDecoder::MakeOptions() const {
  SearchOptions options;
  options.beam_size = decode_hparams_.GetInt("beam_size");
  options.top_beams =
      decode_hparams_.GetBool("return_beams") ? options.beam_size : 1;
  options.alpha = decode_hparams_.GetDouble("alpha");
  options.eos_penalty = decode_hparams_.GetDouble("eos_penalty");
  options.force_decode_length = decode_hparams_.GetBool("force_decode_length");
  const HParams& hparams = model_->hparams();
  if (hparams.Has("sampling_method") &&
      hparams.GetString("sampling_method") != "argmax") {
    options.temperature =
        hparams.Has("sampling_temp") ? hparams.GetDouble("sampling_temp") : 1.0;
    if (hparams.Has("sampling_keep_top_k")) {
      options.keep_top_k = hparams.GetInt("sampling_keep_top_k");
    }
  }
  options.block_size = decode_hparams_.GetInt("block_size");
  // T2T's initial value is 0, with which it does not decode.
  options.accept_top_k =
      std::max<int64_t>(decode_hparams_.GetInt("guess_and_check_top_k"), 1);
  options.seed = seed_;
  return options;
}

std::vector<std::vector<Hypothesis>> TextDecoder::Decode(
    const std::vector<Request>& requests,
    std::function<bool(size_t row)> is_gone) const {
  if (requests.empty()) return {};
  // An all-padding column where every prefix is empty: the batch needs a size.
  size_t longest = 1;
  for (const Request& request : requests) {
    longest = std::max(longest, request.ids.size());
  }
  const int64_t rows = static_cast<int64_t>(requests.size());
  at::Tensor ids = at::zeros({rows, static_cast<int64_t>(longest)}, at::kLong);
  std::vector<int64_t> lengths;
  std::vector<uint64_t> streams;
  auto* data = ids.mutable_data_ptr<int64_t>();
  for (const Request& request : requests) {
    std::copy(request.ids.begin(), request.ids.end(), data);
    data += longest;
    lengths.push_back(static_cast<int64_t>(request.ids.size()));
    streams.push_back(request.stream);
  }
  return DecodeFeatures({{has_inputs() ? "inputs" : "targets", ids}}, lengths,
                        streams, std::move(is_gone));
}

std::vector<std::vector<Hypothesis>> TextDecoder::DecodeFeatures(
    const Features& features, const std::vector<int64_t>& lengths,
    const std::vector<uint64_t>& streams,
    std::function<bool(size_t row)> is_gone) const {
  if (is_class_label_) return DecodeLabels(features);
  const HParams& hparams = model_->hparams();
  const bool prepends = has_inputs() && hparams.Has("prepend_mode") &&
                        hparams.GetString("prepend_mode") != "none";
  std::vector<SearchRow> rows(lengths.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    SearchRow& row = rows[i];
    row.decode_length = lengths[i] + decode_hparams_.GetInt("extra_length");
    row.min_length = static_cast<int64_t>(
        std::ceil(decode_hparams_.GetDouble("min_length_ratio") *
                  static_cast<double>(lengths[i])));
    row.stream = streams[i];
    if (prepends || !has_inputs()) {
      const at::Tensor ids =
          features.at(has_inputs() ? "inputs" : "targets")[i].flatten();
      const auto* data = ids.const_data_ptr<int64_t>();
      row.prefix.assign(data, data + lengths[i]);
      if (prepends) row.prefix.push_back(kPadId);  // between source and target
      row.decode_length += prepends ? 1 : 0;
    }
  }
  SearchOptions options = MakeOptions();
  options.is_gone = std::move(is_gone);
  SearchCount count;
  options.count = &count;
  std::vector<std::vector<Hypothesis>> found =
      Search(model_, features, rows, options);
  const std::lock_guard<std::mutex> lock(count_mutex_);
  count_.row_steps += count.row_steps;
  count_.symbols += count.symbols;
  count_.in_blocks = count_.in_blocks || count.in_blocks;
  return found;
}

SearchCount TextDecoder::count() const {
  const std::lock_guard<std::mutex> lock(count_mutex_);
  return count_;
}

std::vector<std::vector<Hypothesis>> TextDecoder::DecodeLabels(
    const Features& features) const {
  const at::NoGradGuard no_grad;
  Features with_targets = features;
  // A model that decodes step by step wants targets to see its batch.
  with_targets.emplace(
      "targets", at::zeros({features.begin()->second.size(0), 1}, at::kLong));
  at::Tensor logits = model_->Logits(with_targets, Mode::kPredict);
  logits = logits.reshape({logits.size(0), logits.size(-1)}).to(at::kFloat);
  const auto [scores, labels] = at::log_softmax(logits, 1).max(1);
  std::vector<std::vector<Hypothesis>> results;
  for (int64_t row = 0; row < logits.size(0); ++row) {
    const float score = scores[row].item<float>();
    if (!std::isfinite(score)) {
      throw Error(ExitCode::kDiverged,
                  "the model's logits are not finite numbers", "finite weights",
                  "decode from an earlier checkpoint");
    }
    results.push_back({{{labels[row].item<int64_t>()}, score}});
  }
  return results;
}

std::string TextDecoder::ToText(const FeatureInfo& info,
                                const std::vector<int64_t>& ids,
                                bool keep_all) const {
  if (decode_hparams_.GetBool("identity_output") || info.encoder == nullptr) {
    return JoinIds(ids);
  }
  const auto end =
      keep_all ? ids.end() : std::find(ids.begin(), ids.end(), kEosId);
  return info.encoder->Decode({ids.begin(), end}, false);
}

std::string TextDecoder::OutputText(const std::vector<int64_t>& ids) const {
  return ToText(model_->info().features.at("targets"), ids, keeps_all_ids_);
}

std::string TextDecoder::InputText(const std::vector<int64_t>& ids) const {
  const FeatureInfo& info = InputInfo();
  // Pixels say nothing as a text.
  const ModalityTraits& traits = TraitsOfModality(info.modality);
  if (!traits.is_plain_symbols && !traits.is_class_label) return "";
  return ToText(info, ids, /*keep_all=*/!info.ends_at_eos);
}

std::string TextDecoder::OutputLine(
    const std::vector<Hypothesis>& hypotheses) const {
  if (!decode_hparams_.GetBool("return_beams")) {
    return OutputText(hypotheses.at(0).ids);
  }
  std::vector<std::string> parts;
  for (const Hypothesis& hypothesis : hypotheses) {
    parts.push_back(OutputText(hypothesis.ids));
    if (decode_hparams_.GetBool("write_beam_scores")) {
      parts.push_back(Format("%.2f", static_cast<double>(hypothesis.score)));
    }
  }
  return Join(parts, "\t");
}

void TextDecoder::LogResult(const std::string& input,
                            const std::vector<Hypothesis>& hypotheses) const {
  if (!decode_hparams_.GetBool("log_results")) return;
  const bool beams = decode_hparams_.GetBool("return_beams");
  Log("Inference results INPUT: " + input);
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    if (beams) {
      Log(Format("BEAM %zu: score %.6f", i,
                 static_cast<double>(hypotheses[i].score)));
    }
    Log("Inference results OUTPUT: " + OutputText(hypotheses[i].ids));
  }
}

std::vector<std::pair<size_t, size_t>> TextDecoder::Batches(
    const std::vector<int64_t>& lengths) const {
  const int64_t fixed = decode_hparams_.GetInt("batch_size");
  std::vector<std::pair<size_t, size_t>> batches;
  for (size_t begin = 0; begin < lengths.size();) {
    const int64_t length = std::max<int64_t>(lengths[begin], 1);
    const int64_t size = fixed > 0 ? fixed
                                   : std::clamp<int64_t>(kBatchTokens / length,
                                                         1, kMostSentences);
    const size_t end =
        std::min(lengths.size(), begin + static_cast<size_t>(size));
    batches.emplace_back(begin, end);
    begin = end;
  }
  return batches;
}

}  // namespace t2t
