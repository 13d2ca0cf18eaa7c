#include "t2t/problem/expected_info.h"

#include <string>

#include "t2t/base/error.h"

namespace t2t {
namespace {

// Where there is no file.
constexpr char kNowhere[] = "/dev/null";

bool SizeIsSaid(const Vocabulary& vocabulary) {
  return vocabulary.kind == Vocabulary::Kind::kSubwords && vocabulary.size > 0;
}

}  // namespace

ExpectedInfo ExpectInfo(const Problem& problem, const std::string& data_dir) {
  try {
    return {problem.Info(data_dir.empty() ? kNowhere : data_dir), true};
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMissing) throw;
  }
  // Vocabularies that a file is needed for become ones of their size without a
  // file.
  Problem without_files = problem;
  for (auto& [name, feature] : without_files.features) {
    Vocabulary& vocabulary = feature.vocabulary;
    if (!vocabulary.has_file() && vocabulary.model_file.empty()) continue;
    if (!SizeIsSaid(vocabulary)) {
      throw MissingError("how many " + name + " the problem " + problem.name +
                             " has is not known before its data is made",
                         "its vocabulary in --data_dir",
                         "run t2t-datagen --problem=" + problem.data_name);
    }
    const int64_t size = vocabulary.size;
    vocabulary = Vocabulary();
    vocabulary.size = size;
  }
  return {without_files.Info(kNowhere), false};
}

}  // namespace t2t
