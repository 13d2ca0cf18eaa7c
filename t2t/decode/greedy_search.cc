#include "t2t/decode/greedy_search.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "t2t/base/rng.h"
#include "t2t/decode/step_logits.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

int64_t Argmax(const float* logits, int64_t size) {
  return std::max_element(logits, logits + size) - logits;
}

int64_t Sample(const float* logits, int64_t size, const SearchOptions& options,
               uint64_t stream, int64_t step) {
  const int64_t k = options.keep_top_k < 0
                        ? size
                        : std::clamp<int64_t>(options.keep_top_k, 1, size);
  std::vector<Candidate> kept(k);
  if (k < size) {
    TopK(logits, size, k, kept.data());
  } else {
    for (int64_t id = 0; id < size; ++id) kept[id] = {logits[id], id};
  }
  float largest = kept[0].logit;
  for (const Candidate& candidate : kept) {
    largest = std::max(largest, candidate.logit);
  }
  std::vector<double> weights(k);
  double total = 0;
  for (int64_t i = 0; i < k; ++i) {
    weights[i] = std::exp(static_cast<double>(kept[i].logit - largest) /
                          options.temperature);
    total += weights[i];
  }
  Rng rng(Rng::Combine(Rng::Combine(options.seed, stream),
                       static_cast<uint64_t>(step)));
  double left = rng.Uniform() * total;
  for (int64_t i = 0; i < k; ++i) {
    left -= weights[i];
    if (left < 0) return kept[i].id;
  }
  // Rounding ate the last crumb: the likeliest is a sound answer.
  return Argmax(logits, size);
}

// A row that is not done.
struct GreedyRow {
  int64_t index = 0;  // in the batch
  bool hit_eos = false;
  bool is_gone = false;
};

// Takes the rows that are done out of `active`, but not one by one: each time
// copies what the model keeps.
void DropDone(const std::vector<int64_t>& going, DecodeState* state,
              std::vector<GreedyRow>* active, std::vector<int64_t>* ids) {
  if ((active->size() - going.size()) * 8 < active->size()) return;
  SelectRows(state, going, static_cast<int64_t>(active->size()));
  for (size_t r = 0; r < going.size(); ++r) {
    (*active)[r] = (*active)[going[r]];
    (*ids)[r] = (*ids)[going[r]];
  }
  active->resize(going.size());
  ids->resize(going.size());
}

}  // namespace

std::vector<std::vector<Hypothesis>> GreedySearch(
    Model* model, const Features& features, const std::vector<SearchRow>& rows,
    const SearchOptions& options) {
  std::vector<std::vector<Hypothesis>> results(rows.size());
  std::vector<GreedyRow> active;
  for (size_t i = 0; i < rows.size(); ++i) {
    results[i].resize(1);
    active.push_back({static_cast<int64_t>(i)});
  }
  const std::unique_ptr<DecodeState> state = model->StartDecoding(features);
  at::Tensor last_ids;
  std::vector<int64_t> ids(rows.size());
  const auto is_done = [&](const GreedyRow& row, int64_t step) {
    return row.is_gone || step >= rows[row.index].decode_length ||
           (row.hit_eos && !options.force_decode_length);
  };
  for (int64_t step = 0;; ++step) {
    std::vector<int64_t> going;
    for (size_t r = 0; r < active.size(); ++r) {
      GreedyRow& row = active[r];
      row.is_gone =
          row.is_gone || (options.is_gone && options.is_gone(row.index));
      if (!is_done(active[r], step)) going.push_back(static_cast<int64_t>(r));
    }
    if (going.empty()) return results;
    DropDone(going, state.get(), &active, &ids);
    if (step > 0) last_ids = ToTensor(ids);
    StepLogits logits(model->DecodeStep(state.get(), last_ids),
                      options.eos_penalty);
    if (options.count != nullptr) {
      options.count->row_steps += static_cast<int64_t>(going.size());
    }
    for (size_t r = 0; r < active.size(); ++r) {
      if (is_done(active[r], step)) continue;
      const SearchRow& row = rows[active[r].index];
      Hypothesis& hypothesis = results[active[r].index][0];
      if (step < static_cast<int64_t>(row.prefix.size())) {
        ids[r] = row.prefix[step];
        continue;
      }
      const int64_t at = static_cast<int64_t>(r);
      logits.PenaliseEos(at, step < row.min_length);
      ids[r] = options.temperature > 0
                   ? Sample(logits.row(at), logits.vocab_size(), options,
                            row.stream, step)
                   : Argmax(logits.row(at), logits.vocab_size());
      if (!active[r].hit_eos) {
        hypothesis.score += logits.row(at)[ids[r]] - logits.norm(at);
      }
      hypothesis.ids.push_back(ids[r]);
      if (options.count != nullptr) ++options.count->symbols;
      active[r].hit_eos = active[r].hit_eos || ids[r] == kEosId;
    }
  }
}

}  // namespace t2t
