#include "t2t/base/stop.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "t2t/base/error.h"
#include "t2t/base/process_end.h"

namespace t2t {
namespace {

volatile sig_atomic_t stop_signal = 0;
volatile sig_atomic_t was_asked = 0;  // by SIGTERM or SIGINT
std::atomic<unsigned> grace_seconds{0};
std::atomic<int64_t> saved_step{-1};

// What a signal's handler may use: no memory, no locks.
void Print(const char* text) {
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, text, std::strlen(text));
}

void PrintNumber(int64_t number) {
  char digits[24];
  size_t at = sizeof(digits) - 1;
  digits[at] = '\0';
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  Print(digits + at);
}

void EndLate(int) {
  Print("\n");
  Print(SignalName(stop_signal));
  Print(" came ");
  PrintNumber(grace_seconds);
  Print(" s ago and --preemption_grace_seconds is over; ");
  if (saved_step >= 0) {
    Print("the newest checkpoint is that of step ");
    PrintNumber(saved_step);
    Print("\n");
  } else {
    Print("this run has written no checkpoint\n");
  }
  ::_exit(static_cast<int>(ExitCode::kRetry));
}

void Handle(int signal) {
  // A terminal that is closed may send SIGHUP several times, and SIGTERM with
  // it; SIGXCPU comes each second.
  const bool is_asking = signal == SIGTERM || signal == SIGINT;
  if (is_asking && was_asked != 0) {
    Print("\nstopped at once by a second signal\n");
    ::_exit(ExitCodeOfStop(signal));
  }
  if (is_asking) was_asked = 1;
  if (stop_signal != 0) return;
  stop_signal = signal;
  if (signal != SIGINT) ::alarm(grace_seconds);
}

void Catch(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void CatchStopSignals() {
  Catch(SIGTERM, Handle);
  Catch(SIGINT, Handle);
  if (!IsIgnored(SIGHUP)) Catch(SIGHUP, Handle);  // nohup
  Catch(SIGXCPU, Handle);
  Catch(SIGALRM, EndLate);
}

void SetStopGrace(int64_t seconds) {
  grace_seconds = static_cast<unsigned>(seconds);
}

void NoteSavedStep(int64_t step) { saved_step = step; }

int StopSignal() { return stop_signal; }

void RequestStop(int signal) {
  if (stop_signal == 0) stop_signal = signal;
}

void ResetStopSignal() {
  stop_signal = 0;
  was_asked = 0;
  ::alarm(0);
  CatchStopSignals();
}

void ThrowIfStopped(const std::string& state) {
  if (stop_signal == 0) return;
  throw Error(static_cast<ExitCode>(ExitCodeOfStop(stop_signal)),
              std::string("stopped by ") + SignalName(stop_signal) + state, "",
              "run the same command again to go on");
}

}  // namespace t2t
