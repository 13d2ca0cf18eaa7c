#ifndef T2T_LAUNCH_RUN_LOCAL_PATHS_H_
#define T2T_LAUNCH_RUN_LOCAL_PATHS_H_

#include <string>
#include <utility>
#include <vector>

#include "launch/run/local.h"
#include "t2t/base/json.h"

namespace t2t {

// Where a Pod's programs and its claims' folders are on this machine.
class LocalPaths {
 public:
  // Mount paths and the folders that stand for them.
  using Mounts = std::vector<std::pair<std::string, std::string>>;

  explicit LocalPaths(const LocalOptions& options);

  // What PATH is for a Pod.
  const std::string& path() const { return path_; }
  // The program's file; `name` itself where none is found.
  std::string FindProgram(const std::string& name) const;
  // A Pod's claims; makes their folders.
  Mounts MountsOf(const Json& pod_spec) const;
  // Replaces a mount's path where it stands as a path of its own: at the
  // start, or after '=', ',', ':' or a blank.
  static std::string Relocate(const std::string& text, const Mounts& mounts);

 private:
  std::string work_dir_;
  std::string path_;
  std::vector<std::string> programs_;
};

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_LOCAL_PATHS_H_
