#include "t2t/decode/search.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/memory_limit.h"
#include "t2t/base/plural.h"
#include "t2t/base/strings.h"
#include "t2t/decode/at_once_search.h"
#include "t2t/decode/blockwise_search.h"
#include "t2t/decode/greedy_search.h"
#include "t2t/decode/step_logits.h"
#include "t2t/model/text_embedder.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

// T2T's "minus infinity" for scores; the arithmetic below is fp32 as there.
constexpr float kInfinity = 1e7F;

void DropPrefix(size_t prefix, std::vector<int64_t>* ids) {
  ids->erase(ids->begin(), ids->begin() + std::min(prefix, ids->size()));
}

struct Beam {
  std::vector<int64_t> ids;
  float score = -kInfinity;
  bool finished = false;
};

// One sentence in beam search.
struct BeamRow {
  int64_t index = 0;  // in the batch
  std::vector<std::vector<int64_t>> alive;
  std::vector<float> alive_log_probs;
  std::vector<Beam> finished;
};

struct Grown {
  float score;
  int64_t beam;
  int64_t id;
};

class BeamSearch {
 public:
  BeamSearch(Model* model, const std::vector<SearchRow>& rows,
             const SearchOptions& options)
      : model_(model), rows_(rows), options_(options) {}

  std::vector<std::vector<Hypothesis>> Run(const Features& features) {
    results_.resize(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) {
      BeamRow row;
      row.index = static_cast<int64_t>(i);
      row.alive.resize(options_.beam_size);
      row.alive_log_probs.assign(options_.beam_size, -kInfinity);
      row.alive_log_probs[0] = 0;
      row.finished.resize(options_.beam_size);
      active_.push_back(std::move(row));
    }
    const std::unique_ptr<DecodeState> state = model_->StartDecoding(features);
    int64_t state_rows = static_cast<int64_t>(rows_.size());
    std::vector<int64_t> parents(rows_.size());
    std::iota(parents.begin(), parents.end(), 0);
    DropDone(/*step=*/0, &parents, /*ids=*/nullptr);
    at::Tensor last_ids;
    for (int64_t step = 0; !active_.empty(); ++step) {
      SelectRows(state.get(), parents, state_rows);
      state_rows = static_cast<int64_t>(parents.size());
      std::vector<int64_t> ids;
      const at::Tensor logits = model_->DecodeStep(state.get(), last_ids);
      if (step == 0) CheckMemory(logits);
      Grow(logits, step, &parents, &ids);
      DropDone(step + 1, &parents, &ids);
      last_ids = ToTensor(ids);
    }
    return std::move(results_);
  }

 private:
  // From the second step on all beams have logits, which are copied once, and
  // one row's candidates are sorted together. (What the model keeps of each
  // beam comes on top.)
  void CheckMemory(const at::Tensor& first_logits) const {
    const auto vocabulary = static_cast<double>(first_logits.size(-1));
    const auto rows = static_cast<double>(rows_.size());
    const auto beam_size = static_cast<double>(options_.beam_size);
    const double bytes =
        2 * sizeof(float) * rows * beam_size * vocabulary +
        sizeof(Grown) * beam_size * std::min(2 * beam_size, vocabulary);
    const auto limit = static_cast<double>(
        options_.memory_limit > 0 ? options_.memory_limit : MemoryLimit());
    if (bytes <= limit) return;
    throw UsageError(
        Format("a search with beam_size=%lld over %.0f symbols, for %s at "
               "once, needs %.1f GB or more",
               static_cast<long long>(options_.beam_size), vocabulary,
               Count(static_cast<int64_t>(rows_.size()), "line").c_str(),
               bytes / 1e9),
        Format("%.1f GB, which is all there is, or less", limit / 1e9),
        rows_.size() > 1 ? "lower the decode hparam beam_size or batch_size"
                         : "lower the decode hparam beam_size");
  }

  // Extends every row's beams by one symbol. At step 0 a row's beams are the
  // same, so the model is given the row once.
  void Grow(const at::Tensor& raw_logits, int64_t step,
            std::vector<int64_t>* parents, std::vector<int64_t>* ids) {
    const int64_t beam_size = options_.beam_size;
    const int64_t width = step == 0 ? 1 : beam_size;
    StepLogits logits(raw_logits, options_.eos_penalty);
    const int64_t k = std::min(2 * beam_size, logits.vocab_size());
    const int64_t count = static_cast<int64_t>(active_.size());
    for (int64_t r = 0; r < count; ++r) {
      const bool forbid = step < rows_[active_[r].index].min_length;
      for (int64_t b = 0; b < width; ++b) {
        logits.PenaliseEos(r * width + b, forbid);
      }
    }
    std::vector<Candidate> top(count * width * k);
    at::parallel_for(0, count * width, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        TopK(logits.row(i), logits.vocab_size(), k, &top[i * k]);
      }
    });
    parents->clear();
    ids->clear();
    const float penalty = LengthPenalty(step + 1);
    std::vector<Grown> grown;
    for (int64_t r = 0; r < count; ++r) {
      BeamRow& row = active_[r];
      const std::vector<int64_t>& prefix = rows_[row.index].prefix;
      if (step < static_cast<int64_t>(prefix.size())) {
        for (int64_t b = 0; b < beam_size; ++b) {
          row.alive[b].push_back(prefix[step]);
          parents->push_back(r * width + (width == 1 ? 0 : b));
          ids->push_back(prefix[step]);
        }
        continue;
      }
      grown.clear();
      for (int64_t b = 0; b < beam_size; ++b) {
        const int64_t at = r * width + (width == 1 ? 0 : b);
        const float norm = logits.norm(at);
        for (int64_t c = 0; c < k; ++c) {
          const Candidate& candidate = top[at * k + c];
          const float log_prob =
              (candidate.logit - norm) + row.alive_log_probs[b];
          grown.push_back({log_prob / penalty, b, candidate.id});
        }
      }
      const size_t keep = std::min<size_t>(2 * beam_size, grown.size());
      std::partial_sort(grown.begin(), grown.begin() + keep, grown.end(),
                        [](const Grown& a, const Grown& b) {
                          if (a.score != b.score) return a.score > b.score;
                          if (a.beam != b.beam) return a.beam < b.beam;
                          return a.id < b.id;
                        });
      grown.resize(keep);
      GrowFinished(grown, &row);
      GrowAlive(grown, penalty, r, width, &row, parents, ids);
    }
  }

  void GrowFinished(const std::vector<Grown>& grown, BeamRow* row) const {
    bool any = false;
    for (const Grown& item : grown) {
      if (item.id != kEosId) continue;
      any = true;
      Beam beam;
      beam.ids = row->alive[item.beam];
      beam.ids.push_back(kEosId);
      beam.score = item.score;
      beam.finished = true;
      row->finished.push_back(std::move(beam));
    }
    if (!any) return;
    std::stable_sort(
        row->finished.begin(), row->finished.end(),
        [](const Beam& a, const Beam& b) { return a.score > b.score; });
    row->finished.resize(options_.beam_size);
  }

  void GrowAlive(const std::vector<Grown>& grown, float penalty, int64_t r,
                 int64_t width, BeamRow* row, std::vector<int64_t>* parents,
                 std::vector<int64_t>* ids) const {
    // Those that ended come last, as in T2T, where they fill up too.
    std::vector<std::pair<float, const Grown*>> order;
    for (const Grown& item : grown) {
      order.emplace_back(item.score - (item.id == kEosId ? kInfinity : 0),
                         &item);
    }
    std::stable_sort(
        order.begin(), order.end(),
        [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::vector<int64_t>> alive;
    std::vector<float> log_probs;
    for (int64_t b = 0; b < options_.beam_size; ++b) {
      const Grown& item = *order[b].second;
      alive.push_back(row->alive[item.beam]);
      alive.back().push_back(item.id);
      log_probs.push_back(item.score * penalty);
      parents->push_back(r * width + (width == 1 ? 0 : item.beam));
      ids->push_back(item.id);
    }
    row->alive = std::move(alive);
    row->alive_log_probs = std::move(log_probs);
  }

  // Takes the rows out that need no further step. parents and ids (may be
  // null) hold an equal number of entries for every active row.
  void DropDone(int64_t step, std::vector<int64_t>* parents,
                std::vector<int64_t>* ids) {
    if (active_.empty()) return;
    const size_t width = parents->size() / active_.size();
    size_t kept = 0;
    for (size_t r = 0; r < active_.size(); ++r) {
      if (options_.is_gone && options_.is_gone(active_[r].index)) continue;
      if (IsDone(active_[r], step)) {
        Finish(&active_[r]);
        continue;
      }
      if (kept != r) {
        active_[kept] = std::move(active_[r]);
        for (size_t b = 0; b < width; ++b) {
          (*parents)[kept * width + b] = (*parents)[r * width + b];
          if (ids != nullptr) (*ids)[kept * width + b] = (*ids)[r * width + b];
        }
      }
      ++kept;
    }
    active_.resize(kept);
    parents->resize(kept * width);
    if (ids != nullptr) ids->resize(kept * width);
  }

  bool IsDone(const BeamRow& row, int64_t step) const {
    const SearchRow& wanted = rows_[row.index];
    if (step >= wanted.decode_length) return true;
    // The best that the likeliest living beam can still reach.
    const float bound =
        row.alive_log_probs[0] / LengthPenalty(wanted.decode_length);
    const Beam& worst_that_matters =
        options_.top_beams == 1 ? row.finished.front() : row.finished.back();
    return worst_that_matters.score > bound;
  }

  void Finish(BeamRow* row) {
    std::vector<Hypothesis>& result = results_[row->index];
    const bool any =
        std::any_of(row->finished.begin(), row->finished.end(),
                    [](const Beam& beam) { return beam.finished; });
    const size_t prefix = rows_[row->index].prefix.size();
    const int64_t count = std::min(options_.top_beams, options_.beam_size);
    for (int64_t b = 0; b < count; ++b) {
      Hypothesis hypothesis;
      hypothesis.ids =
          any ? std::move(row->finished[b].ids) : std::move(row->alive[b]);
      hypothesis.score = any ? row->finished[b].score : row->alive_log_probs[b];
      DropPrefix(prefix, &hypothesis.ids);
      result.push_back(std::move(hypothesis));
    }
  }

  float LengthPenalty(int64_t length) const {
    return std::pow((5.F + static_cast<float>(length)) / 6.F,
                    static_cast<float>(options_.alpha));
  }

  Model* model_;
  const std::vector<SearchRow>& rows_;
  const SearchOptions& options_;
  std::vector<BeamRow> active_;
  std::vector<std::vector<Hypothesis>> results_;
};

// The model as one that guesses ahead, where the search makes use of it.
BlockProposer* ProposerOf(Model* model, const SearchOptions& options) {
  if (options.block_size < 0) {
    throw UsageError("block_size=" + std::to_string(options.block_size),
                     "0 (the model's) or more");
  }
  if (options.accept_top_k < 1) {
    throw UsageError(
        "guess_and_check_top_k=" + std::to_string(options.accept_top_k),
        "1 (what greedy decoding finds) or more");
  }
  auto* const proposer = dynamic_cast<BlockProposer*>(model);
  const bool greedy = options.beam_size == 1 && options.temperature == 0;
  if (options.block_size > 1) {
    const std::string asked =
        "block_size=" + std::to_string(options.block_size);
    if (proposer == nullptr) {
      throw UsageError(asked + " with a model that predicts one symbol at once",
                       "one trained to predict blocks",
                       "use --model=transformer_block_parallel, or leave "
                       "block_size out of --decode_hparams");
    }
    if (!greedy) {
      throw UsageError(asked + " in a search that is not greedy",
                       "beam_size=1 and sampling_method=argmax",
                       "set --decode_hparams=beam_size=1," + asked);
    }
    if (options.block_size > proposer->block_size()) {
      throw UsageError(asked + " with a model that predicts " +
                           std::to_string(proposer->block_size()) + " at once",
                       "no more than these",
                       "lower block_size in --decode_hparams");
    }
  }
  return greedy && options.block_size != 1 ? proposer : nullptr;
}

}  // namespace

std::vector<std::vector<Hypothesis>> Search(Model* model,
                                            const Features& features,
                                            const std::vector<SearchRow>& rows,
                                            const SearchOptions& options) {
  if (options.beam_size < 1) {
    throw UsageError("beam_size=" + std::to_string(options.beam_size),
                     "1 or more");
  }
  if (options.temperature < 0) {
    throw UsageError("sampling_temp is negative", "0 (greedy) or more");
  }
  if (options.keep_top_k == 0 || options.keep_top_k < -1) {
    throw UsageError(
        "sampling_keep_top_k=" + std::to_string(options.keep_top_k),
        "-1 (keep all) or 1 or more");
  }
  if (dynamic_cast<TextEmbedder*>(model) != nullptr) {
    throw UsageError("decoding of a model that makes vectors of texts",
                     "one whose output are symbols", "t2t-eval gives its loss");
  }
  BlockProposer* const proposer = ProposerOf(model, options);
  if (rows.empty()) return {};
  const at::NoGradGuard no_grad;
  if (auto* const decoder = dynamic_cast<AtOnceDecoder*>(model)) {
    return AtOnceSearch(decoder, features, rows, options);
  }
  if (proposer != nullptr) {
    return BlockwiseSearch(model, proposer, features, rows, options);
  }
  if (options.beam_size == 1) {
    return GreedySearch(model, features, rows, options);
  }
  return BeamSearch(model, rows, options).Run(features);
}

}  // namespace t2t
