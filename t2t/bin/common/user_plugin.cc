#include "t2t/bin/common/user_plugin.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "t2t/base/build_id.h"
#include "t2t/base/build_lock.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/sha256.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/bin/common/torch_half.h"
#include "t2t/problem/registries.h"

namespace t2t {
namespace {

constexpr char kFlag[] = "--t2t_usr_dir=";

// The library that this function is of: libt2t_base.so.
std::string OwnPath() {
  Dl_info info = {};
  ::dladdr(reinterpret_cast<const void*>(&LoadUserPlugin), &info);
  std::error_code none;
  const auto path = std::filesystem::canonical(
      info.dli_fname == nullptr ? "" : info.dli_fname, none);
  return none ? "" : path.string();
}

// What a plug-in is compiled for: the libraries whose classes it sees.
std::string Version() {
  return BuildId(OwnPath()) + "-" + BuildId(TorchLibraryPath());
}

// Folders of headers: <prefix>/include/t2t where these programs are installed,
// the source tree where Bazel runs them.
std::vector<std::string> HeaderFolders() {
  const std::string own = OwnPath();
  const std::string installed = JoinPath(DirName(DirName(own)), "include/t2t");
  std::vector<std::string> roots = {installed};
  const size_t output = own.find("/bazel-out/");
  if (output != std::string::npos) roots.push_back(own.substr(0, output));
  for (const std::string& root : roots) {
    if (!Exists(JoinPath(root, "t2t/problem/user_plugin.h"))) continue;
    const std::string torch =
        JoinPath(root, root == installed ? "libtorch" : "external/libtorch");
    return {root, JoinPath(torch, "include"),
            JoinPath(torch, "include/torch/csrc/api/include")};
  }
  throw MissingError(
      "the headers that --t2t_usr_dir's files are compiled with are not there",
      "them in " + installed, "install them: scripts/install.sh");
}

std::string Compiler() {
  const char* const given = std::getenv("CXX");
  return given != nullptr && *given != '\0' ? given : "g++";
}

// The compiler's file, which changes with its version.
std::string CompilerPath() {
  const std::string name = Compiler();
  if (name.find('/') != std::string::npos) return Exists(name) ? name : "";
  const char* const path = std::getenv("PATH");
  for (const std::string& folder : Split(path == nullptr ? "" : path, ':')) {
    const std::string file = JoinPath(folder.empty() ? "." : folder, name);
    if (::access(file.c_str(), X_OK) == 0 && !IsDirectory(file)) return file;
  }
  return "";
}

std::string FileState(const std::string& path) {
  struct stat info = {};
  ::stat(path.c_str(), &info);
  return path + " " + std::to_string(info.st_size) + " " +
         std::to_string(info.st_mtim.tv_sec) + "\n";
}

// Everything in the folder that the compiler may read, sorted.
std::vector<std::string> SourceFiles(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".cc" || extension == ".h" || extension == ".inc") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> Command(const std::string& folder,
                                 const std::string& output) {
  std::vector<std::string> command = {Compiler(), "-std=c++20", "-O2",
                                      "-fPIC",    "-shared",    "-Wall",
                                      "-o",       output,       "-I" + folder};
  // LibTorch's own headers would warn.
  for (const std::string& headers : HeaderFolders()) {
    command.push_back("-isystem");
    command.push_back(headers);
  }
  command.push_back("-DT2T_PLUGIN_VERSION=\"" + Version() + "\"");
  for (const std::string& file : ListDirectory(folder)) {
    if (EndsWith(file, ".cc")) command.push_back(JoinPath(folder, file));
  }
  return command;
}

// The user's own: whoever can write to it could have the programs run anything.
std::string CacheFolder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const std::string root = cache != nullptr && *cache != '\0'
                               ? std::string(cache)
                               : ExpandUser("~/.cache");
  const std::string folder = JoinPath(root, "t2t/plugins");
  MakeDirectories(JoinPath(root, "t2t"));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    throw IoError("can't make", folder);
  }
  struct stat info = {};
  if (::lstat(folder.c_str(), &info) != 0) throw IoError("can't see", folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() ||
      (info.st_mode & 022) != 0) {
    throw Error(ExitCode::kIo,
                "the folder of compiled plug-ins, " + folder +
                    ", is not this user's alone",
                "a folder of this user's that nobody else can write to",
                "remove it, or set XDG_CACHE_HOME to a folder of your own");
  }
  return folder;
}

// The library of the folder's files; made where it is not there.
std::string Compiled(const std::string& folder) {
  const std::string compiler = CompilerPath();
  if (compiler.empty()) {
    throw MissingError(
        kFlag + folder + " needs a C++ compiler: there is no " + Compiler(),
        "g++ of version 12 or later, or another one by the variable CXX",
        "install it (apt-get install g++), or give a library that was "
        "compiled on another machine: --t2t_usr_dir=FILE.so");
  }
  std::string key = Join(Command(folder, ""), "\n") + FileState(compiler);
  for (const std::string& file : SourceFiles(folder)) {
    key += file + "\n" + Sha256(ReadFile(file)) + "\n";
  }
  const std::string stem = JoinPath(CacheFolder(), Sha256(key).substr(0, 32));
  const std::string library = stem + ".so";
  if (Exists(library)) return library;
  const BuildLock lock(stem + ".lock", "the plug-in " + folder);
  if (Exists(library)) return library;
  Log("compiling " + folder + " into " + library);
  const std::string made = stem + ".made";
  RemoveFile(made);
  const double start = NowSeconds();
  const int code = WaitForEnd(Spawn(Command(folder, made)));
  if (code != 0) {
    RemoveFile(made);
    throw UsageError(kFlag + folder + " does not compile (see above)",
                     "C++20 files", "mend them, or leave --t2t_usr_dir out");
  }
  Rename(made, library);
  Log(Format("compiled in %.1f s", NowSeconds() - start));
  return library;
}

// Opened without LibTorch where that is enough.
void* Open(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  OpenTorchHalf();
  handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  throw UsageError(library + " can't be opened: " + ::dlerror(),
                   "a plug-in that needs nothing but these programs have",
                   "define what is lacking in a .cc file of the folder");
}

template <typename Function>
Function* Find(void* handle, const char* name, const std::string& path) {
  void* const symbol = ::dlsym(handle, name);
  if (symbol != nullptr) return reinterpret_cast<Function*>(symbol);
  throw UsageError(kFlag + path + " has no T2T_USER_PLUGIN",
                   "one .cc file with T2T_USER_PLUGIN(registries) { ... }",
                   "see t2t/problem/user_plugin.h");
}

}  // namespace

void LoadUserPlugin(const std::string& path) {
  if (!Exists(path)) {
    throw MissingError(kFlag + path + " is not there",
                       "a folder with .cc files", "see docs/extending.md");
  }
  std::string library = path;
  if (IsDirectory(path)) {
    std::error_code none;
    const std::string folder = std::filesystem::canonical(path, none).string();
    const std::vector<std::string> names = ListDirectory(folder);
    if (std::none_of(names.begin(), names.end(), [](const std::string& name) {
          return EndsWith(name, ".cc");
        })) {
      throw MissingError(kFlag + path + " has no .cc file",
                         "what is to be compiled", "see docs/extending.md");
    }
    library = Compiled(folder);
  } else if (path.find('/') == std::string::npos) {
    library = JoinPath(".", path);  // else the loader looks elsewhere
  }
  void* const handle = Open(library);
  const std::string version =
      Find<const char*()>(handle, "T2TUserPluginVersion", path)();
  if (version != Version()) {
    throw UsageError(
        kFlag + path + " was compiled for other programs than these",
        "one of version " + Version() + ", but it is " + version,
        "give the folder of its .cc files, to have it compiled");
  }
  const Registries registries = AllRegistries();
  Find<void(const Registries*)>(handle, "T2TUserPlugin", path)(&registries);
}

}  // namespace t2t
