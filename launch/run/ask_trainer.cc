#include "launch/run/ask_trainer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "launch/run/local.h"
#include "launch/run/local_paths.h"
#include "launch/run/process.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

constexpr double kMostSeconds = 120;

// A file without a name that a program writes.
class Written {
 public:
  Written() : file_(OpenScratchFile(TemporaryFolder()), &std::fclose) {}

  int descriptor() const { return ::fileno(file_.get()); }
  std::string Text() const {
    std::string text;
    std::rewind(file_.get());
    char part[4096];
    while (const size_t size = std::fread(part, 1, sizeof(part), file_.get())) {
      text.append(part, size);
    }
    return text;
  }

 private:
  static std::string TemporaryFolder() {
    const char* const folder = ::getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/tmp";
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// Whether it ended in time; else it is killed.
bool EndsInTime(pid_t pid, int* code) {
  const double end = NowSeconds() + kMostSeconds;
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      *code = EndCode(status);
      return true;
    }
    if (ended < 0 && errno != EINTR)
      throw IoError("can't wait for", "t2t-trainer");
    if (NowSeconds() >= end) break;
    ::usleep(5000);
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return false;
}

// What a program says of an error first, without its log's lines before.
std::string FirstError(const std::string& text) {
  constexpr char kError[] = "error: ";
  for (const std::string& line : Split(text, '\n')) {
    const size_t at = line.find(kError);
    if (at != std::string::npos) return line.substr(at + sizeof(kError) - 1);
  }
  const std::vector<std::string> lines = Split(text, '\n');
  return lines.empty() || lines.front().empty() ? "it says nothing"
                                                : lines.front();
}

Json AskOnce(const std::string& program, const CostQuestion& question) {
  std::vector<std::string> command = {
      program,
      "--dry_run",
      "--json",
      // The same answer on every machine.
      "--device=cpu",
      "--problem=" + question.problem,
      "--model=" + question.model,
      "--hparams_set=" + question.hparams_set,
  };
  if (!question.hparams.empty()) {
    command.push_back("--hparams=" + question.hparams);
  }
  if (!question.data_dir.empty()) {
    command.push_back("--data_dir=" + question.data_dir);
  }
  const Written answer;
  const Written said;
  SpawnOptions options;
  options.environment = MakeEnvironment({}, IsOfAnotherLauncher);
  options.out = answer.descriptor();
  options.err = said.descriptor();
  options.dies_with_parent = true;
  pid_t pid = -1;
  try {
    pid = Spawn(command, options);
  } catch (const Error& error) {
    throw Error(error.code(),
                "there is no t2t-trainer beside t2t-launch or in PATH");
  }
  int code = 0;
  if (!EndsInTime(pid, &code)) {
    throw UsageError(Format("t2t-trainer took more than %.0f s", kMostSeconds));
  }
  if (code != 0) {
    throw UsageError("t2t-trainer: " + FirstError(said.Text()));
  }
  try {
    return Json::Parse(answer.Text());
  } catch (const Error&) {
    throw UsageError("what " + program + " answers is no JSON: is it of " +
                     "another version than t2t-launch?");
  }
}

}  // namespace

Costs::Ask AskTrainer(const std::string& bin_dir) {
  LocalOptions options;
  options.bin_dir = bin_dir;
  const std::string program = LocalPaths(options).FindProgram("t2t-trainer");
  return [program](const CostQuestion& question) {
    return AskOnce(program, question);
  };
}

}  // namespace t2t
