#include "tests/rooms/rooms.h"

#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace t2t {
namespace {

// The number of the innermost room that holds the path; -1: none.
int RoomOf(const std::vector<Room>& rooms, const std::string& path) {
  int found = -1;
  size_t length = 0;
  for (size_t i = 0; i < rooms.size(); ++i) {
    const std::string folder = rooms[i].folder + "/";
    if (path.rfind(folder, 0) == 0 && folder.size() > length) {
      found = static_cast<int>(i);
      length = folder.size();
    }
  }
  return found;
}

bool IsTest(const std::string& path) {
  static const std::regex kTest(
      R"((.*_(test|benchmark)\.cc|.*/testing_[^/]*))");
  return std::regex_match(path, kTest);
}

bool IsTorch(const std::string& header) {
  static const std::regex kTorch(R"((ATen|c10|torch|caffe2)/.*)");
  return std::regex_match(header, kTorch);
}

std::string Verdict(const std::vector<Room>& rooms, const std::string& path,
                    const std::string& header) {
  const int from = RoomOf(rooms, path);
  if (IsTorch(header)) {
    if (rooms[from].sees_torch) return "";
    return rooms[from].folder + " is a room without LibTorch";
  }
  const int to = RoomOf(rooms, header);
  if (to < 0 || to == from || IsTest(path)) return "";
  if (to > from) {
    return rooms[to].folder + " lies below " + rooms[from].folder;
  }
  if (rooms[to].sees_torch && !rooms[from].sees_torch) {
    return rooms[from].folder + " is a room without LibTorch, " +
           rooms[to].folder + " is one with it";
  }
  return "";
}

}  // namespace

std::vector<Room> ReadRooms(const std::string& rooms_bzl) {
  static const std::regex kRow(R"re( *\("([^"]+)", (True|False)\),)re");
  std::vector<Room> rooms;
  std::istringstream lines(rooms_bzl);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, kRow)) {
      rooms.push_back({match[1], match[2] == "True"});
    }
  }
  return rooms;
}

std::vector<std::string> ForbiddenIncludes(const std::vector<Room>& rooms,
                                           const Sources& sources) {
  static const std::regex kInclude(R"re(#include ["<]([^">]+)[">].*)re");
  std::vector<std::string> forbidden;
  for (const auto& [path, text] : sources) {
    if (RoomOf(rooms, path) < 0) continue;
    std::istringstream lines(text);
    std::smatch match;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      if (line.rfind("#include", 0) != 0 ||
          !std::regex_match(line, match, kInclude)) {
        continue;
      }
      const std::string why = Verdict(rooms, path, match[1]);
      if (!why.empty()) {
        forbidden.push_back(path + ":" + std::to_string(number) + ": " + line +
                            ": " + why);
      }
    }
  }
  return forbidden;
}

}  // namespace t2t
