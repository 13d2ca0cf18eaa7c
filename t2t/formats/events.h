#ifndef T2T_FORMATS_EVENTS_H_
#define T2T_FORMATS_EVENTS_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "t2t/formats/image.h"

namespace t2t {

struct TaggedImage {
  std::string tag;
  Image image;
};

// A TensorBoard event file, events.out.tfevents.* in a folder that it makes.
class EventWriter {
 public:
  // TensorBoard drops what earlier files of the folder have from first_step on:
  // a run that was killed wrote it, and it is to come again. Where there is
  // none, all of it stays. TensorBoard reads files in the order of their names,
  // so this one's comes behind those that are there.
  EventWriter(const std::string& dir, std::optional<int64_t> first_step);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // Values by tag; flushed at once. wall_time: when they came to be, in seconds
  // since 1970; 0: now. Throws an IoError.
  void Write(int64_t step, const std::map<std::string, double>& scalars,
             double wall_time = 0);
  // Images, as PNGs; TensorBoard shows them by tag and step.
  void WriteImages(int64_t step, const std::vector<TaggedImage>& images);

 private:
  void WriteRecord(const std::string& event);

  std::string path_;
  std::FILE* file_ = nullptr;
};

// Whether a folder's event files have values at this step. Files that are
// damaged count as far as they can be read.
bool HasEventsAt(const std::string& dir, int64_t step);

}  // namespace t2t

#endif  // T2T_FORMATS_EVENTS_H_
