#ifndef T2T_TRAIN_EVENTS_H_
#define T2T_TRAIN_EVENTS_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

namespace t2t {

// A TensorBoard event file, events.out.tfevents.* in a folder that it makes.
class EventWriter {
 public:
  // start_step: TensorBoard drops what an earlier run that was killed wrote
  // from this step on.
  EventWriter(const std::string& dir, int64_t start_step);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // Values by tag; flushed at once. wall_time: when they came to be, in seconds
  // since 1970; 0: now. Throws an IoError.
  void Write(int64_t step, const std::map<std::string, double>& scalars,
             double wall_time = 0);

 private:
  void WriteRecord(const std::string& event);

  std::string path_;
  std::FILE* file_ = nullptr;
};

}  // namespace t2t

#endif  // T2T_TRAIN_EVENTS_H_
