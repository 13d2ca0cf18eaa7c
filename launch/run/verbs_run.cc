#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "launch/run/cli.h"
#include "launch/run/cluster_objects.h"
#include "launch/run/cluster_verbs.h"
#include "launch/run/estimates_text.h"
#include "launch/run/local.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plural.h"

namespace t2t {
namespace {

std::string AbsolutePath(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.c_str(), nullptr), &std::free);
  if (real == nullptr) throw IoError("can't find", path);
  return real.get();
}

}  // namespace

const std::vector<std::string>& RunFlags() {
  static const auto* const flags = new std::vector<std::string>{
      "env=",     "timeout=", "local",          "local_dir=",
      "bin_dir=", "chaos=",   "chaos_seconds=", "chaos_seed="};
  return *flags;
}

int RunComponents(const App& app, const LaunchArgs& args,
                  const std::vector<Component>& components, bool keep_going,
                  LocalResult* result) {
  const std::vector<Json> objects = RenderAll(components);
  ValidateOrThrow(app, components, objects);
  std::fputs(EstimatesText(app, components).c_str(), stdout);
  std::fflush(stdout);
  if (!args.Has("local")) {
    const AppEnvironment& environment = app.Environment(args.Get("env"));
    ApplyObjects(environment, objects, /*dry_run=*/false);
    return WaitFor(environment, objects, args.GetDouble("timeout", 0));
  }
  LocalOptions options;
  options.work_dir = args.Get("local_dir", JoinPath(app.folder(), ".local"));
  MakeDirectories(options.work_dir);
  options.work_dir = AbsolutePath(options.work_dir);
  options.bin_dir = args.Get("bin_dir");
  options.chaos = args.GetInt("chaos", 0);
  options.chaos_seconds = args.GetDouble("chaos_seconds", 1);
  options.seed = static_cast<uint64_t>(args.GetInt("chaos_seed", 1));
  options.timeout_seconds = args.GetDouble("timeout", 0);
  options.keep_going = keep_going;
  *result = RunLocally(objects, options);
  std::printf("%s, %lld killed on purpose\n",
              Count(result->restarts, "restart").c_str(),
              static_cast<long long>(result->killed));
  return result->done ? 0 : result->timed_out ? kNotInTime : kFailed;
}

LaunchArgs WithLocal(LaunchArgs args) {
  for (size_t i = 0; i < args.params.size();) {
    if (args.params[i] ==
        std::make_pair(std::string("backend"), std::string("local"))) {
      args.flags["local"] = "true";
      args.params.erase(args.params.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  return args;
}

int Run(const LaunchArgs& given) {
  const LaunchArgs args = WithLocal(given);
  const App app = LoadAppToRender(args);
  LocalResult result;
  return RunComponents(app, args, NamedComponents(app, args),
                       /*keep_going=*/false, &result);
}

std::vector<std::string> RunFlagsAndAll() {
  std::vector<std::string> flags = RunFlags();
  flags.push_back("all");
  return flags;
}

}  // namespace t2t
