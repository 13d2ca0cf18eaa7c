#include "tests/fault/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

constexpr char kNsenter[] = "/usr/bin/nsenter";

std::string IpProgram() {
  for (const char* const path : {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"}) {
    if (Exists(path)) return path;
  }
  return "";
}

bool WriteProc(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) ==
                       static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

// "" where this process is now in namespaces of its own.
std::string MoveOut() {
  const std::string uid = std::to_string(::getuid());
  const std::string gid = std::to_string(::getgid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return std::string("no namespaces: unshare: ") + std::strerror(errno);
  }
  WriteProc("/proc/self/setgroups", "deny");
  if (!WriteProc("/proc/self/uid_map", "0 " + uid + " 1") ||
      !WriteProc("/proc/self/gid_map", "0 " + gid + " 1")) {
    return std::string("no namespaces: uid_map: ") + std::strerror(errno);
  }
  return "";
}

std::string MoveOutOnce() {
  static const std::string* const error = new std::string(MoveOut());
  return *error;
}

// A process that stays in a network namespace of its own; -1: not possible.
pid_t StartHolder() {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char result = ::unshare(CLONE_NEWNET) == 0 ? '+' : '-';
    if (::write(ends[1], &result, 1) != 1 || result == '-') ::_exit(1);
    ::close(ends[1]);
    while (true) ::pause();
  }
  ::close(ends[1]);
  char result = '-';
  const bool told = ::read(ends[0], &result, 1) == 1;
  ::close(ends[0]);
  if (told && result == '+') return pid;
  ::waitpid(pid, nullptr, 0);
  return -1;
}

std::string Cable(int machine) { return "cable" + std::to_string(machine); }

}  // namespace

TestNetwork::TestNetwork(int machines) {
  if (IpProgram().empty() || !Exists(kNsenter)) {
    error_ = "the programs ip and nsenter are not both installed";
    return;
  }
  error_ = MoveOutOnce();
  if (!error_.empty()) return;
  if (!Ip({"link", "add", "switch", "type", "bridge"}) ||
      !Ip({"link", "set", "switch", "up"})) {
    return;
  }
  for (int i = 0; i < machines; ++i) {
    const pid_t holder = StartHolder();
    if (holder < 0) {
      error_ = "no namespace for a machine";
      return;
    }
    holders_.push_back(holder);
    const std::string cable = Cable(i);
    if (!Ip({"link", "add", cable, "type", "veth", "peer", "name", "eth0",
             "netns", std::to_string(holder)}) ||
        !Ip({"link", "set", cable, "master", "switch", "up"}) ||
        !Ip({"addr", "add", Address(i) + "/24", "dev", "eth0"}, i) ||
        !Ip({"link", "set", "lo", "up"}, i) ||
        !Ip({"link", "set", "eth0", "up"}, i)) {
      return;
    }
  }
}

TestNetwork::~TestNetwork() {
  for (const pid_t holder : holders_) {
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
  }
  if (error_.empty()) Ip({"link", "del", "switch"});
}

std::string TestNetwork::Address(int machine) {
  return "10.77.0." + std::to_string(machine + 1);
}

std::vector<std::string> TestNetwork::On(
    int machine, const std::vector<std::string>& command) const {
  std::vector<std::string> all = {
      kNsenter,
      "--net=/proc/" + std::to_string(holders_[static_cast<size_t>(machine)]) +
          "/ns/net",
      "--"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

void TestNetwork::SetLink(int machine, bool up) {
  Ip({"link", "set", Cable(machine), up ? "up" : "down"});
}

bool TestNetwork::Ip(const std::vector<std::string>& arguments, int machine) {
  std::vector<std::string> command = {IpProgram()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const RunResult run =
      RunProgram(machine < 0 ? command : On(machine, command));
  if (run.code == 0) return true;
  error_ = "ip " + arguments[0] + " " + arguments[1] + ": " + run.output;
  return false;
}

}  // namespace t2t
