#ifndef T2T_TESTS_FUZZ_FUZZ_TARGET_H_
#define T2T_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// The entry that libFuzzer and replay_main.cc call.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace t2t {

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A broken promise is a finding, as a crash is.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace t2t

#endif  // T2T_TESTS_FUZZ_FUZZ_TARGET_H_
