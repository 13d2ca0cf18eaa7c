#ifndef T2T_BASE_PROGRESS_H_
#define T2T_BASE_PROGRESS_H_

#include <cstdint>
#include <string>

namespace t2t {

// "1m05s", "2h07m".
std::string DurationText(double seconds);
// "12,345".
std::string GroupedText(int64_t number);

// The progress line on stderr: on a terminal one line that is rewritten, ETA
// first and cut at the terminal's width; else a whole line each time Report()
// is called with `due`.
class Progress {
 public:
  Progress(int64_t first_step, int64_t last_step);
  ~Progress();

  // more: what else is to stand in the line.
  void Report(int64_t step, double loss, double learning_rate,
              double tokens_per_second, bool due, const std::string& more = "");
  // Ends the rewritten line, before something else is printed.
  void EndLine();

 private:
  const int64_t first_step_;
  const int64_t last_step_;
  const bool terminal_;
  const double start_;
  double last_report_ = 0;
  bool line_open_ = false;
};

}  // namespace t2t

#endif  // T2T_BASE_PROGRESS_H_
