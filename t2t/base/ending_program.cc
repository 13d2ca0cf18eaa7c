// For process_end_test: ends as its first argument says.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/process_end.h"

namespace t2t {
namespace {

void WriteMuch(const std::string& path) {
  AtomicWriter writer(path);
  const std::string block(1 << 16, 'x');
  for (int i = 0; i < 1024; ++i) writer.Write(block);
  writer.Commit();
}

[[noreturn]] void OpenMuch(const std::string& path) {
  std::vector<std::unique_ptr<RandomAccessFile>> files;
  while (true) files.push_back(std::make_unique<RandomAccessFile>(path));
}

[[noreturn]] void StartMuch() {
  while (true) {
    std::thread([] {
      while (true) ::pause();
    }).detach();
  }
}

template <typename Body>
void InThread(const Body& body) {
  std::thread thread(body);
  thread.join();
}

// Prints and logs many lines, then writes the file.
void LogMuch(const std::string& path) {
  for (int i = 0; i < 1000; ++i) {
    std::printf("output %d\n", i);
    std::fflush(stdout);
    std::fprintf(stderr, "line %d\n", i);
  }
  WriteFileAtomically(path, "done");
}

int Main(int argc, char** argv) {
  Flags flags("Ends.", "ending_program how");
  const std::vector<std::string> arguments = flags.Parse(argc, argv);
  const std::string how = arguments.at(0);
  const std::string path = arguments.size() > 1 ? arguments[1] : "";
  if (how == "wait") {
    std::puts("ready");
    std::fflush(stdout);
    while (true) ::pause();
  }
  if (how == "allocate") {
    for (std::vector<std::unique_ptr<char[]>> all;;) {
      all.emplace_back(new char[1 << 24]);
    }
  }
  if (how == "length") std::vector<int64_t>().resize(size_t{1} << 62);
  if (how == "torch") {
    throw std::runtime_error(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: "
        "can't allocate memory: you tried to allocate 4000 bytes. Error code "
        "12\nFrames");
  }
  if (how == "allocate_in_thread") {
    InThread([] { throw std::bad_alloc(); });
  }
  if (how == "error_in_thread") {
    InThread([] { throw DataError("record 7 is damaged"); });
  }
  if (how == "write") WriteMuch(path);
  if (how == "open") OpenMuch(path);
  if (how == "start") StartMuch();
  if (how == "exit") std::exit(1);
  if (how == "print") {
    while (std::puts("line") >= 0) {
    }
  }
  if (how == "log") LogMuch(path);
  if (how == "outlive") {
    OutliveReaders(arguments.at(2));
    LogMuch(path);
  }
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
