#include "t2t/base/plugin.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define T2T_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define T2T_SANITIZED
#endif

namespace t2t {
namespace {

#ifdef T2T_SANITIZED
constexpr int kWalled = RTLD_LOCAL;
#else
constexpr int kWalled = RTLD_LOCAL | RTLD_DEEPBIND;
#endif

std::string ProgramFolder() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  return size <= 0 ? "."
                   : DirName(std::string(path, static_cast<size_t>(size)));
}

// Every place where the file may be, the first ones first.
std::vector<std::string> Places(const Plugin& plugin) {
  const char* const given = std::getenv("T2T_PLUGIN_DIR");
  if (!plugin.own && given != nullptr && *given != '\0') {
    return {JoinPath(given, plugin.file)};
  }
  std::string folder = ProgramFolder();
  std::vector<std::string> places = {
      JoinPath(folder, plugin.file),
      JoinPath(JoinPath(DirName(folder), "lib"), plugin.file)};
  // The program is in <tree>/t2t/bin/trainer, or another place below <tree>.
  for (; folder.size() > 1; folder = DirName(folder)) {
    places.push_back(JoinPath(JoinPath(folder, plugin.folder), plugin.file));
  }
  return places;
}

}  // namespace

std::string FindPlugin(const Plugin& plugin) {
  for (const std::string& path : Places(plugin)) {
    if (Exists(path)) return path;
  }
  return "";
}

void* OpenPlugin(const Plugin& plugin) {
  const std::string path = FindPlugin(plugin);
  if (path.empty()) {
    throw MissingError(
        plugin.asked + " needs " + plugin.file + ", which is not there",
        "it in " + DirName(Places(plugin).front()) +
            (plugin.own ? "" : " or in $T2T_PLUGIN_DIR"),
        plugin.todo);
  }
  void* const handle = ::dlopen(
      path.c_str(), RTLD_NOW | (plugin.walled ? kWalled : RTLD_GLOBAL));
  if (handle == nullptr) {
    throw MissingError(
        plugin.asked + ": " + path + " can't be opened: " + ::dlerror(), "",
        plugin.todo);
  }
  void* const symbol = ::dlsym(handle, plugin.symbol.c_str());
  if (symbol == nullptr) {
    throw MissingError(plugin.asked + ": " + path + " has no " + plugin.symbol,
                       "one of the same build as this program");
  }
  return symbol;
}

}  // namespace t2t
