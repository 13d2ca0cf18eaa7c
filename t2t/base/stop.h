#ifndef T2T_BASE_STOP_H_
#define T2T_BASE_STOP_H_

#include <cstdint>
#include <string>

namespace t2t {

// SIGTERM, SIGINT, SIGHUP (unless it is ignored) and SIGXCPU ask the program to
// stop when it next looks; a second SIGTERM or SIGINT ends it at once.
void CatchStopSignals();
// After any but SIGINT the program has so many seconds to end by itself; then
// it is ended with kRetry, and a line that names NoteSavedStep()'s step. 0: for
// ever.
void SetStopGrace(int64_t seconds);
void NoteSavedStep(int64_t step);
// 0, or the signal that came.
int StopSignal();
// As if the signal had come: another rank got it.
void RequestStop(int signal);
// Forgets it, and catches again (tests).
void ResetStopSignal();
// Throws where a signal came: the exit code it means, and `state`, what was
// saved.
void ThrowIfStopped(const std::string& state);

}  // namespace t2t

#endif  // T2T_BASE_STOP_H_
