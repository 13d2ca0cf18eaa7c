#include "t2t/train/events.h"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string_view>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Protocol buffers by hand: tensorflow.Event and what it holds.
template <typename T>
void AppendLittleEndian(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) {
    *out += static_cast<char>((value & 0x7F) | 0x80);
  }
  *out += static_cast<char>(value);
}

void AppendTag(int field, int wire_type, std::string* out) {
  AppendVarint(static_cast<uint64_t>(field) << 3 | wire_type, out);
}

void AppendBytes(int field, std::string_view bytes, std::string* out) {
  AppendTag(field, 2, out);
  AppendVarint(bytes.size(), out);
  out->append(bytes);
}

double WallSeconds() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string EventHead(int64_t step, double wall_time = 0) {
  std::string event;
  AppendTag(1, 1, &event);  // wall_time
  AppendLittleEndian(wall_time > 0 ? wall_time : WallSeconds(), &event);
  AppendTag(2, 0, &event);  // step
  AppendVarint(static_cast<uint64_t>(step), &event);
  return event;
}

}  // namespace

EventWriter::EventWriter(const std::string& dir, int64_t start_step) {
  MakeDirectories(dir);
  char host[256] = "localhost";
  ::gethostname(host, sizeof(host) - 1);
  path_ = JoinPath(
      dir, Format("events.out.tfevents.%010lld.%s.%d",
                  static_cast<long long>(WallSeconds()), host, ::getpid()));
  file_ = std::fopen(path_.c_str(), "abe");
  if (file_ == nullptr) throw IoError("can't write", path_);
  std::string version = EventHead(0);
  AppendBytes(3, "brain.Event:2", &version);
  WriteRecord(version);
  if (start_step > 0) {
    std::string start = EventHead(start_step);
    AppendBytes(7, std::string("\x08\x01", 2), &start);  // session_log START
    WriteRecord(start);
  }
}

EventWriter::~EventWriter() { std::fclose(file_); }

void EventWriter::Write(int64_t step,
                        const std::map<std::string, double>& scalars,
                        double wall_time) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    AppendBytes(1, tag, &value);
    AppendTag(2, 5, &value);  // simple_value
    AppendLittleEndian(static_cast<float>(number), &value);
    AppendBytes(1, value, &summary);
  }
  std::string event = EventHead(step, wall_time);
  AppendBytes(5, summary, &event);
  WriteRecord(event);
}

void EventWriter::WriteRecord(const std::string& event) {
  std::string record;
  AppendLittleEndian(static_cast<uint64_t>(event.size()), &record);
  const uint32_t length_crc = MaskCrc(Crc32c(record));
  AppendLittleEndian(length_crc, &record);
  record += event;
  AppendLittleEndian(MaskCrc(Crc32c(event)), &record);
  if (std::fwrite(record.data(), 1, record.size(), file_) != record.size() ||
      std::fflush(file_) != 0) {
    throw IoError("can't write", path_);
  }
}

}  // namespace t2t
