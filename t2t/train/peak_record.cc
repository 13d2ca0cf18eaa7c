#include "t2t/train/peak_record.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// {"machine": FLOP a second}; empty where there is none that can be read.
Json ReadRecord(const std::string& path) {
  try {
    if (Exists(path)) {
      Json record = Json::Parse(ReadFile(path));
      if (record.is_object()) return record;
    }
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) throw;
  }
  return Json::Object();
}

}  // namespace

std::string ComputerName(int threads) {
  std::string name = "unknown processor";
  // (A file without a size, which is read line by line.)
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    const size_t colon = line.find(':');
    if (!StartsWith(line, "model name") || colon == std::string::npos) continue;
    name = std::string(Trim(line.substr(colon + 1)));
    break;
  }
  return name + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

PeakRecord::PeakRecord(const std::string& output_dir, std::string machine,
                       std::function<double()> measure)
    : path_(JoinPath(output_dir, "peak_flops.json")),
      machine_(std::move(machine)),
      measure_(std::move(measure)) {
  const Json record = ReadRecord(path_);
  const Json* const found = record.Find(machine_);
  if (found != nullptr && found->is_number()) saved_ = found->AsDouble();
  best_ = saved_;
}

double PeakRecord::Measure() {
  best_ = std::max(best_, measure_());
  return best_;
}

void PeakRecord::Save() {
  if (best_ <= saved_) return;
  Json record = ReadRecord(path_);  // of other machines, too
  record.Set(machine_, best_);
  WriteFileAtomically(path_, record.ToString(2) + "\n");
  saved_ = best_;
}

}  // namespace t2t
