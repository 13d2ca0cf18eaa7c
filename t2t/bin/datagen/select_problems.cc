#include "t2t/bin/datagen/select_problems.h"

#include <fnmatch.h>

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

bool IsPattern(const std::string& text) {
  return text.find_first_of("*?[") != std::string::npos;
}

bool IsExcluded(const std::string& name,
                const std::vector<std::string>& excludes) {
  return std::any_of(
      excludes.begin(), excludes.end(), [&](const std::string& exclude) {
        return !exclude.empty() && name.find(exclude) != std::string::npos;
      });
}

}  // namespace

std::vector<std::string> SelectProblems(const std::string& problem,
                                        const std::string& exclude) {
  const std::vector<std::string> all = Problems().Names();
  const std::string todo = "--registry_help lists the problems";
  const std::vector<std::string> excludes = Split(exclude, ',');
  std::vector<std::string> selected;
  const auto add = [&](const std::string& name) {
    if (!IsExcluded(name, excludes) &&
        std::find(selected.begin(), selected.end(), name) == selected.end()) {
      selected.push_back(name);
    }
  };
  bool any = false;
  for (const std::string& part : Split(problem, ',')) {
    const std::string wanted(Trim(part));
    if (wanted.empty()) continue;
    any = true;
    if (!IsPattern(wanted)) {
      const std::string name =
          Problems().Has(wanted) ? wanted : ParseProblemName(wanted).base_name;
      if (!Problems().Has(name)) {
        throw UsageError("there is no problem '" + wanted + "'",
                         DidYouMean(name, all), todo);
      }
      add(name);
      continue;
    }
    bool matched = false;
    for (const std::string& name : all) {
      if (::fnmatch(wanted.c_str(), name.c_str(), 0) != 0) continue;
      matched = true;
      add(name);
    }
    if (!matched) {
      throw UsageError("no problem matches '" + wanted + "'", "", todo);
    }
  }
  if (!any) {
    throw UsageError("--problem is missing",
                     "one of:\n    " + Join(all, "\n    "));
  }
  if (selected.empty()) {
    throw UsageError("--exclude_problems=" + exclude +
                     " leaves nothing of --problem=" + problem);
  }
  return selected;
}

}  // namespace t2t
