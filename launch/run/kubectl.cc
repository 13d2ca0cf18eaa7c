#include "launch/run/kubectl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "t2t/base/error.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw IoError("can't make", "a pipe");
  }
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  void CloseRead() { Close(&ends[0]); }
  void CloseWrite() { Close(&ends[1]); }
  static void Close(int* end) {
    if (*end >= 0) ::close(*end);
    *end = -1;
  }
  int ends[2] = {-1, -1};
};

// Writes the input and reads the output, neither waiting for the other.
void Exchange(const std::string& input, Pipe* in, Pipe* out,
              std::string* output) {
  size_t written = 0;
  if (input.empty()) in->CloseWrite();
  ::fcntl(in->ends[1], F_SETFL, O_NONBLOCK);
  while (in->ends[1] >= 0 || out->ends[0] >= 0) {
    struct pollfd polls[2] = {{in->ends[1], POLLOUT, 0},
                              {out->ends[0], POLLIN, 0}};
    if (::poll(polls, 2, -1) < 0 && errno != EINTR) break;
    if (polls[0].revents != 0) {
      const ssize_t count =
          ::write(in->ends[1], input.data() + written, input.size() - written);
      if (count > 0) written += static_cast<size_t>(count);
      // A program that reads no further has its reasons.
      if (written == input.size() || (count < 0 && errno != EAGAIN)) {
        in->CloseWrite();
      }
    }
    if (polls[1].revents != 0) {
      char buffer[65536];
      const ssize_t count = ::read(out->ends[0], buffer, sizeof(buffer));
      if (count <= 0) {
        out->CloseRead();
      } else {
        output->append(buffer, static_cast<size_t>(count));
      }
    }
  }
}

}  // namespace

KubectlResult Kubectl(const AppEnvironment& environment,
                      const std::vector<std::string>& arguments,
                      const std::string& input, bool catch_output) {
  std::vector<std::string> all = {"kubectl"};
  if (!environment.context.empty()) {
    all.push_back("--context=" + environment.context);
  }
  if (!environment.ns.empty()) all.push_back("--namespace=" + environment.ns);
  all.insert(all.end(), arguments.begin(), arguments.end());
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in;
  Pipe out;
  SpawnOptions options;
  options.in = in.ends[0];
  if (catch_output) options.out = out.ends[1];
  options.default_signals = {SIGPIPE};
  pid_t pid = -1;
  try {
    pid = Spawn(all, options);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMissing) throw;
    throw MissingError("kubectl can't be run", "kubectl in PATH",
                       "install it; show --output=yaml works without");
  }
  in.CloseRead();
  out.CloseWrite();
  if (!catch_output) out.CloseRead();
  KubectlResult result;
  Exchange(input, &in, &out, &result.output);
  result.code = WaitForEnd(pid);
  return result;
}

}  // namespace t2t
