// To be preloaded (LD_PRELOAD) into a program under test: something happens at
// the n-th operation of a kind on files whose path holds a given text.
//
//   T2T_IO_OP     open, write, fsync or rename
//   T2T_IO_MATCH  what the path holds (of a rename: the new one)
//   T2T_IO_AT     n, from 1; 0: operations are only counted
//   T2T_IO_THEN   an errno: the operation fails with it (a write after half
//                 of its bytes); "term": SIGTERM, then the operation goes on;
//                 "kill": SIGKILL; "termhang": SIGTERM, then it hangs
//   T2T_IO_REPORT a file: "fired <path>" is added to it then, and
//                 "count <n>" when the program ends

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

namespace {

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

using OpenFunction = int (*)(const char*, int, ...);
using OpenAtFunction = int (*)(int, const char*, int, ...);
using FopenFunction = FILE* (*)(const char*, const char*);
using WriteFunction = ssize_t (*)(int, const void*, size_t);

const char* Setting(const char* name) {
  const char* const value = ::getenv(name);
  return value == nullptr ? "" : value;
}

std::atomic<int> count{0};

void Report(const char* what, const char* detail) {
  static const auto open_file = Next<OpenFunction>("open");
  static const auto write_file = Next<WriteFunction>("write");
  const int fd =
      open_file(Setting("T2T_IO_REPORT"), O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (fd < 0) return;
  char line[PATH_MAX + 32];
  const int size = ::snprintf(line, sizeof(line), "%s %s\n", what, detail);
  [[maybe_unused]] const ssize_t written = write_file(fd, line, size);
  ::close(fd);
}

// Whether the operation is to fail; errno is set then.
bool Fails(const char* op, const char* path) {
  if (::strcmp(Setting("T2T_IO_OP"), op) != 0 ||
      ::strstr(path, Setting("T2T_IO_MATCH")) == nullptr ||
      ++count != ::atoi(Setting("T2T_IO_AT"))) {
    return false;
  }
  Report("fired", path);
  const char* const then = Setting("T2T_IO_THEN");
  if (::strcmp(then, "kill") == 0) ::kill(::getpid(), SIGKILL);
  if (::strncmp(then, "term", 4) == 0) {
    ::kill(::getpid(), SIGTERM);
    while (::strcmp(then, "termhang") == 0) ::sleep(1);
    return false;
  }
  errno = ::atoi(then);
  return true;
}

bool FailsFd(const char* op, int fd) {
  char link[64];
  char path[PATH_MAX];
  ::snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, path, sizeof(path) - 1);
  if (size < 0) return false;
  path[size] = '\0';
  return Fails(op, path);
}

mode_t ModeOf(int flags, va_list* arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(*arguments, mode_t) : 0;
}

__attribute__((destructor)) void ReportCount() {
  char text[16];
  ::snprintf(text, sizeof(text), "%d", count.load());
  if (*Setting("T2T_IO_REPORT") != '\0') Report("count", text);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, &arguments);
  va_end(arguments);
  if (Fails("open", path)) return -1;
  static const auto next = Next<OpenFunction>("open");
  return next(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, &arguments);
  va_end(arguments);
  if (Fails("open", path)) return -1;
  static const auto next = Next<OpenFunction>("open64");
  return next(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, &arguments);
  va_end(arguments);
  if (Fails("open", path)) return -1;
  static const auto next = Next<OpenAtFunction>("openat");
  return next(folder, path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) {
  if (Fails("open", path)) return nullptr;
  static const auto next = Next<FopenFunction>("fopen");
  return next(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  if (Fails("open", path)) return nullptr;
  static const auto next = Next<FopenFunction>("fopen64");
  return next(path, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  static const auto next = Next<WriteFunction>("write");
  if (FailsFd("write", fd)) {
    const int saved = errno;
    [[maybe_unused]] const ssize_t half = next(fd, data, size / 2);
    errno = saved;
    return -1;
  }
  return next(fd, data, size);
}

size_t fwrite(const void* data, size_t size, size_t number, FILE* file) {
  if (FailsFd("write", ::fileno(file))) return 0;
  static const auto next =
      Next<size_t (*)(const void*, size_t, size_t, FILE*)>("fwrite");
  return next(data, size, number, file);
}

int fflush(FILE* file) {
  if (file != nullptr && FailsFd("write", ::fileno(file))) return EOF;
  static const auto next = Next<int (*)(FILE*)>("fflush");
  return next(file);
}

int fsync(int fd) {
  if (FailsFd("fsync", fd)) return -1;
  static const auto next = Next<int (*)(int)>("fsync");
  return next(fd);
}

int fdatasync(int fd) {
  if (FailsFd("fsync", fd)) return -1;
  static const auto next = Next<int (*)(int)>("fdatasync");
  return next(fd);
}

int rename(const char* from, const char* to) {
  if (Fails("rename", to)) return -1;
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return next(from, to);
}

}  // extern "C"
