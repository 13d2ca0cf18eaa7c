#include "t2t/decode/blockwise_search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "t2t/decode/step_logits.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

class Blockwise {
 public:
  Blockwise(BlockProposer* proposer, int64_t block_size,
            const std::vector<SearchRow>& rows, const SearchOptions& options)
      : proposer_(proposer),
        block_size_(block_size),
        rows_(rows),
        options_(options),
        results_(rows.size(), std::vector<Hypothesis>(1)) {}

  std::vector<std::vector<Hypothesis>> Run(DecodeState* state) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      active_.push_back({.index = static_cast<int64_t>(i), .block = {}});
    }
    while (DropDone(state)) {
      const at::Tensor fed = Fed();
      const at::Tensor logits_RNV = proposer_->VerifyStep(state, fed);
      if (options_.count != nullptr) {
        for (const Row& row : active_) {
          options_.count->row_steps += IsDone(row) ? 0 : 1;
        }
      }
      const std::vector<int64_t> counts = Verify(logits_RNV);
      Guess(proposer_->Propose(state, counts));
    }
    return std::move(results_);
  }

 private:
  struct Row {
    int64_t index = 0;  // in the batch
    // How many symbols are known, the prefix's included.
    int64_t known = 0;
    // What the next step feeds: the last symbol that is known and the guesses
    // behind it. Empty: the start.
    std::vector<int64_t> block;
    bool hit_eos = false;
    bool is_gone = false;
  };

  const SearchRow& Wanted(const Row& row) const { return rows_[row.index]; }

  bool IsDone(const Row& row) const {
    return row.is_gone || row.known >= Wanted(row).decode_length ||
           (row.hit_eos && !options_.force_decode_length);
  }

  // Returns whether any row goes on. Rows that are done are taken out, but not
  // one by one: each time copies what the model keeps.
  bool DropDone(DecodeState* state) {
    std::vector<int64_t> going;
    for (size_t r = 0; r < active_.size(); ++r) {
      Row& row = active_[r];
      row.is_gone =
          row.is_gone || (options_.is_gone && options_.is_gone(row.index));
      if (!IsDone(row)) going.push_back(static_cast<int64_t>(r));
    }
    if (going.empty()) return false;
    if ((active_.size() - going.size()) * 8 < active_.size()) return true;
    SelectRows(state, going, static_cast<int64_t>(active_.size()));
    std::vector<Row> kept;
    for (const int64_t r : going) kept.push_back(std::move(active_[r]));
    active_ = std::move(kept);
    return true;
  }

  at::Tensor Fed() const {
    if (active_.front().block.empty()) return at::Tensor();
    std::vector<int64_t> ids;
    for (const Row& row : active_) {
      ids.insert(ids.end(), row.block.begin(), row.block.end());
    }
    return ToTensor(ids).view({static_cast<int64_t>(active_.size()), -1});
  }

  // Goes along each row's guesses. Returns how many of the fed symbols are
  // right, the first one included.
  std::vector<int64_t> Verify(const at::Tensor& logits_RNV) {
    StepLogits logits(logits_RNV.flatten(0, 1), options_.eos_penalty);
    const int64_t fed = logits_RNV.size(1);
    std::vector<int64_t> counts;
    for (size_t r = 0; r < active_.size(); ++r) {
      Row& row = active_[r];
      if (IsDone(row)) {
        row.block.assign(1, kPadId);
        counts.push_back(1);
        continue;
      }
      int64_t count = 1;
      for (;; ++count) {
        const int64_t at = static_cast<int64_t>(r) * fed + count - 1;
        const bool has_guess = count < fed;
        const int64_t guess = has_guess ? row.block[count] : -1;
        const int64_t id = Settle(at, guess, &logits, &row);
        if (!has_guess || id != guess || IsDone(row)) {
          row.block.assign(1, id);
          break;
        }
      }
      counts.push_back(count);
    }
    return counts;
  }

  // The row's next symbol, out of the logits' row `at`.
  int64_t Settle(int64_t at, int64_t guess, StepLogits* logits, Row* row) {
    const SearchRow& wanted = Wanted(*row);
    const int64_t position = row->known++;
    if (position < static_cast<int64_t>(wanted.prefix.size())) {
      return wanted.prefix[position];
    }
    logits->PenaliseEos(at, position < wanted.min_length);
    const float* const scores = logits->row(at);
    const int64_t k =
        std::clamp<int64_t>(options_.accept_top_k, 1, logits->vocab_size());
    std::vector<Candidate> top(k);
    TopK(scores, logits->vocab_size(), k, top.data());
    const bool accepted = std::any_of(
        top.begin(), top.end(),
        [&](const Candidate& candidate) { return candidate.id == guess; });
    const int64_t id = accepted ? guess : top.front().id;
    Hypothesis& hypothesis = results_[row->index][0];
    if (!row->hit_eos) hypothesis.score += scores[id] - logits->norm(at);
    hypothesis.ids.push_back(id);
    row->hit_eos = row->hit_eos || id == kEosId;
    if (options_.count != nullptr) ++options_.count->symbols;
    return id;
  }

  // Fills the blocks up, of which the first symbol is there.
  void Guess(const at::Tensor& logits_RKV) {
    if (block_size_ == 1) return;
    const at::Tensor guesses_RK = logits_RKV.argmax(-1).cpu();
    const auto guesses = guesses_RK.accessor<int64_t, 2>();
    for (size_t r = 0; r < active_.size(); ++r) {
      Row& row = active_[r];
      const std::vector<int64_t>& prefix = Wanted(row).prefix;
      for (int64_t k = 0; k + 1 < block_size_; ++k) {
        const int64_t position = row.known + k;
        row.block.push_back(position < static_cast<int64_t>(prefix.size())
                                ? prefix[position]
                                : guesses[static_cast<int64_t>(r)][k]);
      }
    }
  }

  BlockProposer* const proposer_;
  const int64_t block_size_;
  const std::vector<SearchRow>& rows_;
  const SearchOptions& options_;
  std::vector<std::vector<Hypothesis>> results_;
  std::vector<Row> active_;
};

}  // namespace

std::vector<std::vector<Hypothesis>> BlockwiseSearch(
    Model* model, BlockProposer* proposer, const Features& features,
    const std::vector<SearchRow>& rows, const SearchOptions& options) {
  proposer->CheckCanPropose();
  const int64_t most = proposer->block_size();
  const int64_t block_size =
      options.block_size > 0 ? std::min(options.block_size, most) : most;
  if (options.count != nullptr) options.count->in_blocks = true;
  const std::unique_ptr<DecodeState> state = model->StartDecoding(features);
  return Blockwise(proposer, block_size, rows, options).Run(state.get());
}

}  // namespace t2t
