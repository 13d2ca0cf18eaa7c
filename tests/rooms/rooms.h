#ifndef T2T_TESTS_ROOMS_ROOMS_H_
#define T2T_TESTS_ROOMS_ROOMS_H_

#include <map>
#include <string>
#include <vector>

namespace t2t {

// A row of //:rooms.bzl.
struct Room {
  std::string folder;
  bool sees_torch = false;
};

// The table's rows, in its order: a room includes only rooms before it.
std::vector<Room> ReadRooms(const std::string& rooms_bzl);

// Source files by path from the repository's root ("t2t/nn/norm.cc").
using Sources = std::map<std::string, std::string>;

// One line of text for each #include that the table forbids: of a room below,
// of a room with LibTorch by one without, of LibTorch itself by one without.
// Tests and benchmarks (*_test.cc, *_benchmark.cc, testing_*) may look below
// them. Files outside all rooms (tests, tools) are not looked at.
std::vector<std::string> ForbiddenIncludes(const std::vector<Room>& rooms,
                                           const Sources& sources);

}  // namespace t2t

#endif  // T2T_TESTS_ROOMS_ROOMS_H_
