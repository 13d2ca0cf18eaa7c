#include "t2t/formats/events.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <vector>

#include "proto/event.pb.h"
#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/png.h"
#include "t2t/formats/tfrecord.h"

namespace t2t {
namespace {

constexpr char kNamePrefix[] = "events.out.tfevents.";
constexpr size_t kStampSize = 10;

double WallSeconds() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

tensorflow::Event MakeEvent(int64_t step, double wall_time = 0) {
  tensorflow::Event event;
  event.set_wall_time(wall_time > 0 ? wall_time : WallSeconds());
  event.set_step(step);
  return event;
}

std::vector<std::string> EventFiles(const std::string& dir) {
  std::vector<std::string> names;
  if (!IsDirectory(dir)) return names;
  for (const std::string& name : ListDirectory(dir)) {
    if (StartsWith(name, kNamePrefix)) names.push_back(name);
  }
  return names;
}

// The time, or where there is a file of this second or of a clock that was
// ahead, the second behind it.
int64_t Stamp(const std::string& dir) {
  int64_t stamp = static_cast<int64_t>(WallSeconds());
  for (const std::string& name : EventFiles(dir)) {
    int64_t other = 0;
    if (ParseInt(name.substr(sizeof(kNamePrefix) - 1, kStampSize), &other)) {
      stamp = std::max(stamp, other + 1);
    }
  }
  return stamp;
}

// Whether it is an event with values of this step.
bool HasValuesAt(std::string_view bytes, int64_t step) {
  tensorflow::Event event;
  return bytes.size() <= std::numeric_limits<int>::max() &&
         event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
         event.has_summary() && event.step() == step;
}

}  // namespace

EventWriter::EventWriter(const std::string& dir,
                         std::optional<int64_t> first_step) {
  MakeDirectories(dir);
  // In containers every pid is 1, and those of a Pod have one host name.
  path_ = JoinPath(
      dir, Format("%s%010lld.%s.%d.%s", kNamePrefix,
                  static_cast<long long>(Stamp(dir)), HostName().c_str(),
                  ::getpid(), RandomToken().c_str()));
  file_ = std::fopen(path_.c_str(), "abex");
  if (file_ == nullptr) throw IoError("can't write", path_);
  tensorflow::Event version = MakeEvent(0);
  version.set_file_version("brain.Event:2");
  WriteRecord(version.SerializeAsString());
  if (first_step) {
    tensorflow::Event start = MakeEvent(*first_step);
    start.mutable_session_log()->set_status(tensorflow::SessionLog::START);
    WriteRecord(start.SerializeAsString());
  }
}

EventWriter::~EventWriter() { std::fclose(file_); }

void EventWriter::Write(int64_t step,
                        const std::map<std::string, double>& scalars,
                        double wall_time) {
  tensorflow::Event event = MakeEvent(step, wall_time);
  tensorflow::Summary* const summary = event.mutable_summary();
  for (const auto& [tag, number] : scalars) {
    tensorflow::Summary::Value* const value = summary->add_value();
    value->set_tag(tag);
    value->set_simple_value(static_cast<float>(number));
  }
  WriteRecord(event.SerializeAsString());
}

void EventWriter::WriteImages(int64_t step,
                              const std::vector<TaggedImage>& images) {
  tensorflow::Event event = MakeEvent(step);
  for (const TaggedImage& tagged : images) {
    tensorflow::Summary::Value* const value =
        event.mutable_summary()->add_value();
    value->set_tag(tagged.tag);
    tensorflow::Summary::Image* const image = value->mutable_image();
    image->set_height(static_cast<int32_t>(tagged.image.height));
    image->set_width(static_cast<int32_t>(tagged.image.width));
    image->set_colorspace(static_cast<int32_t>(tagged.image.channels));
    image->set_encoded_image_string(EncodePng(tagged.image));
  }
  WriteRecord(event.SerializeAsString());
}

void EventWriter::WriteRecord(const std::string& event) {
  std::string record;
  AppendTfRecord(event, &record);
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() ||
      std::fflush(file_) != 0) {
    throw IoError("can't write", path_);
  }
}

bool HasEventsAt(const std::string& dir, int64_t step) {
  for (const std::string& name : EventFiles(dir)) {
    const std::string bytes = ReadFile(JoinPath(dir, name));
    size_t offset = 0;
    std::string_view event;
    try {
      while (NextTfRecord(bytes, &offset, name, &event)) {
        if (HasValuesAt(event, step)) return true;
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) throw;
    }
  }
  return false;
}

}  // namespace t2t
