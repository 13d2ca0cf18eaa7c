#include "t2t/checkpoint/finished.h"

#include <optional>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {
namespace {

std::string MarkPath(const std::string& output_dir) {
  return JoinPath(output_dir, "finished.json");
}

}  // namespace

void MarkFinished(const std::string& output_dir, const std::string& settings,
                  int64_t step) {
  Json mark = Json::Object();
  mark.Set("settings", settings);
  mark.Set("step", step);
  const std::string text = mark.ToString() + "\n";
  const std::string path = MarkPath(output_dir);
  if (Exists(path) && ReadFile(path) == text) return;
  WriteFileAtomically(path, text);
}

void UnmarkFinished(const std::string& output_dir) {
  RemoveFile(MarkPath(output_dir));
}

bool IsFinished(const std::string& output_dir, const std::string& settings) {
  const std::string path = MarkPath(output_dir);
  if (output_dir.empty() || !Exists(path)) return false;
  try {
    const Json mark = Json::Parse(ReadFile(path));
    if (mark.At("settings").AsString() != settings) return false;
    const std::optional<Checkpoint> newest = LoadLatestCheckpoint(output_dir);
    return newest.has_value() && newest->step == mark.At("step").AsInt();
  } catch (const Error&) {
    // Removed meanwhile, or damaged: not known to be.
    return false;
  }
}

}  // namespace t2t
