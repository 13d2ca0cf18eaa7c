#ifndef T2T_TRAIN_PEAK_RECORD_H_
#define T2T_TRAIN_PEAK_RECORD_H_

#include <functional>
#include <string>

namespace t2t {

// The processor's name and the number of threads, to tell machines apart by.
std::string ComputerName(int threads);

// The best speed that was ever measured of a machine, kept in output_dir's
// peak_flops.json: on a machine that others use one measurement is often far
// below what it can do. A utilisation that is held against the best does not
// jump where a run is started again.
class PeakRecord {
 public:
  // measure: FLOP a second, once more. machine: what the figure is of. A file
  // that can't be read counts as none.
  PeakRecord(const std::string& output_dir, std::string machine,
             std::function<double()> measure);

  // Measures, and returns the best of all times.
  double Measure();
  double best() const { return best_; }
  // Writes the best where it is better than what the file says.
  void Save();

 private:
  const std::string path_;
  const std::string machine_;
  const std::function<double()> measure_;
  double saved_ = 0;
  double best_ = 0;
};

}  // namespace t2t

#endif  // T2T_TRAIN_PEAK_RECORD_H_
