// From what a program is to do to the program (Caballero et al. 2016,
// "Description2Code"). T2T's data_generators/desc2code.py, which asserts that
// it has no vocabulary of the descriptions, and so can't make the data. Which
// problems are for dev T2T draws as Python does, so that they are others here.

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/base/strings.h"
#include "t2t/formats/text_reader.h"
#include "t2t/problem/line_samples.h"
#include "t2t/problem/sample_source.h"
#include "t2t/problem/text_kinds.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr uint64_t kShuffleSeed = 7531;
constexpr size_t kOneOfSoManyForDev = 25;

struct Language {
  const char* name;    // of the problem and the vocabulary: "py"
  const char* corpus;  // "description2code_python"
  // A file with one of these in it is of another language.
  std::vector<std::string> others;
  std::string (*clean)(const std::string& code);
};

std::string CleanPython(const std::string& code) {
  return ReplaceAll(code, "\t", "    ");
}

// As T2T's, which sees a comment in a text with "//", too.
std::string CleanCpp(const std::string& code) {
  std::string without;
  for (size_t at = 0; at < code.size();) {
    const size_t comment = code.find("//", at);
    const size_t end = comment == std::string::npos ? std::string::npos
                                                    : code.find('\n', comment);
    if (end == std::string::npos) {
      without += code.substr(at);
      break;
    }
    without += code.substr(at, comment - at) + " ";
    at = end + 1;
  }
  return OneSpaced(without);
}

// A problem's description and its programs.
struct Task {
  std::string description;
  std::vector<std::string> programs;
};

// The tasks of a split, in the order that they are drawn in.
std::vector<Task> TasksOf(const SampleFiles& files) {
  std::map<std::string, Task> by_folder;
  for (const std::string& path : files.Paths()) {
    Task& task = by_folder[DirName(DirName(path))];
    if (BaseName(DirName(path)) == "description") {
      task.description = path;
    } else {
      task.programs.push_back(path);
    }
  }
  std::vector<Task> tasks;
  for (auto& [folder, task] : by_folder) {
    if (task.description.empty() || task.programs.empty()) continue;
    tasks.push_back(std::move(task));
  }
  Rng(kShuffleSeed).Shuffle(&tasks);
  const auto split = tasks.begin() + static_cast<std::ptrdiff_t>(
                                         tasks.size() / kOneOfSoManyForDev);
  if (files.split == DataSplit::kTrain) return {split, tasks.end()};
  return {tasks.begin(), split};
}

NextExample ReadTasks(const Language& language, const SampleFiles& files) {
  return SamplesOfGroups([language, tasks = TasksOf(files), next = size_t{0}](
                             std::vector<Example>* samples) mutable {
    if (next == tasks.size()) return false;
    const Task& task = tasks[next++];
    const std::string description(StripPythonSpace(ReadText(task.description)));
    for (const std::string& path : task.programs) {
      const std::string code = ReadText(path);
      if (std::ranges::any_of(language.others, [&](const std::string& sign) {
            return code.find(sign) != std::string::npos;
          })) {
        continue;
      }
      samples->push_back(TextPair(
          description, std::string(StripPythonSpace(language.clean(code)))));
    }
    return true;
  });
}

Vocabulary Subwords(const std::string& stem, int64_t size) {
  Vocabulary vocabulary = SharedSubwords(stem, size);
  vocabulary.file = "vocab." + stem + "." + std::to_string(size);
  vocabulary.model_file.clear();
  return vocabulary;
}

Problem MakeProgramming(const Language& language) {
  const std::string name =
      std::string("programming_desc2code_") + language.name;
  Problem problem = TextToText(name, Subwords("endefr", 1 << 15),
                               Subwords(language.name, 1 << 12));
  problem.corpora = {OfAll(CorpusNamed(language.corpus))};
  problem.splits = TrainDev(10);
  ReadBy({[language](const SampleFiles& files) {
           return ReadTasks(language, files);
         }},
         &problem);
  return problem;
}

}  // namespace

void RegisterDescriptionToCode(ProblemRegistry& problems) {
  const std::array<Language, 2> languages = {{
      {"py",
       "description2code_python",
       {"#include", "# include", "import java."},
       CleanPython},
      {"cpp", "description2code_cpp", {"import java."}, CleanCpp},
  }};
  for (const Language& language : languages) {
    problems.Add(std::string("programming_desc2code_") + language.name,
                 [language] { return MakeProgramming(language); });
  }
}

}  // namespace t2t
