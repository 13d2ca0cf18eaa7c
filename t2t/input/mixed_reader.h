#ifndef T2T_INPUT_MIXED_READER_H_
#define T2T_INPUT_MIXED_READER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "t2t/base/rng.h"
#include "t2t/input/record_items.h"

namespace t2t {

// Where a member of a mixture stands in its files.
struct MemberPosition : TurnPosition {
  int64_t epoch = 0;
};

// Draws each record from one of options.members, which begin again, in another
// order of their files, when these end. Which member a record is of is a
// function of the window's seed and its number in the window.
class MixedReader : public RecordSource {
 public:
  // The options outlive it.
  explicit MixedReader(const InputOptions& options);

  // members: empty, or one for each.
  void Restore(const std::vector<MemberPosition>& members, int64_t drawn);
  void Save(std::vector<MemberPosition>* members, int64_t* drawn) const;
  // batches: planned before the window.
  void BeginWindow(uint64_t seed, int64_t batches);
  // How many of the window's records are of each member.
  const std::vector<int64_t>& in_window() const { return in_window_; }
  // Never false. Throws a DataError where a member has no record.
  bool Next(RawRecord* record) override;

 private:
  struct Member {
    uint32_t first_file = 0;
    int64_t epoch = 0;
    std::unique_ptr<TurnReader> reader;
  };

  void OpenEpoch(size_t i);
  size_t Draw();

  const InputOptions& options_;
  std::vector<Member> members_;
  Rng rng_{0};
  std::vector<int64_t> in_window_;
  int64_t batches_ = 0;
  int64_t drawn_ = 0;
};

}  // namespace t2t

#endif  // T2T_INPUT_MIXED_READER_H_
