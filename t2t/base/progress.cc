#include "t2t/base/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/terminal.h"

namespace t2t {

std::string DurationText(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return Format("%llds", static_cast<long long>(whole));
  if (whole < 3600) {
    return Format("%lldm%02llds", static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  }
  return Format("%lldh%02lldm", static_cast<long long>(whole / 3600),
                static_cast<long long>(whole / 60 % 60));
}

std::string GroupedText(int64_t number) {
  std::string text = std::to_string(number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

Progress::Progress(int64_t first_step, int64_t last_step)
    : first_step_(first_step),
      last_step_(last_step),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(NowSeconds()) {}

Progress::~Progress() { EndLine(); }

void Progress::Report(int64_t step, double loss, double learning_rate,
                      double tokens_per_second, bool due,
                      const std::string& more) {
  const double now = NowSeconds();
  if (terminal_ ? now - last_report_ < 0.2 && step < last_step_ : !due) {
    return;
  }
  last_report_ = now;
  const double done = static_cast<double>(step - first_step_);
  const double left = static_cast<double>(last_step_ - step);
  const double eta = done > 0 ? (now - start_) / done * left : -1;
  const std::string text = Format(
      "step %s/%s  loss %.4f  lr %.3g  %s tokens/s%s",
      GroupedText(step).c_str(), GroupedText(last_step_).c_str(), loss,
      learning_rate, GroupedText(std::llround(tokens_per_second)).c_str(),
      more.c_str());
  const std::string eta_text = "ETA " + DurationText(eta);
  if (terminal_) {
    // The last column stays free: some terminals wrap when it is written.
    std::fprintf(
        stderr, "\r\033[K%s",
        ClipText(eta_text + "  " + text, TerminalWidth(STDERR_FILENO) - 1)
            .c_str());
    line_open_ = true;
  } else {
    Log(text + "  " + eta_text);
  }
}

void Progress::EndLine() {
  if (line_open_) std::fprintf(stderr, "\n");
  line_open_ = false;
}

}  // namespace t2t
