#include "t2t/input/chunked_input.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/json.h"

namespace t2t {
namespace {

// Rows [first, first + count) of a tensor.
HostTensor Rows(const HostTensor& whole, int64_t first, int64_t count) {
  std::vector<int64_t> shape = whole.shape();
  shape[0] = count;
  HostTensor part(whole.type(), std::move(shape));
  const size_t row = part.size_bytes() / static_cast<size_t>(count);
  std::ranges::copy(whole.bytes().subspan(static_cast<size_t>(first) * row,
                                          part.size_bytes()),
                    part.bytes().begin());
  return part;
}

// The bytes of up to `length` ids of a row of ids [batch, all].
std::span<const std::byte> IdBytes(const HostTensor& ids, int64_t row,
                                   int64_t first, int64_t length) {
  const int64_t all = ids.shape()[1];
  const auto size = static_cast<int64_t>(ByteSize(ids.type()));
  return ids.bytes().subspan(
      static_cast<size_t>((row * all + first) * size),
      static_cast<size_t>(std::min(length, all - first) * size));
}

// Columns [first, first + length) of ids [batch, all], padded.
HostTensor Columns(const HostTensor& ids, int64_t first, int64_t length) {
  const int64_t rows = ids.shape()[0];
  HostTensor part(ids.type(), {rows, length});
  for (int64_t row = 0; row < rows; ++row) {
    std::ranges::copy(
        IdBytes(ids, row, first, length),
        part.bytes().begin() + row * length * ByteSize(ids.type()));
  }
  return part;
}

class ChunkedPipeline : public InputPipeline {
 public:
  ChunkedPipeline(std::unique_ptr<InputPipeline> whole, int64_t length,
                  int64_t max_rows)
      : whole_(std::move(whole)), length_(length), max_rows_(max_rows) {}

  std::optional<Batch> Next() override {
    while (next_ >= static_cast<int64_t>(pieces_.size())) {
      // After Restore() pieces_ is empty, and next_ where to go on.
      const int64_t skip = restored_ ? next_ : 0;
      restored_ = false;
      before_ = whole_->State();
      batch_ = whole_->Next();
      next_ = skip;
      pieces_.clear();
      if (!batch_) return std::nullopt;
      FindPieces();
    }
    return Cut(pieces_[static_cast<size_t>(next_++)]);
  }

  std::string State() const override {
    const bool inside =
        restored_ || next_ < static_cast<int64_t>(pieces_.size());
    Json state = Json::Object();
    state.Set("whole", inside ? before_ : whole_->State());
    state.Set("chunk", inside ? next_ : int64_t{0});
    return state.ToString();
  }

  void Restore(const std::string& state) override {
    const Json json = Json::Parse(state);
    const bool ours = json.is_object() && json.Find("chunk") != nullptr;
    pieces_.clear();
    batch_.reset();
    if (!ours) {
      // Of a run that did not cut its targets.
      before_ = state;
      next_ = 0;
    } else {
      before_ = json.At("whole").AsString();
      next_ = json.At("chunk").AsInt();
      if (next_ < 0) {
        throw DataError("the input state names chunk " + std::to_string(next_),
                        "what State() gave");
      }
    }
    restored_ = true;
    whole_->Restore(before_);
  }

 private:
  struct Piece {
    int64_t row = 0;
    int64_t rows = 0;
    int64_t number = 0;  // the chunk's
  };

  void FindPieces() {
    const auto found = batch_->find("targets");
    if (found == batch_->end() || found->second.is_float() ||
        found->second.shape().size() != 2) {
      throw UsageError(
          "split_targets_chunk_length for targets that are no sequences of "
          "symbols",
          "a problem whose targets are text",
          "set --hparams=split_targets_chunk_length=0");
    }
    if (batch_->count("targets_segmentation") > 0) {
      throw UsageError("split_targets_chunk_length with packed examples",
                       "one example a row", "set --hparams=pack_dataset=false");
    }
    const HostTensor& targets = found->second;
    const int64_t all = targets.shape()[0];
    const int64_t columns = targets.shape()[1];
    const int64_t most = max_rows_ > 0 ? max_rows_ : std::max<int64_t>(all, 1);
    for (int64_t row = 0; row < all; row += most) {
      const int64_t rows = std::min(most, all - row);
      for (int64_t first = 0; first < columns; first += length_) {
        bool any = false;
        for (int64_t i = row; i < row + rows && !any; ++i) {
          any = std::ranges::any_of(
              IdBytes(targets, i, first, length_),
              [](std::byte byte) { return byte != std::byte{0}; });
        }
        if (any) pieces_.push_back({row, rows, first / length_});
      }
    }
  }

  Batch Cut(const Piece& piece) const {
    Batch cut;
    for (const auto& [name, tensor] : *batch_) {
      cut[name] = Rows(tensor, piece.row, piece.rows);
    }
    cut["targets"] =
        Columns(cut.at("targets"), piece.number * length_, length_);
    cut["chunk_number"] = HostTensor(
        {piece.rows, 1},
        std::vector<int64_t>(static_cast<size_t>(piece.rows), piece.number));
    return cut;
  }

  const std::unique_ptr<InputPipeline> whole_;
  const int64_t length_;
  const int64_t max_rows_;
  std::string before_;  // whole_'s state before batch_
  std::optional<Batch> batch_;
  std::vector<Piece> pieces_;  // of batch_
  int64_t next_ = 0;           // piece
  bool restored_ = false;      // and batch_ not yet read
};

}  // namespace

std::unique_ptr<InputPipeline> MakeChunkedPipeline(
    std::unique_ptr<InputPipeline> whole, int64_t length, int64_t max_rows) {
  return std::make_unique<ChunkedPipeline>(std::move(whole), length, max_rows);
}

}  // namespace t2t
