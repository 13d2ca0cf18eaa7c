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

bool Download(const std::string& url, const std::string& path,
              std::string* why) {
  const std::string partial = path + ".tmp-" + std::to_string(::getpid());
  const std::string messages = partial + ".log";
  std::vector<std::string> arguments = {
      "curl",       "--fail",     "--silent", "--show-error",
      "--location", "--retry",    "2",        "--connect-timeout",
      "15",         "--max-time", "1800",     "--output",
      partial,      url};
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
      ::posix_spawnp(&pid, "curl", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  bool good = false;
  if (failed != 0) {
    *why =
        std::string("can't start the program curl: ") + std::strerror(failed);
  } else {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
      *why = Exists(messages) ? std::string(Trim(ReadFile(messages))) : "";
      // curl repeats itself on each retry; its last line says enough.
      *why = why->substr(why->rfind('\n') + 1);
      if (why->empty()) *why = "curl failed";
    }
  }
  RemoveFile(messages);
  if (!good) {
    RemoveFile(partial);
    return false;
  }
  Rename(partial, path);
  return true;
}

}  // namespace t2t
