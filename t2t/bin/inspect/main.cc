// t2t-inspect: what is in a problem's shards.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "hparams/all_hparams.h"
#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/inspect/inspect.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

constexpr int64_t kMost = int64_t{1} << 53;

struct InspectFlags {
  std::string problem;
  std::string data_dir;
  std::string split = "dev";
  std::string hparams_set;
  std::string hparams;
  std::string png_dir;
  int64_t records = 5;
  int64_t max_records = 0;
  bool full = false;
  bool json = false;

  void AddTo(Flags* flags) {
    flags->Add("problem", &problem, "The problem.");
    flags->Add("data_dir", &data_dir, "The folder with its shards.");
    flags->AddChoice("split", &split, {"train", "dev", "test"},
                     "Which shards.");
    flags->Add("records", &records, "So many records are shown.",
               Range::Between(0, kMost));
    flags->Add("max_records", &max_records,
               "Stop after so many records; 0: all are counted.",
               Range::Between(0, kMost));
    flags->Add("hparams_set", &hparams_set,
               "Count what training with this set leaves out or cuts.");
    flags->Add("hparams", &hparams, "Changes of the set: max_length=100.",
               Flags::Kind::kSettings);
    flags->Add("png_dir", &png_dir,
               "Write the images of the records that are shown into this "
               "folder.");
    flags->Add("full", &full, "Show long texts and lists whole.");
    flags->Add("json", &json, "Print JSON.");
  }
};

DataSplit SplitNamed(const std::string& name) {
  if (name == "train") return DataSplit::kTrain;
  return name == "test" ? DataSplit::kTest : DataSplit::kDev;
}

InspectOptions MakeOptions(const InspectFlags& flags, const Problem& problem) {
  InspectOptions options;
  options.data_dir = ExpandUser(flags.data_dir);
  options.split = SplitNamed(flags.split);
  options.records = flags.records;
  options.max_records = flags.max_records;
  options.png_dir = ExpandUser(flags.png_dir);
  options.full = flags.full;
  if (!flags.hparams_set.empty()) {
    options.hparams = LookUpHParams(flags.hparams_set);
    problem.AdjustHParams(&options.hparams);
    options.hparams.Parse(flags.hparams);
  } else if (!flags.hparams.empty()) {
    throw UsageError("--hparams without --hparams_set",
                     "the set that is changed", "add --hparams_set=...");
  }
  return options;
}

int Main(int argc, char** argv) {
  InspectFlags flags;
  NameFlags names;
  Flags parser(
      "Shows records of a problem's shards decoded, and counts lengths, "
      "unknown words and what training cuts or leaves out.",
      "t2t-inspect --problem=translate_numbers_ende --data_dir=~/t2t_data "
      "--hparams_set=transformer_base");
  flags.AddTo(&parser);
  names.AddTo(&parser);
  const std::vector<std::string> rest = parser.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("the argument '" + rest.front() + "' is no flag",
                     "--name=value", "--help lists the flags");
  }
  if (flags.problem.empty() || flags.data_dir.empty()) {
    throw UsageError(flags.problem.empty() ? "--problem is missing"
                                           : "--data_dir is missing",
                     "--problem=NAME --data_dir=FOLDER",
                     "t2t-datagen --registry_help lists the problems");
  }
  names.Register();
  const std::unique_ptr<Problem> problem = MakeProblem(flags.problem);
  if (problem->mixture) {
    throw UsageError("the problem " + problem->name +
                         " is a mixture: its records are those of its members",
                     "one of " + Join(problem->mixture->members, ", "),
                     "name it with --problem");
  }
  const InspectOptions options = MakeOptions(flags, *problem);
  const Inspection inspection = Inspect(*problem, options);
  const std::string text =
      flags.json
          ? InspectionJson(*problem, options, inspection).ToString(1) + "\n"
          : InspectionText(*problem, options, inspection);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
