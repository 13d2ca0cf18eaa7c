#include "t2t/decode/at_once_search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/decode/step_logits.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

// Of each row, up to its last id that is no padding; 1 at least.
std::vector<int64_t> LengthsOf(const at::Tensor& ids_BL) {
  const at::Tensor ends =
      (ids_BL.ne(0) * at::arange(1, ids_BL.size(1) + 1, ids_BL.options()))
          .amax(1)
          .clamp_min(1)
          .cpu();
  const auto* const data = ends.const_data_ptr<int64_t>();
  return {data, data + ends.numel()};
}

Hypothesis Likeliest(const StepLogits& logits, int64_t first, int64_t length,
                     const SearchOptions& options) {
  Hypothesis hypothesis;
  bool ended = false;
  for (int64_t i = first; i < first + length; ++i) {
    const float* const scores = logits.row(i);
    const int64_t id =
        std::max_element(scores, scores + logits.vocab_size()) - scores;
    if (!ended) hypothesis.score += scores[id] - logits.norm(i);
    hypothesis.ids.push_back(id);
    ended = ended || id == kEosId;
    if (ended && !options.force_decode_length) break;
  }
  return hypothesis;
}

}  // namespace

std::vector<std::vector<Hypothesis>> AtOnceSearch(
    AtOnceDecoder* decoder, const Features& features,
    const std::vector<SearchRow>& rows, const SearchOptions& options) {
  if (options.temperature > 0) {
    throw UsageError("sampling from a model that makes all symbols at once",
                     "sampling_method=argmax",
                     "leave sampling_method out of --hparams");
  }
  const at::Tensor& inputs = RequiredFeature(features, "inputs");
  const bool is_text = inputs.dim() == 2;
  const std::vector<int64_t> lengths =
      is_text ? LengthsOf(inputs)
              : std::vector<int64_t>(rows.size(), inputs.size(1));
  std::map<int64_t, std::vector<int64_t>> by_length;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (options.is_gone && options.is_gone(i)) continue;
    by_length[lengths[i]].push_back(static_cast<int64_t>(i));
  }
  std::vector<std::vector<Hypothesis>> results(rows.size(),
                                               std::vector<Hypothesis>(1));
  for (const auto& [length, members] : by_length) {
    const at::Tensor chosen = ToTensor(members);
    Features alike;
    for (const auto& [name, value] : features) {
      alike[name] = value.index_select(0, chosen.to(value.device()));
    }
    if (is_text) alike["inputs"] = alike["inputs"].narrow(1, 0, length);
    const at::Tensor logits_BLV = decoder->DecodeAtOnce(alike);
    StepLogits logits(logits_BLV.flatten(0, 1), options.eos_penalty);
    const int64_t most = logits_BLV.size(1);
    for (size_t r = 0; r < members.size(); ++r) {
      const SearchRow& row = rows[members[r]];
      const int64_t first = static_cast<int64_t>(r) * most;
      for (int64_t i = 0; i < most; ++i) {
        logits.PenaliseEos(first + i, i < row.min_length);
      }
      results[members[r]][0] =
          Likeliest(logits, first, std::min(most, row.decode_length), options);
    }
  }
  return results;
}

}  // namespace t2t
