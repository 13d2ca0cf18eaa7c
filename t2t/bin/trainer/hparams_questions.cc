#include "t2t/bin/trainer/hparams_questions.h"

#include <cstdio>
#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/describe.h"
#include "t2t/base/error.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/hparams.h"

namespace t2t {

void HParamsQuestions::AddTo(Flags* flags) {
  flags->Add("print_hparams", &print,
             "Print the values of --hparams_set, with the changes of "
             "--hparams, and what each means; nothing else is done.");
  flags->Add("diff_hparams", &diff,
             "SET,SET: print what differs between two sets; nothing else is "
             "done.");
  flags->Add(
      "json", &json,
      "With --registry_help, --print_hparams, --diff_hparams or --dry_run: "
      "as JSON. A dry "
      "run then counts a step over a full batch, and needs no data: "
      "vocabularies are as large as the problem says they will be.");
}

bool HParamsQuestions::Answer(const std::string& set,
                              const std::string& changes) const {
  if (!Asked()) {
    if (!json) return false;
    throw UsageError("--json alone",
                     "--registry_help, --print_hparams, --diff_hparams or "
                     "--dry_run too",
                     "add one of them, or leave --json out");
  }
  const std::string text =
      diff.empty() ? PrintedSet(set, changes) : Difference();
  std::fputs(text.c_str(), stdout);
  return true;
}

std::string HParamsQuestions::PrintedSet(const std::string& set,
                                         const std::string& changes) const {
  if (set.empty()) {
    throw UsageError("--print_hparams without --hparams_set",
                     "the set that is to be printed",
                     "add --hparams_set=...; --registry_help lists them");
  }
  HParams hparams = LookUpHParams(set);
  hparams.Parse(changes);
  return json ? hparams.ToJson() + "\n" : DescribeHParams(set, hparams);
}

std::string HParamsQuestions::Difference() const {
  const std::vector<std::string> sets = Split(diff, ',');
  if (sets.size() != 2) {
    throw UsageError("--diff_hparams=" + diff, "two sets with a comma between",
                     "as --diff_hparams=transformer_base,transformer_big");
  }
  const HParams from = LookUpHParams(std::string(Trim(sets[0])));
  const HParams to = LookUpHParams(std::string(Trim(sets[1])));
  if (json) return DifferenceJson(from, to).ToString(2) + "\n";
  const std::string text = DescribeDifference(from, to);
  return text.empty() ? "both have the same values\n" : text;
}

}  // namespace t2t
