#ifndef T2T_INPUT_WINDOW_PLANNER_H_
#define T2T_INPUT_WINDOW_PLANNER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "t2t/input/batching.h"
#include "t2t/input/input.h"
#include "t2t/input/mixed_reader.h"
#include "t2t/input/record_items.h"

namespace t2t {

// Where a window starts: all that is needed to make it, and those after it,
// again. (Where the files stand is of those that are not held in memory.)
struct WindowStart : TurnPosition {
  int64_t epoch = 0;
  int64_t window = 0;  // in the epoch
  int64_t kept = 0;    // examples of the epoch so far
  // What ends the epoch's windows: the size of their records alone, or (as it
  // was before batches were planned on lengths) that of the parsed examples as
  // well.
  bool by_records = false;
  // Examples that did not fill a batch of the windows before.
  std::vector<Location> carry;
  std::vector<int64_t> carry_epochs;  // in which each of them was read
  // Of a mixture: where each member stands (empty: at its start), the records
  // drawn so far, and the batches of the windows so far.
  std::vector<MemberPosition> members;
  int64_t drawn = 0;
  int64_t batches = 0;
};

// Examples in the order of their batches.
struct Window {
  std::shared_ptr<const WindowStart> start;
  Items data;
  // Where each row begins, and the end of the last (packing only).
  std::vector<size_t> rows;
  std::vector<Range> batches;  // of rows in packing, else of items
};

// Makes windows of examples, one after another, each cut into batches.
class WindowPlanner {
 public:
  virtual ~WindowPlanner() = default;
  // Next() goes on at `start`. all_wanted: every batch is to be made, so that
  // records are all parsed sooner or later.
  virtual void Restore(const WindowStart& start, bool all_wanted) = 0;
  // False at the end (never in training).
  virtual bool Next(Window* window) = 0;
};

// file_sizes: of options.files. The options outlive it.
std::unique_ptr<WindowPlanner> MakeWindowPlanner(
    const InputOptions& options, const std::vector<int64_t>& file_sizes);

}  // namespace t2t

#endif  // T2T_INPUT_WINDOW_PLANNER_H_
