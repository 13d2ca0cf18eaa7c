// Runs a fuzz target over the files and folders named, as a plain test.

#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

int Replay(const std::string& path) {
  if (t2t::IsDirectory(path)) {
    int count = 0;
    for (const std::string& name : t2t::ListDirectory(path)) {
      count += Replay(t2t::JoinPath(path, name));
    }
    return count;
  }
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  const std::string bytes = t2t::ReadFile(path);
  // Each prefix too: a cut file is the commonest damage.
  for (size_t size = 0; size <= bytes.size(); ++size) {
    // A copy of its own size lets AddressSanitizer see a read past the end.
    const std::vector<uint8_t> copy(bytes.begin(), bytes.begin() + size);
    LLVMFuzzerTestOneInput(copy.data(), copy.size());
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) count += Replay(argv[i]);
  std::printf("%d files, and their prefixes\n", count);
  return count > 0 ? 0 : 1;
}
