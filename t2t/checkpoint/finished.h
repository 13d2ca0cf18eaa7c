#ifndef T2T_CHECKPOINT_FINISHED_H_
#define T2T_CHECKPOINT_FINISHED_H_

#include <cstdint>
#include <string>

namespace t2t {

// What a job of several ranks leaves in its output_dir when it is over, all but
// the ranks' own ends: one that is killed just then, and started again, is not
// to wait for others that have ended well.

// settings: what says how long the run is to be. A mark that says the same is
// not written again.
void MarkFinished(const std::string& output_dir, const std::string& settings,
                  int64_t step);
void UnmarkFinished(const std::string& output_dir);
// Whether the newest checkpoint, whole, is the end of a run with these
// settings.
bool IsFinished(const std::string& output_dir, const std::string& settings);

}  // namespace t2t

#endif  // T2T_CHECKPOINT_FINISHED_H_
