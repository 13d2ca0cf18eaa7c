#include "t2t/train/stop.h"

#include <signal.h>

#include "t2t/base/error.h"

namespace t2t {
namespace {

volatile sig_atomic_t stop_signal = 0;

void Handle(int signal) { stop_signal = signal; }

}  // namespace

void CatchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_RESTART | SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

int StopSignal() { return stop_signal; }

void RequestStop(int signal) {
  if (stop_signal == 0) stop_signal = signal;
}

void ResetStopSignal() {
  stop_signal = 0;
  CatchStopSignals();
}

void ThrowIfStopped(const std::string& state) {
  if (stop_signal == 0) return;
  const bool interrupted = stop_signal == SIGINT;
  throw Error(
      interrupted ? ExitCode::kInterrupted : ExitCode::kPreempted,
      std::string("stopped by ") + (interrupted ? "SIGINT" : "SIGTERM") + state,
      "", "run the same command again to go on");
}

}  // namespace t2t
