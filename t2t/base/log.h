#ifndef T2T_BASE_LOG_H_
#define T2T_BASE_LOG_H_

#include <string>

namespace t2t {

// One line to stderr: "[12:34:56] text".
void Log(const std::string& text);
// "[12:34:56] warning: text"
void Warn(const std::string& text);
// Seconds on a steady clock.
double NowSeconds();

}  // namespace t2t

#endif  // T2T_BASE_LOG_H_
