#include "t2t/formats/download.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

extern char** environ;

namespace t2t {

namespace {

std::string ReadAll(std::FILE* file) {
  std::string text;
  char buffer[4096];
  std::rewind(file);
  while (const size_t count = std::fread(buffer, 1, sizeof(buffer), file)) {
    text.append(buffer, count);
  }
  return text;
}

// Runs a program, which writes to `output` where that isn't -1; the last line
// of its messages goes into *why where it fails.
bool RunTool(std::vector<std::string> arguments, int output,
             const std::string& folder, std::string* why) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> messages(
      OpenScratchFile(folder), std::fclose);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                   O_RDONLY, 0);
  if (output >= 0) {
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  }
  posix_spawn_file_actions_adddup2(&actions, ::fileno(messages.get()),
                                   STDERR_FILENO);
  pid_t pid = 0;
  const int failed =
      ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  bool good = false;
  if (failed != 0) {
    *why = "can't start the program " + arguments[0] + ": " +
           std::strerror(failed);
  } else {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
      *why = Trim(ReadAll(messages.get()));
      // curl repeats itself on each retry; its last line says enough.
      *why = why->substr(why->rfind('\n') + 1);
      if (why->empty()) *why = arguments[0] + " failed";
    }
  }
  return good;
}

}  // namespace

bool Download(const std::string& url, const std::string& path, std::string* why,
              const CheckDownload& check) {
  AtomicWriter file(path);
  if (!RunTool({"curl", "--fail", "--silent", "--show-error", "--location",
                "--retry", "2", "--connect-timeout", "15", "--max-time", "1800",
                "--output", file.temporary(), url},
               -1, DirName(path), why)) {
    return false;
  }
  if (check != nullptr) *why = check(file.temporary());
  if (check != nullptr && !why->empty()) return false;
  file.Commit();
  return true;
}

bool Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder, std::string* why) {
  for (const std::string& name : names) {
    const std::string to = JoinPath(folder, name);
    MakeDirectories(DirName(to));
    AtomicWriter file(to);
    // Its contents alone: no links, owners and folders of the archive's.
    // --no-anchored: an archive may have "./" before its names.
    if (!RunTool({"tar", "--extract", "--to-stdout", "--occurrence=1",
                  "--no-anchored", "--file=" + archive, name},
                 file.descriptor(), folder, why)) {
      return false;
    }
    if (FileSize(file.temporary()) == 0) {
      *why = name + " is empty, or no file";
      return false;
    }
    file.Commit();
  }
  return true;
}

}  // namespace t2t
