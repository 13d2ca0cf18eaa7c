// Which room may include which: //:rooms.bzl, held against all sources.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "tests/rooms/rooms.h"

namespace t2t {
namespace {

namespace stdfs = std::filesystem;

const std::vector<Room> kRooms = {{"t2t/base", false},
                                  {"t2t/input", false},
                                  {"t2t/ops", true},
                                  {"t2t/nn", true},
                                  {"launch/app", false}};

std::vector<std::string> Forbidden(const std::string& path,
                                   const std::string& header) {
  return ForbiddenIncludes(kRooms,
                           {{path, "// x\n#include \"" + header + "\"\n"}});
}

TEST(IncludesTest, PlantedLinesAreNamed) {
  EXPECT_THAT(
      Forbidden("t2t/ops/device.cc", "t2t/nn/norm.h"),
      testing::ElementsAre("t2t/ops/device.cc:2: #include \"t2t/nn/norm.h\": "
                           "t2t/nn lies below t2t/ops"));
  EXPECT_THAT(
      Forbidden("launch/app/app.cc", "t2t/nn/norm.h"),
      testing::ElementsAre(testing::HasSubstr(
          "launch/app is a room without LibTorch, t2t/nn is one with it")));
  EXPECT_THAT(Forbidden("t2t/input/input_test.cc", "ATen/ATen.h"),
              testing::ElementsAre(
                  testing::HasSubstr("t2t/input is a room without LibTorch")));
}

TEST(IncludesTest, WhatTheTableAllows) {
  for (const auto& [path, header] :
       std::vector<std::pair<std::string, std::string>>{
           {"t2t/nn/norm.cc", "t2t/ops/device.h"},
           {"t2t/nn/norm.cc", "t2t/nn/attention.h"},
           {"t2t/nn/norm.cc", "ATen/ATen.h"},
           {"launch/app/app.cc", "t2t/input/batch.h"},
           {"t2t/base/base_test.cc", "t2t/input/batch.h"},
           {"tests/e2e/x.cc", "t2t/nn/norm.h"},
           {"t2t/base/fs.cc", "string"}}) {
    EXPECT_THAT(Forbidden(path, header), testing::IsEmpty()) << path;
  }
}

TEST(IncludesTest, TheRepository) {
  // Bazel's runfiles are links to the sources. All of them are looked at, not
  // those alone that this target names, so that none can be forgotten.
  const stdfs::path root = stdfs::canonical("rooms.bzl").parent_path();
  const std::vector<Room> rooms = ReadRooms(ReadFile("rooms.bzl"));
  ASSERT_GT(rooms.size(), 20u);
  Sources sources;
  for (const Room& room : rooms) {
    if (!stdfs::exists(root / room.folder)) continue;
    for (const auto& entry :
         stdfs::recursive_directory_iterator(root / room.folder)) {
      const std::string extension = entry.path().extension();
      if (extension == ".cc" || extension == ".h" || extension == ".cu" ||
          extension == ".inc") {
        sources[stdfs::relative(entry.path(), root)] = ReadFile(entry.path());
      }
    }
  }
  ASSERT_GT(sources.size(), 300u);
  for (const std::string& line : ForbiddenIncludes(rooms, sources)) {
    ADD_FAILURE() << line;
  }
}

}  // namespace
}  // namespace t2t
