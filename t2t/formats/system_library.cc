#include "t2t/formats/system_library.h"

#include <dlfcn.h>

#include "t2t/base/error.h"

namespace t2t {

SystemLibrary::SystemLibrary(const std::string& file,
                             const std::string& package,
                             const std::string& needed_for)
    : file_(file), handle_(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  throw MissingError(
      file + " can't be opened: " + ::dlerror(), "it, " + needed_for,
      "apt-get install " + package + ", or put the files into --tmp_dir");
}

void* SystemLibrary::Symbol(const char* name) const {
  void* const symbol = ::dlsym(handle_, name);
  if (symbol != nullptr) return symbol;
  throw MissingError(file_ + " has no " + name, "a newer one");
}

}  // namespace t2t
