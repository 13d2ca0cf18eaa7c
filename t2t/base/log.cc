#include "t2t/base/log.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace t2t {

void Log(const std::string& text) {
  const std::time_t now = std::time(nullptr);
  std::tm local;
  localtime_r(&now, &local);
  char clock[16];
  std::strftime(clock, sizeof(clock), "%H:%M:%S", &local);
  std::fprintf(stderr, "[%s] %s\n", clock, text.c_str());
}

void Warn(const std::string& text) { Log("warning: " + text); }

double NowSeconds() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace t2t
