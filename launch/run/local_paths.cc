#include "launch/run/local_paths.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

std::string SelfFolder() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? DirName(std::string(path, static_cast<size_t>(size))) : "";
}

}  // namespace

LocalPaths::LocalPaths(const LocalOptions& options)
    : work_dir_(options.work_dir) {
  std::string folders = options.bin_dir;
  if (folders.empty()) {
    // bazel-bin/t2t/bin/launch/t2t-launch: its neighbours' folders.
    const std::string self = SelfFolder();
    folders = self;
    for (const char* const name :
         {"datagen", "trainer", "decoder", "bleu", "exporter", "import", "avg",
          "model_server"}) {
      const std::string folder = JoinPath(DirName(self), name);
      if (IsDirectory(folder)) folders += ":" + folder;
    }
  }
  const char* const path = ::getenv("PATH");
  path_ = folders + ":" + (path != nullptr ? path : "/usr/bin:/bin");
  programs_ = Split(path_, ':');
}

std::string LocalPaths::FindProgram(const std::string& name) const {
  if (name.find('/') != std::string::npos) return name;
  for (const std::string& folder : programs_) {
    const std::string path = JoinPath(folder, name);
    if (::access(path.c_str(), X_OK) == 0 && !IsDirectory(path)) return path;
  }
  return name;
}

LocalPaths::Mounts LocalPaths::MountsOf(const Json& pod_spec) const {
  Mounts mounts;
  std::map<std::string, std::string> claims;
  const Json* const volumes = pod_spec.Find("volumes");
  if (volumes == nullptr) return mounts;
  for (const Json& volume : volumes->items()) {
    if (const Json* const claim = volume.Find("persistentVolumeClaim")) {
      claims[volume.At("name").AsString()] = claim->At("claimName").AsString();
    }
  }
  const Json& container = pod_spec.At("containers").items()[0];
  const Json* const list = container.Find("volumeMounts");
  if (list == nullptr) return mounts;
  for (const Json& mount : list->items()) {
    const auto claim = claims.find(mount.At("name").AsString());
    if (claim == claims.end()) continue;
    const std::string folder = JoinPath(work_dir_, claim->second);
    MakeDirectories(folder);
    mounts.emplace_back(mount.At("mountPath").AsString(), folder);
  }
  return mounts;
}

std::string LocalPaths::Relocate(const std::string& text,
                                 const Mounts& mounts) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    bool replaced = false;
    const bool starts =
        i == 0 || std::string_view("=,: \n'\"").find(text[i - 1]) !=
                      std::string_view::npos;
    for (const auto& [path, folder] : mounts) {
      if (!starts || text.compare(i, path.size(), path) != 0) continue;
      const size_t end = i + path.size();
      if (end < text.size() && std::string_view("/,: \n'\"").find(text[end]) ==
                                   std::string_view::npos) {
        continue;
      }
      out += folder;
      i = end;
      replaced = true;
      break;
    }
    if (!replaced) out += text[i++];
  }
  return out;
}

}  // namespace t2t
