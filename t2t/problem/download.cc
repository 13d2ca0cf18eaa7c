#include "t2t/problem/download.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

extern char** environ;

namespace t2t {

namespace {

// Runs a program; its messages go to the file of that name and, the last line
// of them, into *why where it fails.
bool RunTool(std::vector<std::string> arguments, const std::string& messages,
             std::string* why) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                   O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
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
      *why = Exists(messages) ? std::string(Trim(ReadFile(messages))) : "";
      // curl repeats itself on each retry; its last line says enough.
      *why = why->substr(why->rfind('\n') + 1);
      if (why->empty()) *why = arguments[0] + " failed";
    }
  }
  RemoveFile(messages);
  return good;
}

}  // namespace

bool Download(const std::string& url, const std::string& path,
              std::string* why) {
  const std::string partial = path + ".tmp-" + std::to_string(::getpid());
  if (!RunTool({"curl", "--fail", "--silent", "--show-error", "--location",
                "--retry", "2", "--connect-timeout", "15", "--max-time", "1800",
                "--output", partial, url},
               partial + ".log", why)) {
    RemoveFile(partial);
    return false;
  }
  Rename(partial, path);
  return true;
}

bool Unpack(const std::string& archive, const std::vector<std::string>& names,
            const std::string& folder, std::string* why) {
  const std::string partial =
      JoinPath(folder, "unpack.tmp-" + std::to_string(::getpid()));
  MakeDirectories(partial);
  // --no-anchored: an archive may have "./" before its names.
  std::vector<std::string> arguments = {"tar",
                                        "--extract",
                                        "--file=" + archive,
                                        "--directory=" + partial,
                                        "--no-same-owner",
                                        "--no-anchored"};
  arguments.insert(arguments.end(), names.begin(), names.end());
  bool good = RunTool(arguments, partial + ".log", why);
  for (const std::string& name : names) {
    if (!good) break;
    good = Exists(JoinPath(partial, name));
    if (!good) *why = "there is no " + name + " in it";
  }
  for (const std::string& name : names) {
    if (!good) break;
    const std::string to = JoinPath(folder, name);
    MakeDirectories(DirName(to));
    Rename(JoinPath(partial, name), to);
  }
  RemoveTree(partial);
  return good;
}

}  // namespace t2t
