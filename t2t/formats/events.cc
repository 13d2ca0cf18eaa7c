#include "t2t/formats/events.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>
#include <vector>

#include "t2t/base/crc32c.h"
#include "t2t/base/error.h"
#include "t2t/base/file_lock.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/formats/tfrecord.h"

namespace t2t {
namespace {

constexpr char kNamePrefix[] = "events.out.tfevents.";
constexpr size_t kStampSize = 10;

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

// False at the end, or where the bytes are no varint.
bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Whether it is an event with values (field 5) of this step (field 2).
bool HasValuesAt(std::string_view event, int64_t step) {
  uint64_t key = 0;
  uint64_t found_step = 0;
  bool values = false;
  while (TakeVarint(&event, &key)) {
    uint64_t number = 8;  // of a fixed64
    if ((key & 7) == 0) {
      if (!TakeVarint(&event, &number)) return false;
      if (key >> 3 == 2) found_step = number;
      continue;
    }
    if ((key & 7) == 5) number = 4;
    if ((key & 7) == 2 && !TakeVarint(&event, &number)) return false;
    if (number > event.size()) return false;
    event.remove_prefix(number);
    values |= key >> 3 == 5;
  }
  return values && found_step == static_cast<uint64_t>(step);
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
  std::string version = EventHead(0);
  AppendBytes(3, "brain.Event:2", &version);
  WriteRecord(version);
  if (first_step) {
    std::string start = EventHead(*first_step);
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
